"""What steps lose: against walks in pixel space, orders of convergence, and a stochastic sampler's variances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise import schedules
from underpainting.noise.grid_names import COVARIANCE
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.walk import Sampler, sample
from underpainting.teleport import discretisation, hybrid_sampler
from underpainting.theory import gaussian
from underpainting.theory.gaussian import GaussianDenoiser

SCHEDULE = DDIMScheduler(clip_sample=False)
NETWORK = schedules.schedule_of(SCHEDULE)
DETERMINISTIC = [name for name, kind in SAMPLERS.items() if not kind.stochastic and not kind.relative]


@pytest.mark.parametrize("begin", [0, 7])
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_components_walk_as_images_do(name: str, begin: int, basis: Eigenbasis) -> None:
    """One image that is a standard deviation from the mean along every axis, and the exact denoiser in pixel space."""
    sampler = Sampler(name, 20, SCHEDULE)
    level = sampler.grid[begin]
    away = basis.vectors @ gaussian.marginal_variance(basis.variances, level).sqrt()
    state = (level.alpha * basis.mean + away).reshape(1, *basis.image_shape)
    image = sample(sampler, GaussianDenoiser(basis), state, begin)
    made = discretisation.made_variances(basis.variances, sampler, begin)
    np.testing.assert_allclose(basis.coefficients(image)[0].square(), made, rtol=1e-5)  # DPM-Solver++ steps in float32


def loss_of(name: str, steps: int, start: float, variances: torch.Tensor) -> float:
    return discretisation.loss(variances, hybrid_sampler.regridded(name, NETWORK, steps, start), seen=0.1)


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("euler", 1), ("dpmsolverpp", 2)])
def test_the_loss_falls_with_twice_the_order(name: str, order: int) -> None:
    """Not so Heun and UniPC, whose last steps are of a lower order."""
    variances = torch.tensor([4.0, 1.0, 0.2], dtype=torch.float64)
    lost = [loss_of(name, steps, 0.5, variances) for steps in (40, 80)]
    assert np.log2(lost[0] / lost[1]) == pytest.approx(2 * order, abs=0.5)


def test_the_relative_sampler_loses_nothing(basis: Eigenbasis) -> None:
    for start in (1.0, 0.5):
        sampler = hybrid_sampler.regridded("relative", NETWORK, 3, start, COVARIANCE, basis)
        assert discretisation.loss(basis.variances, sampler) == 0


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_steps_that_begin_later_lose_less(name: str, basis: Eigenbasis) -> None:
    lost = [loss_of(name, 8, start, basis.variances) for start in (1.0, 0.7, 0.4)]
    assert lost[0] > lost[1] > lost[2] > 0


@pytest.mark.parametrize("name", ["ddim", "heun"])
def test_steps_lose_as_much_whether_images_are_clipped_or_not(name: str, basis: Eigenbasis) -> None:
    """The coordinates of an eigenbasis have no image range."""
    free, clipped = (Sampler(name, 8, SCHEDULE, clip_sample=clip) for clip in (False, True))
    assert discretisation.loss(basis.variances, free) == discretisation.loss(basis.variances, clipped)


def test_what_is_seen_through_more_noise_counts_less(basis: Eigenbasis) -> None:
    sampler = Sampler("ddim", 8, SCHEDULE)
    lost = [discretisation.loss(basis.variances, sampler, seen=seen) for seen in (0.3, 1.0, 3.0)]
    assert lost[0] > lost[1] > lost[2] > 0


@pytest.mark.parametrize("name", [name for name, kind in SAMPLERS.items() if kind.stochastic])
def test_a_stochastic_sampler_of_many_steps_loses_little(name: str) -> None:
    """Within what its few hundred draws leave uncertain: a relative error of the variances of sqrt(2 / draws)."""
    variances = torch.tensor([4.0, 1.0, 0.2], dtype=torch.float64)
    made = discretisation.made_variances(variances, Sampler(name, 200, SCHEDULE))
    np.testing.assert_allclose(made, variances, rtol=5 * (2 / discretisation.DRAWS) ** 0.5)
