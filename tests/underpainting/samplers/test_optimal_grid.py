"""Grids of the least discretisation loss: against walks of the samplers, against hand-made grids, and as a minimum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from underpainting.noise.levels import NoiseGrid, edm_grid, vp_level
from underpainting.samplers import optimal_grid
from underpainting.samplers.optimal_grid import FloatArray, loss, optimal_ratios
from underpainting.samplers.walk import Sampler
from underpainting.teleport.discretisation import made_variances

VARIANCES = st.lists(st.floats(-8, 4).map(lambda power: 10.0**power), min_size=1, max_size=6)
STEPS = st.integers(1, 12)
FIRST, LEAST = st.floats(5, 200), st.floats(1e-3, 0.1)


def hand_made(steps: int, first: float, least: float) -> dict[str, FloatArray]:
    """Grids by name: of Karras et al., even in log sigma, and even in arctan(sigma / s) for three s."""
    levels = {
        "karras": edm_grid(steps, least, first).sigma[:-1],
        "log-uniform": np.geomspace(first, least, steps),
    }
    for scale in (0.1, 0.5, 2.0):
        angles = np.linspace(np.arctan(first / scale), np.arctan(least / scale), steps)
        levels[f"tangent {scale}"] = scale * np.tan(angles)
    return {name: np.append(found, 0.0) for name, found in levels.items()}


@settings(max_examples=15)
@given(VARIANCES, STEPS, FIRST, LEAST, st.sampled_from(["karras", "log-uniform", "tangent 0.5"]))
@pytest.mark.parametrize("name", optimal_grid.SAMPLERS)
def test_the_loss_is_that_of_the_sampler_s_walk(
    name: str, variances: list[float], steps: int, first: float, least: float, kind: str
) -> None:
    ratios = hand_made(steps, first, least)[kind]
    lam = torch.tensor(variances, dtype=torch.float64)
    made = made_variances(lam, Sampler.on(name, NoiseGrid.of([vp_level(ratio) for ratio in ratios])))
    expected = float((made.sqrt() - lam.sqrt()).square().sum())
    assert loss(variances, ratios, name) == pytest.approx(expected, rel=1e-4, abs=1e-9 * sum(variances))


def test_diffusers_euler_with_these_sigmas_has_this_loss() -> None:
    variances = np.array([4.0, 0.5, 0.01])
    sigmas = optimal_ratios(variances, 6, 100.0, 0.01)
    scheduler = EulerDiscreteScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(sigmas=sigmas.tolist())
    state = torch.tensor(np.sqrt(variances + sigmas[0] ** 2))
    for step, time in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(state, time)
        noise = state * sigmas[step] / (torch.tensor(variances) + sigmas[step] ** 2)
        state = scheduler.step(noise, time, state).prev_sample
    made = float((state - torch.tensor(variances).sqrt()).square().sum())
    assert made == pytest.approx(loss(variances, sigmas), rel=1e-4)


@given(VARIANCES, STEPS, FIRST, LEAST)
@pytest.mark.parametrize("name", ["euler", "heun"])
def test_levels_decrease_strictly_within_their_bounds(
    name: str, variances: list[float], steps: int, first: float, least: float
) -> None:
    found = optimal_ratios(variances, steps, first, least, name)
    assert found.shape == (steps + 1,) and found[0] == pytest.approx(first) and found[-1] == 0
    assert (np.diff(found) < 0).all()
    assert found[-2] >= least * (1 - 1e-12)


@given(VARIANCES, STEPS, FIRST, LEAST)
@pytest.mark.parametrize("name", ["euler", "heun"])
def test_no_hand_made_grid_loses_less(
    name: str, variances: list[float], steps: int, first: float, least: float
) -> None:
    """But for the last level, which may come near sigma_min, not reach it."""
    found = loss(variances, optimal_ratios(variances, steps, first, least, name), name)
    lost = {kind: loss(variances, ratios, name) for kind, ratios in hand_made(steps, first, least).items()}
    assert found <= min(lost.values()) * (1 + 1e-3) + 1e-12 * sum(variances)


@pytest.mark.parametrize("name", ["euler", "heun"])
@pytest.mark.parametrize("steps", [2, 5, 12])
def test_moving_any_level_loses_more(steps: int, name: str) -> None:
    variances = 50.0 / np.arange(1, 2000) ** 1.5
    found = optimal_ratios(variances, steps, 80.0, 0.002, name)
    for level in range(1, steps):
        for factor in (0.97, 1.03):
            moved = found.copy()
            moved[level] *= factor
            assert loss(variances, moved, name) > loss(variances, found, name)


def test_of_one_component_the_angles_are_even() -> None:
    found = optimal_ratios([0.25], 5, 80.0, 0.002)
    angles = np.arctan(found / 0.5)
    np.testing.assert_allclose(np.diff(angles), -angles[0] / 5, rtol=1e-5)


def test_components_without_variance_change_nothing() -> None:
    with_zeros, without = (optimal_ratios([*more, 3.0, 0.1], 6, 80.0, 0.002) for more in ([0.0, 0.0], []))
    np.testing.assert_array_equal(with_zeros, without)


@pytest.mark.parametrize(
    ("variances", "steps", "first", "least", "message"),
    [
        ([1.0], 0, 80.0, 0.002, "needs a step"),
        ([1.0], 4, 0.001, 0.002, "0 < sigma_min < sigma_max"),
        ([1.0], 4, 80.0, 0.0, "0 < sigma_min < sigma_max"),
        ([1.0], 4, float("nan"), 0.002, "0 < sigma_min < sigma_max"),
        ([0.0], 4, 80.0, 0.002, "at least one above 0"),
        ([1.0, -1.0], 4, 80.0, 0.002, "not negative"),
        ([float("nan")], 4, 80.0, 0.002, "finite"),
    ],
)
def test_what_has_no_best_grid_is_refused(
    variances: list[float], steps: int, first: float, least: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        optimal_ratios(variances, steps, first, least)
