r"""Gaussian of few samples, shrunk towards that of many: of the latents under one prompt, say, towards that of all latents.

With the mean m and covariance S of n samples x_i, and a target N(mu, T),

    mean         m + a (mu - m),        a = min(1, (tr S / n) / |m - mu|^2)      (positive-part James-Stein, Efron & Morris 1973)
    covariance   S + b (T - S),         b = min(1, V / |S - T|^2),     y_i = x_i - m
    V = n / (n - 1)^3 sum_i |y_i y_i^T - mean_j y_j y_j^T|^2

The weights of the target are the estimated squared error of the samples' own moments over their squared distance from the
target, with Frobenius norms: 0 for many samples of another distribution, 1 for few, or for samples of the target. The
second is the rule of Ledoit & Wolf (2004, "A well-conditioned estimator for large-dimensional covariance matrices"), with T
in place of a multiple of the identity and the unbiased error of Schaefer & Strimmer (2005).

No matrix of dimension by dimension is made where samples and components of the target are fewer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis

FloatArray = NDArray[np.float64]


class ShrunkGaussian(NamedTuple):
    """A Gaussian between that of samples and a target.

    Attributes:
        basis: its mean, components and variances.
        mean_weight: a, the weight of the target's mean, in [0, 1].
        covariance_weight: b, the weight of the target's covariance, in [0, 1].
    """

    basis: Eigenbasis
    mean_weight: float
    covariance_weight: float


def shrunk_gaussian(samples: FloatArray, target: Eigenbasis, rank: int | None = None) -> ShrunkGaussian:
    """Estimate a Gaussian from samples, shrunk towards a target by as much as they leave open.

    Args:
        samples: flattened, shape (sample, pixel); one or none gives the target itself.
        target: the Gaussian to shrink towards; directions outside a truncated basis have no variance in it.
        rank: components to keep; all if not given.

    Raises:
        ValueError: the samples do not fit the target, or are not finite.
    """
    samples = np.asarray(samples, np.float64)
    if samples.ndim != 2 or samples.shape[1] != target.pixels:
        raise ValueError(f"samples of shape {samples.shape} do not fit a Gaussian of {target.pixels} dimensions")
    if not np.isfinite(samples).all():
        raise ValueError("a sample holds values that are not finite (NaN or infinity)")
    if len(samples) < 2:
        return ShrunkGaussian(eigenbasis.truncate(target, rank=rank), 1.0, 1.0)
    own = samples.mean(0)
    centred, mean = samples - own, target.mean.numpy()
    of_mean = _ratio(np.square(centred).sum() / (len(samples) - 1) / len(samples), np.square(own - mean).sum())
    of_covariance = _covariance_weight(centred, target)
    factor = _joint_factor(centred, target, of_covariance)
    basis = eigenbasis.of_factor(own + of_mean * (mean - own), factor, target.image_shape)
    return ShrunkGaussian(eigenbasis.truncate(basis, rank=rank), of_mean, of_covariance)


def _ratio(error: float, distance: float) -> float:
    """Divide, at most 1; 1 where both vanish."""
    return float(min(1.0, error / distance)) if distance > 0 else 1.0


def _covariance_weight(centred: FloatArray, target: Eigenbasis) -> float:
    """Compute b of samples minus their mean, shape (sample, pixel)."""
    count, variances = len(centred), target.variances.numpy()
    gram = centred @ centred.T if count <= centred.shape[1] else centred.T @ centred
    squared = np.square(gram).sum()
    fourth = np.square(np.square(centred).sum(1)).sum()
    mixed = (np.square(centred @ target.vectors.numpy()) @ variances).sum()
    scale = count - 1
    distance = squared / scale**2 - 2 * mixed / scale + np.square(variances).sum()
    return _ratio((fourth - squared / count) * count / scale**3, distance)


def _joint_factor(centred: FloatArray, target: Eigenbasis, weight: float) -> FloatArray:
    """Return rows F with F^T F = (1 - b) S + b T."""
    own = centred * np.sqrt((1 - weight) / (len(centred) - 1))
    shared = target.vectors.numpy().T * np.sqrt(weight * target.variances.numpy())[:, None]
    parts = [part for part, share in ((own, 1 - weight), (shared, weight)) if share > 0]
    return np.concatenate(parts)
