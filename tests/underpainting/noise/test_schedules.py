"""Schedules: the levels of each kind of network by its own time, and grids from any of them to the image."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st

from underpainting.noise.levels import DATA, NoiseLevel, edm_grid
from underpainting.noise.schedules import Schedule, karras_grid, karras_grid_from, load_schedule, schedule_of

VP = DDIMScheduler(beta_schedule="squaredcos_cap_v2", num_train_timesteps=200)
SCHEDULERS: dict[str, Any] = {
    "variance preserving": VP,
    "EDM": EDMEulerScheduler(sigma_min=0.01, sigma_max=50.0, rho=5.0),
    "flow matching": FlowMatchEulerDiscreteScheduler(),
}
SCHEDULES: dict[str, Schedule] = {name: schedule_of(scheduler) for name, scheduler in SCHEDULERS.items()}
# what alpha and sigma satisfy at every level of a path
ON_PATH = {
    "variance preserving": lambda level: level.alpha**2 + level.sigma**2,
    "EDM": lambda level: level.alpha,
    "flow matching": lambda level: level.alpha + level.sigma,
}
kinds = st.sampled_from(sorted(SCHEDULES))
times = st.floats(0, 1)
starts = st.floats(0.01, 1)
steps = st.integers(1, 40)


def table() -> np.ndarray[Any, Any]:
    """sigma / alpha by time of training, straight from diffusers."""
    square = np.asarray(VP.alphas_cumprod, np.float64)
    return np.sqrt((1 - square) / square)


# --- levels ----------------------------------------------------------------------------------------------------------


@given(kind=kinds, time=times)
def test_every_level_lies_on_its_path_and_comes_back_by_its_ratio(kind: str, time: float) -> None:
    level = SCHEDULES[kind].level(time)
    assert ON_PATH[kind](level) == pytest.approx(1)
    assert SCHEDULES[kind].at(level.ratio) == pytest.approx(level)


@given(kind=kinds, ratio=st.floats(0, 1e4))
def test_any_ratio_has_its_level_on_the_path(kind: str, ratio: float) -> None:
    level = SCHEDULES[kind].at(ratio)
    assert ON_PATH[kind](level) == pytest.approx(1)
    assert level.ratio == pytest.approx(ratio)


@given(kind=kinds, pair=st.tuples(times, times))
def test_noise_grows_with_time(kind: str, pair: tuple[float, float]) -> None:
    early, late = (SCHEDULES[kind].level(time).ratio for time in sorted(pair))
    assert early <= late


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("variance preserving", table()[0], table()[-1]),
        ("EDM", 0.01, 50.0),
        ("flow matching", 0.0, 0.999 / 0.001),
    ],
)
def test_time_runs_over_what_the_network_knows(kind: str, least: float, most: float) -> None:
    assert SCHEDULES[kind].level(0.0).ratio == pytest.approx(least)
    assert SCHEDULES[kind].level(1.0).ratio == pytest.approx(most)


@given(time=st.integers(0, 199))
def test_times_of_training_are_those_of_diffusers(time: int) -> None:
    level = SCHEDULES["variance preserving"].level(time / 199)
    assert level.alpha**2 == pytest.approx(float(VP.alphas_cumprod[time]), rel=1e-5)


def test_between_times_of_training_it_is_the_interpolation_of_diffusers() -> None:
    """Euler's scheduler looks its evenly spaced times up between whole ones."""
    scheduler = EulerDiscreteScheduler(beta_schedule="squaredcos_cap_v2", num_train_timesteps=200)
    scheduler.set_timesteps(7)
    found = [SCHEDULES["variance preserving"].level(float(time) / 199).ratio for time in scheduler.timesteps]
    assert found == pytest.approx(scheduler.sigmas[:-1].tolist(), rel=1e-4)


# --- grids -----------------------------------------------------------------------------------------------------------


@given(kind=kinds, count=steps, start=starts)
def test_a_grid_leads_from_its_start_to_the_image(kind: str, count: int, start: float) -> None:
    grid = SCHEDULES[kind].grid(count, start)
    assert len(grid) == count + 1
    assert grid[0] == pytest.approx(SCHEDULES[kind].level(start))
    assert grid[count] == DATA
    assert all(before.ratio > after.ratio for before, after in pairwise(grid))


@given(kind=st.sampled_from(["variance preserving", "flow matching"]), count=steps, start=starts)
def test_times_are_evenly_spaced_down_to_the_image(kind: str, count: int, start: float) -> None:
    grid = SCHEDULES[kind].grid(count, start)
    for step in range(count):
        assert grid[step] == pytest.approx(SCHEDULES[kind].level(start * (1 - step / count)))


@given(count=st.integers(2, 40), start=starts)
def test_edm_s_levels_are_evenly_spaced_in_their_root_and_reach_the_least(count: int, start: float) -> None:
    sigmas = SCHEDULES["EDM"].grid(count, start).sigma[:-1]
    assert sigmas[-1] == pytest.approx(0.01)
    gaps = np.diff(sigmas ** (1 / 5))
    assert gaps == pytest.approx(np.full(count - 1, gaps[0]), abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 18])
def test_edm_s_whole_grid_is_the_published_one(count: int) -> None:
    scheduler = SCHEDULERS["EDM"]
    grid = SCHEDULES["EDM"].grid(count)
    assert grid.sigma == pytest.approx(edm_grid(count, 0.01, 50.0, 5.0).sigma)
    scheduler.set_timesteps(count)
    assert grid.sigma == pytest.approx(scheduler.sigmas.tolist(), rel=1e-5)


@given(kind=kinds, count=st.integers(2, 30), start=starts)
def test_karras_spacing_on_any_path(kind: str, count: int, start: float) -> None:
    """rho = 7, from the start to the least noisy level; where that has no noise, to one near it."""
    schedule = SCHEDULES[kind]
    grid = karras_grid(schedule, count, start)
    ratios = np.array([level.ratio for level in grid])[:-1]
    least = schedule.level(0.0).ratio or schedule.level(1e-3).ratio
    assert (ratios[0], ratios[-1]) == pytest.approx((schedule.level(start).ratio, least))
    gaps = np.diff(ratios ** (1 / 7))
    assert gaps == pytest.approx(np.full(count - 1, gaps[0]), abs=1e-9)
    assert all(ON_PATH[kind](level) == pytest.approx(1) for level in grid)


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize(("count", "start"), [(0, 1.0), (5, 0.0), (1, 1.1), (5, 1.1), (5, -0.2)])
def test_a_grid_that_cannot_be_is_refused(kind: str, count: int, start: float) -> None:
    message = rf"a step or more and a start in \(0, 1\], got {count} steps from {start}"
    for make in (SCHEDULES[kind].grid, lambda *asked: karras_grid(SCHEDULES[kind], *asked)):
        with pytest.raises(ValueError, match=message):
            make(count, start)


# --- where they come from --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_schedule_is_read_from_the_folder_of_its_network(kind: str, tmp_path: Path) -> None:
    SCHEDULERS[kind].save_pretrained(tmp_path)
    config = json.loads((tmp_path / "scheduler_config.json").read_text())
    for found in (load_schedule(tmp_path / "scheduler_config.json"), schedule_of(config)):
        assert type(found) is type(SCHEDULES[kind])
        assert [found.level(time) for time in (0.0, 0.3, 1.0)] == [
            pytest.approx(SCHEDULES[kind].level(time)) for time in (0.0, 0.3, 1.0)
        ]


def test_every_scheduler_with_betas_tells_the_same_levels() -> None:
    betas = {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 200}
    found: list[NoiseLevel] = [
        schedule_of(kind(**betas)).level(0.37) for kind in (DDPMScheduler, EulerDiscreteScheduler, DDIMScheduler)
    ]
    assert found[0] == found[1] == found[2]


def test_a_network_that_ends_without_signal_is_refused() -> None:
    with pytest.raises(ValueError, match=r"end at alpha = 0 \(rescale_betas_zero_snr"):
        schedule_of(DDIMScheduler(rescale_betas_zero_snr=True))


@given(kind=kinds, steps=steps, ratio=st.floats(1e-5, 900))
def test_a_karras_grid_begins_anywhere_and_ends_at_the_image(kind: str, steps: int, ratio: float) -> None:
    """Even from less noise than the network knows, where all levels are the same."""
    grid = karras_grid_from(SCHEDULES[kind], ratio, steps)
    assert len(grid) == steps + 1 and grid[steps] == DATA
    assert grid[0].ratio == pytest.approx(ratio)
    assert all(ON_PATH[kind](level) == pytest.approx(1) for level in grid)
    least = SCHEDULES[kind].level(0.0).ratio or SCHEDULES[kind].level(1e-3).ratio
    assert steps == 1 or grid[steps - 1].ratio == pytest.approx(min(least, ratio))


@given(kind=kinds, steps=steps, start=starts)
def test_from_a_time_or_from_its_level_it_is_the_same_grid(kind: str, steps: int, start: float) -> None:
    here = karras_grid_from(SCHEDULES[kind], SCHEDULES[kind].level(start).ratio, steps)
    np.testing.assert_allclose(here.angle, karras_grid(SCHEDULES[kind], steps, start).angle)
