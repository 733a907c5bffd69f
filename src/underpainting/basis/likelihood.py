r"""Log likelihood of data under a Gaussian, seen through noise: the measure by which Gaussians of the same data are compared.

A jump carries states between noise levels, so a Gaussian has to describe x_0 + r noise at the ratios r = sigma / alpha of
the jump, not x_0 itself. With c = U^T (x_0 - mu) the expectation over the noise of the log density of x_0 + r noise is, per
dimension,

    - 1/(2 D) sum_k [ ln 2 pi (lambda_k + r^2) + (c_k^2 + r^2) / (lambda_k + r^2) ]        nats

Directions outside a truncated basis share their mean variance.
"""

from __future__ import annotations

import math

from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis


def log_likelihood(basis: Eigenbasis, images: Tensor, ratio: float) -> Tensor:
    """Compute the expected log density of noisy images under a Gaussian, in nats per dimension.

    Args:
        basis: mean, components and variances of the Gaussian.
        images: x_0 without noise, shape (sample, ...).
        ratio: r = sigma / alpha of the noise; 0 only for a Gaussian with variance along every direction.

    Returns:
        float64, shape (sample,).

    Raises:
        ValueError: the images do not fit the basis, or the density is not defined: no noise, and a direction without variance.
    """
    if images[0].numel() != basis.pixels:
        raise ValueError(
            f"images of shape {tuple(images.shape[1:])} do not fit a Gaussian of {basis.pixels} dimensions"
        )
    outside = basis.pixels - basis.rank
    rest = max(basis.total_variance - float(basis.variances.sum()), 0.0) / max(outside, 1)
    noisy, noisy_rest = basis.variances + ratio**2, rest + ratio**2
    if not (noisy > 0).all() or (outside and not noisy_rest > 0):
        raise ValueError(
            "without noise the density is not defined along a direction without variance; give a ratio above 0"
        )
    centred = images.flatten(1).to(basis.mean) - basis.mean
    squares = (centred @ basis.vectors).square()
    total = (noisy.mul(2 * math.pi).log() + (squares + ratio**2) / noisy).sum(1)
    if outside:
        left = (centred.square().sum(1) - squares.sum(1)).clamp(min=0)
        total = total + outside * math.log(2 * math.pi * noisy_rest) + (left + outside * ratio**2) / noisy_rest
    return -total / (2 * basis.pixels)
