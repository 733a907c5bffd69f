r"""What the seeds leave open about a Frechet distance: many resamples at once, and the intervals that follow.

    FD = ||mu_1 - mu_2||^2 + Tr S_1 + Tr S_2 - 2 Tr (S_2^(1/2) S_1 S_2^(1/2))^(1/2)                    (Eq. 19)

The real images stay as they are; the generated ones are drawn anew, n of n with replacement. A resample's moments are products
of counts and features, so none is gathered. The distance of a finite sample is too large, by a share that falls like 1 / n, and
that of a resample is so once more: intervals are moved back by the mean excess of the resamples, so that they belong to the
distance at n images, which is what a table shows. A ratio of two distances from the same seeds takes the same resamples in
both: what both share, they do not leave open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
RESAMPLES = 200


class Real(NamedTuple):
    """The moments of the real images' features.

    Attributes:
        mean: shape (feature,).
        trace: of the covariance.
        root: its symmetric square root, shape (feature, feature).
    """

    mean: FloatArray
    trace: float
    root: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> Real:
        """From features, shape (sample, feature)."""
        covariance = np.cov(features, rowvar=False).reshape(features.shape[1], -1)
        values, vectors = np.linalg.eigh(covariance)
        root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
        return cls(features.mean(0), float(np.trace(covariance)), root)


class Bootstrapped(NamedTuple):
    """A Frechet distance and those of its resamples.

    Attributes:
        estimate: of all images.
        resamples: one per resample, shape (resample,).
    """

    estimate: float
    resamples: FloatArray

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Ends of the interval of the distance at this number of images."""
        excess = self.resamples.mean() - self.estimate
        low, high = np.quantile(self.resamples - excess, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def distance(mean: FloatArray, covariance: FloatArray, real: Real) -> float:
    """Frechet distance of a Gaussian from the real images'.

    Args:
        mean: shape (feature,).
        covariance: shape (feature, feature).
        real: the other Gaussian.
    """
    between = real.root @ covariance @ real.root
    shared = np.sqrt(np.linalg.eigvalsh(between).clip(min=0)).sum()
    return float(((mean - real.mean) ** 2).sum() + np.trace(covariance) + real.trace - 2 * shared)


def bootstrap(features: FloatArray, real: Real, resamples: int = RESAMPLES, seed: int = 0) -> Bootstrapped:
    """The Frechet distance of generated images, and of resamples of them.

    Args:
        features: of the generated images, shape (sample, feature).
        real: moments of the real images' features.
        resamples: how many.
        seed: of the resampling; with the same seed and number of images, image i is drawn equally often.

    Raises:
        ValueError: fewer than two images, or features that do not fit.
    """
    if len(features) < 2 or features.shape[1] != len(real.mean):
        raise ValueError(
            f"features of shape {features.shape} do not fit {len(real.mean)} features of real images; give two images or more"
        )
    ones = np.ones(len(features))
    found = [distance(*_moments(features, counts), real) for counts in _draws(len(features), resamples, seed)]
    return Bootstrapped(distance(*_moments(features, ones), real), np.array(found))


def _draws(count: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    generator = np.random.default_rng(seed)
    return (
        np.bincount(generator.integers(count, size=count), minlength=count).astype(np.float64) for _ in range(resamples)
    )


def _moments(features: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of features taken so many times."""
    total = counts.sum()
    mean = counts @ features / total
    centred = features - mean
    return mean, (centred * counts[:, None]).T @ centred / (total - 1)


def relative_loss(found: Bootstrapped, reference: Bootstrapped, level: float = 0.95) -> tuple[float, float, float]:
    """How much larger one distance is than another, as a fraction, and the ends of its interval.

    Args:
        found: of some images.
        reference: of others, from the same seeds, with the same resamples.
        level: of the interval.
    """
    estimate = found.estimate / reference.estimate - 1
    ratios = found.resamples / reference.resamples - 1
    low, high = np.quantile(ratios - (ratios.mean() - estimate), [(1 - level) / 2, (1 + level) / 2])
    return estimate, float(low), float(high)
