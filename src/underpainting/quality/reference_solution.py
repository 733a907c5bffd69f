r"""Error of images against a reference solution of the network's probability flow from the same noise.

    rmse = sqrt(mean over images and pixels of (x_0 - x_0^reference)^2)

The reference is solved in many small steps (Heun's method on the grid of Karras et al. 2022). The RMSE detects that a jump leads
to other images of the same distribution, which a Frechet distance does not. The flow solved as finely from where a jump landed
ends where the jump has moved it: a bias that no number of later network calls removes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpainting.analysis import statistics
from underpainting.analysis.statistics import FloatArray, Interval
from underpainting.noise.levels import NoiseLevel

if TYPE_CHECKING:
    from torch import Tensor

    from underpainting.denoisers import Denoiser
    from underpainting.noise.schedules import Schedule

SAMPLER = "heun"


def solve(denoiser: Denoiser, schedule: Schedule, states: Tensor, level: NoiseLevel, steps: int) -> Tensor:
    """Solve the probability flow from given states to images.

    Args:
        denoiser: the network.
        schedule: noise schedule of the network.
        states: x at `level`, shape (sample, channel, height, width).
        level: noise level of the states, sigma > 0.
        steps: steps of Heun's method, two network calls each except the last.

    Returns:
        images in [-1, 1], same shape.
    """
    from underpainting.noise.schedules import karras_grid_from
    from underpainting.samplers.walk import Sampler, sample

    grid = karras_grid_from(schedule, level.ratio, steps)
    begin = states * (grid[0].alpha / level.alpha) if level.alpha else states
    return sample(Sampler.on(SAMPLER, grid), denoiser, begin).clamp(-1, 1)


def squared_errors(images: Tensor, solution: Tensor) -> FloatArray:
    """Compute the squared error of each image against the reference, mean over pixels, shape (sample,)."""
    difference = images.double().clamp(-1, 1) - solution.double()
    return np.asarray(difference.square().flatten(1).mean(1), np.float64)


def rmse_interval(errors: FloatArray) -> Interval:
    """Compute the RMSE over images and pixels, in image units, with its 95 % interval.

    Args:
        errors: from `squared_errors`, shape (sample,).
    """
    return statistics.confidence_interval(errors, np.sqrt)


def relative_loss(errors: FloatArray, reference: FloatArray) -> Interval:
    """Compute the relative increase of the RMSE over that of other images from the same noise, with its 95 % interval.

    Args:
        errors: from `squared_errors`, shape (sample,).
        reference: those of the other images, the same seeds in the same order.
    """
    return statistics.confidence_interval(np.stack([errors, reference], 1), lambda mean: np.sqrt(mean[0] / mean[1]) - 1)
