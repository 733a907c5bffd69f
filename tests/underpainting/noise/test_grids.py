"""Grids by their names: ends, spacing, and what a request must have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st

from underpainting.noise.covariance_grid import covariance_grid
from underpainting.noise.grid_names import COVARIANCE, GRIDS
from underpainting.noise.grids import make_grid
from underpainting.noise.schedules import EDMSchedule, FlowSchedule, Schedule, schedule_of

SCHEDULES: list[Schedule] = [schedule_of(DDIMScheduler()), EDMSchedule(), FlowSchedule()]
VARIANCES = np.array([20.0, 3.0, 0.5, 0.1, 0.0])
EVEN: dict[str, Callable[[Any], Any]] = {"karras": lambda ratio: ratio ** (1 / 7), "log": np.log, "tangent": np.arctan}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", GRIDS)
@given(steps=st.integers(1, 40), start=st.floats(0.05, 1.0))
def test_every_grid_runs_from_the_start_to_the_image_within_the_networks_training(
    name: str, schedule: Schedule, steps: int, start: float
) -> None:
    grid = make_grid(name, schedule, steps, start, VARIANCES)
    ratio = grid.sigma / grid.alpha
    assert len(grid) == steps + 1
    assert grid[0] == pytest.approx(schedule.level(start), rel=1e-9)
    assert (np.diff(ratio) < 0).all() and ratio[-1] == 0
    assert ratio[-2] >= schedule.level(0.0).ratio * (1 - 1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", EVEN)
def test_levels_are_evenly_spaced_in_what_the_grid_says(name: str, schedule: Schedule) -> None:
    grid = make_grid(name, schedule, 9, 0.7)
    places = EVEN[name]((grid.sigma / grid.alpha)[:-1])
    np.testing.assert_allclose(np.diff(places), np.diff(places).mean(), rtol=1e-9)


def test_the_networks_time_and_the_datas_covariance_are_those_of_their_own_functions() -> None:
    schedule = SCHEDULES[0]
    np.testing.assert_array_equal(make_grid("time", schedule, 7, 0.6).sigma, schedule.grid(7, 0.6).sigma)
    for after_jump in (False, True):
        found = make_grid(COVARIANCE, schedule, 7, 0.6, VARIANCES, after_jump)
        np.testing.assert_array_equal(found.sigma, covariance_grid(schedule, 7, VARIANCES, 0.6, after_jump).sigma)


@pytest.mark.parametrize(
    ("name", "steps", "start", "problem"),
    [
        ("linear", 4, 1.0, "unknown grid 'linear'; known are time, karras"),
        ("covariance", 4, 1.0, "give the eigenbasis of the data"),
        *((name, 0, 1.0, "a grid needs a step or more") for name in ("time", "karras", "log", "tangent")),
        *((name, 4, 1.5, "a start in") for name in ("time", "karras", "log", "tangent")),
    ],
)
def test_an_impossible_request_is_refused(name: str, steps: int, start: float, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        make_grid(name, EDMSchedule(), steps, start)
