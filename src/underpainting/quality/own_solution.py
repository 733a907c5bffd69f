r"""Fidelity to the network: how far images are from the network's own solution of the probability flow from the same noise.

A distance between distributions does not see that a jump makes other images, as long as these look alike. The root mean squared
difference per pixel from a solution in many small steps (Heun's method on the grid of Karras et al. 2022) does. Solved as finely
from where a jump landed, the flow ends where the jump has moved it: a bias that no number of later network calls removes.
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

SOLVER = "heun"


def solve(denoiser: Denoiser, schedule: Schedule, states: Tensor, level: NoiseLevel, steps: int) -> Tensor:
    """Images at the end of the probability flow, in [-1, 1], shape (sample, channel, height, width).

    Args:
        denoiser: the network.
        schedule: of the network.
        states: x at `level`, same shape.
        level: where they begin, sigma > 0.
        steps: of Heun's method, two network calls each but for the last.
    """
    from underpainting.noise.schedules import karras_from
    from underpainting.samplers.walk import Sampler, sample

    grid = karras_from(schedule, level.ratio, steps)
    begin = states * (grid[0].alpha / level.alpha) if level.alpha else states
    return sample(Sampler.on(SOLVER, grid), denoiser, begin).clamp(-1, 1)


def squared_errors(images: Tensor, solution: Tensor) -> FloatArray:
    """Squared difference of each image from the solution, mean over pixels, shape (sample,)."""
    difference = images.double().clamp(-1, 1) - solution.double()
    return np.asarray(difference.square().flatten(1).mean(1), np.float64)


def root_mean_square(errors: FloatArray) -> Interval:
    """Root mean squared difference over images and pixels, in image units, with its 95 % interval.

    Args:
        errors: from `squared_errors`, shape (sample,).
    """
    return statistics.of_means(errors, np.sqrt)


def relative_loss(errors: FloatArray, reference: FloatArray) -> Interval:
    """How much larger the root mean squared difference is than that of other images from the same noise, as a fraction.

    Args:
        errors: from `squared_errors`, shape (sample,).
        reference: of the other images, the same seeds in the same order.
    """
    return statistics.of_means(np.stack([errors, reference], 1), lambda mean: np.sqrt(mean[0] / mean[1]) - 1)


def columns(name: str, found: Interval) -> dict[str, float]:
    """An interval under the names of columns."""
    return {name: float(found.estimate), f"{name}_low": float(found.low), f"{name}_high": float(found.high)}
