"""Perturbed walks against the closed form, automatic differentiation and perturbations made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from underpainting.analysis import perturbation
from underpainting.analysis.perturbation import Directions
from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import DiffusersDenoiser
from underpainting.noise.levels import training_grid
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler
from underpainting.theory import gaussian
from underpainting.theory.gaussian import GaussianDenoiser

SCHEDULE = DDIMScheduler()


def sampler_of(steps: int, name: str = "ddim") -> Sampler:
    return Sampler(name, steps, SCHEDULE)


@pytest.fixture(scope="module")
def directions(basis: Eigenbasis) -> Directions:
    return perturbation.make_directions(basis, range(5), random=3, off_manifold=2)


@pytest.fixture(scope="module")
def full() -> Eigenbasis:
    random = np.random.default_rng(0)
    vectors = np.linalg.qr(random.standard_normal((8, 8)))[0]
    variances = np.array([5.0, 2.0, 1.0, 0.5, 0.1, 1e-3, 1e-3, 1e-3])
    return Eigenbasis(
        torch.zeros(8, dtype=torch.float64),
        torch.from_numpy(vectors),
        torch.from_numpy(variances),
        float(variances.sum()),
        (1, 2, 4),
    )


def states(basis: Eigenbasis, count: int = 3) -> Tensor:
    return initial_noise(range(count), basis.image_shape).double()


def test_directions_are_unit_vectors_of_their_kind(basis: Eigenbasis, directions: Directions) -> None:
    assert directions.kinds == ("component",) * 5 + ("random",) * 3 + ("off_manifold",) * 2
    assert directions.components == (0, 1, 2, 3, 4, -1, -1, -1, -1, -1)
    assert torch.allclose(directions.vectors.norm(dim=1), torch.ones(10, dtype=torch.float64), atol=1e-14)
    assert torch.equal(directions.vectors[:5], basis.vectors.T)
    assert float((directions.vectors[8:] @ basis.vectors).abs().max()) < 1e-14
    assert directions.off_manifold_dimension == 11
    covariance = basis.vectors @ basis.variances.diag() @ basis.vectors.T
    assert torch.allclose(
        directions.variances, (directions.vectors @ covariance @ directions.vectors.T).diag(), atol=1e-14
    )
    assert float((directions.vectors[5:8] @ basis.vectors).abs().min()) > 1e-4


def test_a_complete_basis_keeps_its_smallest_variances_off_the_manifold(full: Eigenbasis) -> None:
    directions = perturbation.make_directions(full, [], off_manifold=4)
    assert directions.off_manifold_dimension == 3
    assert float((directions.vectors @ full.vectors[:, :5]).abs().max()) < 1e-14
    assert torch.allclose(directions.variances, torch.full((4,), 1e-3, dtype=torch.float64))
    with pytest.raises(ValueError, match="lower `manifold`"):
        perturbation.make_directions(full, [], off_manifold=1, manifold=1.0)


def test_a_direction_depends_on_its_seed_alone(basis: Eigenbasis) -> None:
    one = perturbation.make_directions(basis, [], random=2, off_manifold=1, seed=3)
    more = perturbation.make_directions(basis, [0], random=4, off_manifold=1, seed=3)
    assert torch.equal(one.vectors[:2], more.vectors[1:3]) and torch.equal(one.vectors[2], more.vectors[5])
    other = perturbation.make_directions(basis, [], random=2, off_manifold=1, seed=4)
    assert not torch.allclose(one.vectors, other.vectors)


def test_gain_of_ddim_converges_to_the_closed_form(basis: Eigenbasis, directions: Directions) -> None:
    errors = []
    for steps in (50, 100, 200):
        sampler = sampler_of(steps)
        step = steps // 2
        found = perturbation.perturb(sampler, GaussianDenoiser(basis), states(basis, 1), step, directions, 0.5)
        expected = torch.sqrt(
            basis.variances / (sampler.grid[step].sigma ** 2 + sampler.grid[step].alpha ** 2 * basis.variances)
        )
        errors.append(np.abs(found.state[0, :5, -1] - expected.numpy()))
    assert errors[-1].max() < 0.02
    assert (errors[1][:4] < 0.6 * errors[0][:4]).all() and (errors[2][:4] < 0.6 * errors[1][:4]).all()


@pytest.mark.parametrize("step", [0, 10, 40])
def test_predicted_gains_are_those_of_the_closed_form_moved_by_hand(
    basis: Eigenbasis, directions: Directions, step: int
) -> None:
    grid = sampler_of(50).grid
    state, size = states(basis, 1), 0.3
    predicted = perturbation.predict_gains(basis, directions, grid, step)
    assert predicted[0].shape == (10, 51 - step)
    for number, vector in enumerate(directions.vectors):
        perturbed = state + size * vector.reshape(1, *basis.image_shape)
        for later in (step, 45, 50):
            ends = [gaussian.state(basis, start, grid[step], grid[later]) for start in (perturbed, state)]
            change = (ends[0] - ends[1]).flatten() / size
            assert predicted[0][number, later - step] == pytest.approx(float(change @ vector), abs=1e-12)
            estimates = [gaussian.endpoint(basis, end, grid[later]) for end in ends]
            change = (estimates[0] - estimates[1]).flatten() / size
            assert predicted[1][number, later - step] == pytest.approx(float(change @ vector), abs=1e-12)


def test_endpoint_changes_at_once_as_predicted(basis: Eigenbasis, directions: Directions) -> None:
    """Eq. 63, for every direction: the change is (1 / alpha) U Lambda~ U^T dx, with Lambda~ by its definition."""
    sampler = sampler_of(20)
    level = sampler.grid[8]
    found = perturbation.perturb(sampler, GaussianDenoiser(basis), states(basis), 8, directions, 2.0)
    shrink = level.alpha**2 * basis.variances / (level.alpha**2 * basis.variances + level.sigma**2)
    change = directions.vectors @ (basis.vectors * shrink) @ basis.vectors.T / level.alpha
    assert np.allclose(found.endpoint[:, :, 0], (change * directions.vectors).sum(1).numpy(), atol=1e-12)
    assert np.allclose(found.endpoint_norm[:, :, 0], change.norm(dim=1).numpy(), atol=1e-12)
    assert np.abs(found.endpoint_norm[:, 8:, 0]).max() < 1e-12
    assert np.allclose(found.state[:, :, 0], 1, atol=1e-12) and np.allclose(found.state_norm[:, :, 0], 1, atol=1e-12)


@pytest.mark.parametrize("name", ["euler", "heun", "dpmsolverpp"])
def test_other_samplers_follow_the_prediction(basis: Eigenbasis, directions: Directions, name: str) -> None:
    sampler = sampler_of(100, name)
    found = perturbation.perturb(sampler, GaussianDenoiser(basis), states(basis, 1), 60, directions, 1.0)
    expected = perturbation.predict_gains(basis, directions, sampler.grid, 60)
    assert np.abs(found.state[0] - expected[0]).max() < 0.1
    assert np.abs(found.state[0, 8:, -1]).max() < 1e-3


def test_sizes_are_standard_deviations_of_the_state(basis: Eigenbasis, directions: Directions) -> None:
    level = sampler_of(20).grid[12]
    covariance = (
        level.sigma**2 * torch.eye(16, dtype=torch.float64)
        + level.alpha**2 * basis.vectors @ basis.variances.diag() @ basis.vectors.T
    )
    expected = 0.5 * (directions.vectors @ covariance @ directions.vectors.T).diag().sqrt()
    assert torch.allclose(perturbation.perturbation_size(directions, level, 0.5), expected, atol=1e-14)


class Bent:
    """Not linear, and even in part: x0_hat = tanh(x) + x^2 / 4."""

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:  # noqa: ARG002
        return images.tanh() + images.square() / 4


def test_small_perturbations_give_the_derivative_of_a_bent_walk(basis: Eigenbasis, directions: Directions) -> None:
    sampler = sampler_of(10)
    state = states(basis, 2)
    found = perturbation.perturb(sampler, Bent(), state, 4, directions, 1e-3)

    def end(start: Tensor) -> Tensor:
        *_, last = sampler.walk(Bent(), start, 4)
        return last.state

    for sample in range(2):
        for number in (0, 6, 9):
            vector = directions.vectors[number].reshape(1, *basis.image_shape)
            slope = torch.autograd.functional.jvp(end, state[sample : sample + 1], vector)[1]
            assert found.state[sample, number, -1] == pytest.approx(float((slope * vector).sum()), abs=1e-5)
            assert found.state_norm[sample, number, -1] == pytest.approx(float(slope.norm()), abs=1e-5)


def test_batches_change_nothing_and_samples_stay_apart(basis: Eigenbasis, directions: Directions) -> None:
    sampler, state = sampler_of(6), states(basis)
    whole = perturbation.perturb(sampler, Bent(), state, 2, directions, 0.3)
    parts = perturbation.perturb(sampler, Bent(), state, 2, directions, 0.3, batch=7)
    alone = perturbation.perturb(sampler, Bent(), state[1:2], 2, directions, 0.3)
    for first, second, third in zip(whole, parts, alone, strict=True):
        assert first.shape == (3, 10, 5)
        assert np.allclose(first, second, atol=1e-12) and np.allclose(first[1], third[0], atol=1e-12)


def test_plain_states_are_those_of_the_walk(basis: Eigenbasis) -> None:
    sampler, noise = sampler_of(6), states(basis)
    found = perturbation.unperturbed_states(sampler, GaussianDenoiser(basis), noise, [4, 0])
    walked = {step.index: step.state for step in sampler.walk(GaussianDenoiser(basis), sampler.start(noise))}
    assert sorted(found) == [0, 4] and all(torch.equal(found[step], walked[step]) for step in found)
    start = gaussian.coloured_noise(basis, noise, sampler.grid[0])
    coloured = perturbation.unperturbed_states(
        sampler, GaussianDenoiser(basis), noise, [0], GaussianDenoiser(basis).state
    )
    assert torch.equal(coloured[0], start) and not torch.equal(start, found[0])
    with pytest.raises(ValueError, match="0 to 6"):
        perturbation.unperturbed_states(sampler, GaussianDenoiser(basis), noise, [7])


def test_a_network_in_float32_is_pushed(network: UNet2DModel) -> None:
    random = np.random.default_rng(2)
    data = eigenbasis.gram(random.standard_normal((20, 64)), (1, 8, 8))
    directions = perturbation.make_directions(data, [0, 5], off_manifold=1)
    sampler = sampler_of(5)
    denoiser = DiffusersDenoiser(network, training_grid(SCHEDULE))
    state = perturbation.unperturbed_states(sampler, denoiser, initial_noise([0, 1], (1, 8, 8)), [3])[3]
    found = perturbation.perturb(sampler, denoiser, state, 3, directions, 0.1)
    assert found.state.shape == (2, 3, 3)
    assert np.allclose(found.state[:, :, 0], 1, atol=1e-4) and np.isfinite(found.state_norm).all()


def test_slips_are_told(basis: Eigenbasis, directions: Directions) -> None:
    sampler, model = sampler_of(6), GaussianDenoiser(basis)
    with pytest.raises(ValueError, match="0 to 4"):
        perturbation.make_directions(basis, [5])
    with pytest.raises(ValueError, match="positive strength"):
        perturbation.perturb(sampler, model, states(basis), 2, directions, 0.0)
    with pytest.raises(ValueError, match="16 pixels do not fit"):
        perturbation.perturb(sampler, model, torch.zeros(1, 1, 8, 8), 2, directions, 1.0)
