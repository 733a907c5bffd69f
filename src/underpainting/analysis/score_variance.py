r"""Fraction of a network's score that an analytic score explains, at one noise level (Wang & Vastola 2024).

For noisy images x_t = alpha x_0 + sigma noise of the data,

    explained = 1 - sum ||s_ref - s_model||^2 / sum ||s_ref||^2,      s = (alpha x0_hat - x_t) / sigma^2

with sums over images and pixels; the reference is the network. An exact score has mean zero over its own x_t, so its sum of
squares is its variance, and no mean is subtracted. The fraction may be negative. It depends on sigma / alpha alone if both
models do, since the scores of x_t and of x_t / alpha differ by a factor. At large sigma most of either score is the noise
itself, so the fraction tends to 1 for any model with the right mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from underpainting.denoisers import noise_prediction
from underpainting.noise.levels import NoiseLevel
from underpainting.samplers.randomness import initial_noise

FloatArray = NDArray[np.float64]


class SquaredNorms(NamedTuple):
    """Squared norms of scores, summed over the pixels of each image and scaled by sigma^2 so that no level overflows.

    Attributes:
        residual: ||sigma (s_ref - s_model)||^2, shape (sample,).
        total: ||sigma s_ref||^2, shape (sample,).
    """

    residual: FloatArray
    total: FloatArray


def add_noise(images: Tensor, level: NoiseLevel, seeds: Sequence[int]) -> Tensor:
    """Add noise to images, x_t = alpha x_0 + sigma noise; an image's noise depends on its seed alone.

    Args:
        images: x_0 in [-1, 1], shape (sample, channel, height, width).
        level: noise level.
        seeds: one per image.

    Raises:
        ValueError: the number of seeds is not that of the images.
    """
    if len(seeds) != len(images):
        raise ValueError(f"{len(images)} images need as many seeds, got {len(seeds)}")
    return level.alpha * images + level.sigma * initial_noise(seeds, images.shape[1:]).to(images)


def squared_norms(reference: Tensor, model: Tensor, images: Tensor, level: NoiseLevel) -> SquaredNorms:
    """Compute the squared norms of two models' scores, image by image, from their endpoint estimates.

    Args:
        reference: x0_hat of the network, shape (sample, channel, height, width).
        model: x0_hat of the analytic model, same shape.
        images: x_t, the input of both models, same shape.
        level: noise level of x_t, sigma > 0.

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
    return SquaredNorms(residual.flatten(1).sum(1).cpu().numpy(), total.flatten(1).sum(1).cpu().numpy())
