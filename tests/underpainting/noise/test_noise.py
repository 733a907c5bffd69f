"""Noise levels, grids and paths: against numerical derivatives, Karras et al. (2022) and diffusers' own tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from hypothesis import given
from hypothesis import strategies as st

from underpainting.noise.levels import (
    DATA,
    FlowMatching,
    NoiseGrid,
    NoiseLevel,
    NoisePath,
    VarianceExploding,
    VariancePreserving,
    edm_grid,
    grid_rate,
    training_grid,
    vp_level,
)

PATHS = [
    pytest.param(VariancePreserving(), id="variance preserving"),
    pytest.param(VariancePreserving(0.5, 8.0), id="variance preserving, other rates"),
    pytest.param(VarianceExploding(), id="variance exploding"),
    pytest.param(FlowMatching(), id="flow matching"),
]
SCHEDULES: list[dict[str, Any]] = [
    {"beta_schedule": "linear"},
    {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    {"beta_schedule": "squaredcos_cap_v2"},
    {"num_train_timesteps": 20},
    {"trained_betas": [0.1, 0.2, 0.3]},
]


# --- levels ----------------------------------------------------------------------------------------------------------


@given(ratio=st.floats(0.0, 1e6))
def test_vp_level_preserves_variance_and_ratio(ratio: float) -> None:
    level = vp_level(ratio)
    assert level.alpha**2 + level.sigma**2 == pytest.approx(1.0, rel=1e-14)
    assert level.ratio == pytest.approx(ratio, rel=1e-12)


def test_pure_noise_has_an_infinite_ratio_and_data_none() -> None:
    assert NoiseLevel(0.0, 1.0).ratio == float("inf")
    assert DATA.ratio == 0.0


# --- paths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@given(t=st.floats(0.01, 0.99))
def test_rates_are_the_derivatives_of_the_level(path: NoisePath, t: float) -> None:
    delta = 1e-5 * t
    after, before = np.array(path.level(t + delta)), np.array(path.level(t - delta))
    np.testing.assert_allclose(path.rate(t), (after - before) / (2 * delta), rtol=1e-6, atol=1e-8)


@given(t=st.floats(1e-6, 1.0))
def test_the_variance_preserving_path_preserves_variance(t: float) -> None:
    alpha, sigma = VariancePreserving().level(t)
    assert alpha**2 + sigma**2 == pytest.approx(1.0, rel=1e-14)


def test_the_variance_preserving_path_is_that_of_song() -> None:
    """Song et al. (2021), Eq. 33: alpha = exp(-(beta_max - beta_min) t^2 / 4 - beta_min t / 2)."""
    assert VariancePreserving().level(0.5).alpha == pytest.approx(np.exp(-0.25 * 19.9 * 0.25 - 0.025))


def test_the_variance_preserving_path_is_the_limit_of_the_linear_schedule() -> None:
    steps = 20_000
    betas = np.linspace(0.1 / steps, 20.0 / steps, steps)
    alpha = float(np.sqrt(np.prod(1 - betas)))
    assert VariancePreserving().level(1.0).alpha == pytest.approx(alpha, rel=2e-3)


def test_exploding_and_straight_paths_are_as_published() -> None:
    assert VarianceExploding().level(3.0) == (1.0, 3.0)
    assert FlowMatching().level(0.25) == (0.75, 0.25)


# --- grids -----------------------------------------------------------------------------------------------------------


@given(angles=st.lists(st.floats(0.0, np.pi / 2), min_size=1, max_size=8), radius=st.floats(0.1, 10.0))
def test_a_grid_keeps_the_levels_it_was_made_of(angles: list[float], radius: float) -> None:
    angles = sorted(angles, reverse=True)
    levels = [NoiseLevel(radius * float(np.cos(a)), radius * float(np.sin(a))) for a in angles]
    grid = NoiseGrid.of(levels)
    assert list(grid) == levels
    assert (len(grid), grid[-1]) == (len(levels), levels[-1])
    np.testing.assert_allclose(grid.angle, angles, atol=1e-12)


@pytest.mark.parametrize(
    ("alpha", "sigma"), [([], []), ([0.5], [0.5, 0.1]), ([[0.5]], [[0.5]])], ids=["empty", "uneven", "two axes"]
)
def test_grids_of_a_wrong_shape_are_refused(alpha: Any, sigma: Any) -> None:
    with pytest.raises(ValueError, match="two lists of one length"):
        NoiseGrid(np.array(alpha), np.array(sigma))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
@pytest.mark.parametrize("which", ["alpha", "sigma"])
def test_scales_that_are_not_finite_or_negative_are_refused(bad: float, which: str) -> None:
    scales = {"alpha": np.array([0.5, 1.0]), "sigma": np.array([0.5, 0.0])}
    scales[which] = np.array([bad, 0.0 if which == "sigma" else 1.0])
    with pytest.raises(ValueError, match="finite and not negative"):
        NoiseGrid(**scales)


@pytest.mark.parametrize(
    ("alpha", "sigma"),
    [
        pytest.param([1.0, 1.0], [0.0, 80.0], id="exploding"),
        pytest.param([0.9, 0.1], [0.3, 0.9], id="preserving"),
        pytest.param([1.0, 0.0], [0.0, 1.0], id="straight"),
        pytest.param([1.0, 0.5], [0.5, 0.5], id="the noise stays, the signal falls"),
        pytest.param([0.0, 1.0, 0.5], [1.0, 0.2, 0.4], id="back again after pure noise"),
    ],
)
def test_a_grid_from_data_to_noise_is_refused(alpha: list[float], sigma: list[float]) -> None:
    with pytest.raises(ValueError, match="runs from noise to data"):
        NoiseGrid(np.array(alpha), np.array(sigma))


@given(steps=st.integers(1, 60), rho=st.floats(1.0, 10.0))
def test_edm_grid_is_equation_5_of_karras(steps: int, rho: float) -> None:
    grid = edm_grid(steps, sigma_min=0.01, sigma_max=50.0, rho=rho)
    indices = np.arange(steps) / max(steps - 1, 1)
    expected = (50.0 ** (1 / rho) + indices * (0.01 ** (1 / rho) - 50.0 ** (1 / rho))) ** rho
    np.testing.assert_allclose(grid.sigma, [*expected, 0.0], rtol=1e-10)
    np.testing.assert_array_equal(grid.alpha, np.ones(steps + 1))


@pytest.mark.parametrize("steps", [2, 18, 40])
def test_edm_grid_is_that_of_diffusers(steps: int) -> None:
    scheduler = EDMEulerScheduler()
    scheduler.set_timesteps(steps)
    np.testing.assert_allclose(edm_grid(steps).sigma, scheduler.sigmas.numpy(), rtol=1e-5)


def test_edm_grid_needs_a_step() -> None:
    with pytest.raises(ValueError, match="at least one step, got 0"):
        edm_grid(0)


@pytest.mark.parametrize("scheduler_class", [DDIMScheduler, DDPMScheduler])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_training_grid_holds_the_table_of_the_scheduler(scheduler_class: Any, schedule: dict[str, Any]) -> None:
    scheduler = scheduler_class(**schedule)
    grid = training_grid(scheduler)
    expected = torch.flip(scheduler.alphas_cumprod, [0]).double().numpy()
    np.testing.assert_allclose(grid.alpha**2, expected, rtol=1e-12)
    np.testing.assert_allclose(grid.alpha**2 + grid.sigma**2, np.ones(len(grid)), rtol=1e-12)


def test_training_grid_of_a_schedule_that_ends_in_pure_noise() -> None:
    grid = training_grid(DDIMScheduler(rescale_betas_zero_snr=True))
    assert grid[0].ratio > 1e3
    assert (np.diff(grid.angle) < 0).all()


def test_a_scheduler_without_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="the noise path of the scheduler 'object' is not known"):
        training_grid(object())


def test_grid_rate_is_the_derivative_along_a_tabulated_path() -> None:
    path, times = VariancePreserving(), np.linspace(1.0, 0.1, 400)
    alpha_rate, sigma_rate = grid_rate(NoiseGrid.of([path.level(t) for t in times]), times)
    expected = np.array([path.rate(t) for t in times])
    np.testing.assert_allclose(alpha_rate[1:-1], expected[1:-1, 0], atol=1e-3)
    np.testing.assert_allclose(sigma_rate[1:-1], expected[1:-1, 1], atol=1e-3)
