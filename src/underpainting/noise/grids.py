r"""Grids by their names: how N levels are spread over a network's path, from a start to the image.

With r = sigma / alpha from r_0 at the start to r_1, the least noisy level of the network, evenly spaced are

    time         the network's own time (`Schedule.grid`)
    karras       r^(1/7) (Karras et al. 2022, Eq. 5)
    log          ln r
    tangent      arctan r
    covariance   the path of the data's Gaussian (`covariance_grid`)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from underpainting.noise.covariance_grid import covariance_grid
from underpainting.noise.grid_names import COVARIANCE, GRIDS
from underpainting.noise.levels import DATA, FloatArray, NoiseGrid
from underpainting.noise.schedules import Schedule, karras_grid, least_ratio


def log_grid(schedule: Schedule, steps: int, start: float = 1.0) -> NoiseGrid:
    """Make a grid of `steps` levels evenly spaced in ln(sigma / alpha), then the image: shape (steps + 1,)."""
    return _between(schedule, steps, start, lambda first, least: np.geomspace(first, least, steps))


def tangent_grid(schedule: Schedule, steps: int, start: float = 1.0) -> NoiseGrid:
    """Make a grid of `steps` levels evenly spaced in arctan(sigma / alpha), then the image: shape (steps + 1,)."""
    return _between(
        schedule, steps, start, lambda first, least: np.tan(np.linspace(np.arctan(first), np.arctan(least), steps))
    )


def _between(schedule: Schedule, steps: int, start: float, spread: Callable[[float, float], FloatArray]) -> NoiseGrid:
    if steps < 1 or not 0 < start <= 1:
        raise ValueError(f"a grid needs a step or more and a start in (0, 1], got {steps} steps from {start}")
    first = schedule.level(start)
    ratios = spread(first.ratio, min(least_ratio(schedule), first.ratio))
    return NoiseGrid.of([first, *(schedule.at(float(ratio)) for ratio in ratios[1:]), DATA])


_HAND_MADE: dict[str, Callable[[Schedule, int, float], NoiseGrid]] = {
    "time": lambda schedule, steps, start: schedule.grid(steps, start),
    "karras": karras_grid,
    "log": log_grid,
    "tangent": tangent_grid,
}


def make_grid(
    name: str,
    schedule: Schedule,
    steps: int,
    start: float = 1.0,
    variances: FloatArray | None = None,
    after_jump: bool = False,
) -> NoiseGrid:
    """Make a grid by its name: `steps` levels on a network's path, then the image, shape (steps + 1,).

    Args:
        name: a key of `grid_names.GRIDS`.
        schedule: of the network.
        steps: number of levels before the image.
        start: time of the network's schedule at which the grid begins, in (0, 1].
        variances: lambda of every direction of the data, shape (component,); for `covariance`.
        after_jump: as for `covariance_grid`; of no other grid.

    Raises:
        ValueError: an unknown grid, `covariance` without variances, no step, or a start outside (0, 1].
    """
    if name == COVARIANCE:
        if variances is None:
            raise ValueError(f"the grid {name} follows the variances of the data; give the eigenbasis of the data")
        return covariance_grid(schedule, steps, variances, start, after_jump)
    if name not in _HAND_MADE:
        raise ValueError(f"unknown grid {name!r}; known are {', '.join(GRIDS)}")
    return _HAND_MADE[name](schedule, steps, start)
