r"""How much of a network's score an analytic score explains, at one noise level (Wang & Vastola 2024).

For images x_t = alpha x_0 + sigma noise of the data,

    explained = 1 - sum ||s_ref - s_model||^2 / sum ||s_ref||^2,      s = (alpha x0_hat - x_t) / sigma^2

with sums over images and pixels; the reference is the network. An exact score has mean zero over its own x_t, so its sum of
squares is its variance, and no mean is taken off. The fraction may be negative. It depends on sigma / alpha alone, as long as
both models do: the scores of x_t and of x_t / alpha differ by a factor. At large sigma most of either score is the noise itself,
so that the fraction nears 1 for any model that knows the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from underpainting.analysis import statistics
from underpainting.analysis.statistics import Interval
from underpainting.denoisers import noise_prediction
from underpainting.noise.levels import NoiseLevel
from underpainting.samplers.randomness import initial_noise

FloatArray = NDArray[np.float64]


class Squares(NamedTuple):
    """Squares summed over the pixels of each image, of sigma times the scores (so that no level overflows).

    Attributes:
        residual: ||sigma (s_ref - s_model)||^2, shape (sample,).
        total: ||sigma s_ref||^2, shape (sample,).
    """

    residual: FloatArray
    total: FloatArray


def noisy(images: Tensor, level: NoiseLevel, seeds: Sequence[int]) -> Tensor:
    """x_t = alpha x_0 + sigma noise for images of the data; an image's noise depends on its seed alone.

    Args:
        images: x_0 in [-1, 1], shape (sample, channel, height, width).
        level: the level wanted.
        seeds: one per image.

    Raises:
        ValueError: there is not one seed for each image.
    """
    if len(seeds) != len(images):
        raise ValueError(f"{len(images)} images need as many seeds, got {len(seeds)}")
    return level.alpha * images + level.sigma * initial_noise(seeds, images.shape[1:]).to(images)


def squares(reference: Tensor, model: Tensor, images: Tensor, level: NoiseLevel) -> Squares:
    """Squares of two models' scores, image by image, from their endpoint estimates.

    Args:
        reference: x0_hat of the network, shape (sample, channel, height, width).
        model: x0_hat of the analytic model, same shape.
        images: the x_t that both have seen, same shape.
        level: their level, sigma > 0.

    Raises:
        ValueError: sigma = 0, where there is no score, or the shapes differ.
    """
    if level.sigma <= 0:
        raise ValueError("there is no score at sigma = 0; take a level with noise")
    if not reference.shape == model.shape == images.shape:
        raise ValueError(
            "reference, model and images must have one shape, got "
            f"{tuple(reference.shape)}, {tuple(model.shape)}, {tuple(images.shape)}"
        )
    first, second = (noise_prediction(images.double(), endpoint.double(), level) for endpoint in (reference, model))
    residual, total = ((first - second).square(), first.square())
    return Squares(residual.flatten(1).sum(1).cpu().numpy(), total.flatten(1).sum(1).cpu().numpy())


def explained(found: Squares, *, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval:
    """Fraction of the reference score's variance that the model explains, with an interval by resampling the images.

    Args:
        found: of all images; shards are put side by side before.
        level, resamples, seed: as in `statistics.of_means`.
    """
    return statistics.of_means(
        np.stack([found.residual, found.total], 1),
        lambda mean: np.asarray(1 - mean[0] / mean[1]),
        level=level,
        resamples=resamples,
        seed=seed,
    )
