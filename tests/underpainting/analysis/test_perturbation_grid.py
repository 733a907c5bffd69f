"""Grids of perturbations against the closed form of Gaussian data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from underpainting.analysis import perturbation, perturbation_grid
from underpainting.analysis.perturbation import Directions
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import CountingDenoiser
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler
from underpainting.theory.gaussian import GaussianDenoiser

STRENGTHS = (-4.0, -1.0, 2.0)


def test_projections_on_gaussian_data_follow_equation_14(basis: Eigenbasis) -> None:
    sampler = Sampler("ddim", 400, DDIMScheduler())
    denoiser = CountingDenoiser(GaussianDenoiser(basis))
    drawn = perturbation_grid.random_directions(1, basis.pixels, 5)
    vectors = np.concatenate([basis.vectors[:, :2].T.numpy(), drawn])
    state = initial_noise([3], basis.image_shape).double()[0]
    response = perturbation_grid.perturb(sampler, denoiser, state, 100, vectors, STRENGTHS, batch=4)
    shares = (torch.from_numpy(vectors) @ basis.vectors).square()
    directions = Directions(
        torch.from_numpy(vectors), ("component", "component", "random"), (0, 1, -1), shares @ basis.variances, 0
    )
    gains, _ = perturbation.predict_gains(basis, directions, sampler.grid, 100)
    expected = gains[:, None] * np.array(STRENGTHS)[None, :, None]
    np.testing.assert_allclose(response.projection, expected, atol=0.02 * np.abs(expected).max())
    np.testing.assert_allclose(response.projection[:, :, 0], np.tile(STRENGTHS, (3, 1)), rtol=1e-9)
    assert denoiser.evaluations == perturbation_grid.network_evaluations(sampler, [100], 3, 3)


def test_final_states_differ_by_the_reported_distance_and_not_by_the_batch(basis: Eigenbasis) -> None:
    sampler, denoiser = Sampler("dpmsolverpp", 10, DDIMScheduler()), GaussianDenoiser(basis)
    vectors = perturbation_grid.random_directions(2, basis.pixels, 0)
    state = initial_noise([1], basis.image_shape).double()[0]
    whole, split = (
        perturbation_grid.perturb(sampler, denoiser, state, 4, vectors, STRENGTHS, batch=batch) for batch in (64, 1)
    )
    away = (whole.final - whole.reference).flatten(2).norm(dim=2).numpy()
    np.testing.assert_allclose(whole.distance, away, rtol=1e-12)
    np.testing.assert_allclose(whole.distance, split.distance, rtol=1e-9)
    assert whole.final.shape == (2, 3, *basis.image_shape) and whole.projection.shape == (2, 3, 7)


def test_random_directions_are_unit_vectors_of_their_seed() -> None:
    one, more = perturbation_grid.random_directions(1, 50, 7), perturbation_grid.random_directions(3, 50, 7)
    np.testing.assert_allclose(np.linalg.norm(more, axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(one, more[:1])
    assert abs(float(perturbation_grid.random_directions(1, 50, 8)[0] @ one[0])) < 0.6


def test_directions_that_do_not_fit_are_refused(basis: Eigenbasis) -> None:
    sampler, denoiser = Sampler("ddim", 5, DDIMScheduler()), GaussianDenoiser(basis)
    state = initial_noise([1], basis.image_shape)[0]
    with pytest.raises(ValueError, match="do not fit a state"):
        perturbation_grid.perturb(sampler, denoiser, state, 1, np.eye(3), STRENGTHS)
    with pytest.raises(ValueError, match="a direction and a strength"):
        perturbation_grid.perturb(sampler, denoiser, state, 1, np.eye(basis.pixels), [])
