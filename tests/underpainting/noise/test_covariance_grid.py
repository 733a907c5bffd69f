"""The grid from the variances of the data."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from underpainting.noise.covariance_grid import EXPONENT, covariance_grid
from underpainting.noise.schedules import EDMSchedule, FlowSchedule, Schedule, schedule_of

SCHEDULES: list[Schedule] = [schedule_of(DDIMScheduler()), EDMSchedule(), FlowSchedule()]
VARIANCES = np.array([20.0, 3.0, 0.5, 0.1, 0.0])


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(
    steps=st.integers(1, 60),
    start=st.floats(0.05, 1.0),
    after_jump=st.booleans(),
    variances=st.lists(st.floats(1e-4, 100.0), min_size=1, max_size=6),
)
def test_levels_run_from_noise_to_data_and_stay_where_the_network_was_trained(
    schedule: Schedule, steps: int, start: float, after_jump: bool, variances: list[float]
) -> None:
    grid = covariance_grid(schedule, steps, np.array(variances), start, after_jump)
    ratio, first = grid.sigma / grid.alpha, schedule.level(start).ratio
    assert len(grid) == steps + 1
    assert (np.diff(ratio) < 0).all()
    assert ratio[-1] == 0
    assert ratio[-2] >= min(schedule.level(0.0).ratio, first) * (1 - 1e-6)
    assert ratio[0] < first if after_jump else ratio[0] == pytest.approx(first)


@pytest.mark.parametrize(("steps", "jump"), [(3, 1.0), (6, 1.0), (8, 27 / 64)])
def test_levels_have_equal_distances_along_the_path_after_the_jump(steps: int, jump: float) -> None:
    grid = covariance_grid(EDMSchedule(), steps, VARIANCES, after_jump=True)
    kept = VARIANCES[:4]

    def speed(log_ratio: float) -> float:
        square = np.exp(2 * log_ratio)
        return float(np.sqrt((kept**EXPONENT * kept * square / (square + kept) ** 2).sum()))

    ends = np.log(np.append(80.0, grid.sigma[:-1]))
    lengths = [quad(speed, low, high, epsrel=1e-8)[0] for high, low in itertools.pairwise(ends)]
    lengths.append(quad(speed, ends[-1] - 20, ends[-1], epsrel=1e-8)[0])
    np.testing.assert_allclose(lengths, np.mean(lengths[1:]) * np.array([jump, *[1.0] * steps]), rtol=0.01)


def test_data_without_variance_are_refused() -> None:
    with pytest.raises(ValueError, match="take another grid"):
        covariance_grid(EDMSchedule(), 4, np.zeros(3))


@pytest.mark.parametrize(("steps", "start"), [(0, 1.0), (3, 0.0), (3, 1.1)])
def test_an_impossible_request_is_refused(steps: int, start: float) -> None:
    with pytest.raises(ValueError, match="a grid needs a step or more"):
        covariance_grid(EDMSchedule(), steps, VARIANCES, start)
