r"""Bootstrap confidence intervals for the Frechet distance.

    FD = ||mu_1 - mu_2||^2 + Tr S_1 + Tr S_2 - 2 Tr (S_2^(1/2) S_1 S_2^(1/2))^(1/2)                    (Eq. 19)

The real images stay as they are; the generated ones are drawn again, n of n with replacement. With S_2 = F F^T the last trace
is the sum of the singular values of the centred features times F. Their squares are the eigenvalues of a matrix of features
times features or, where a resample holds fewer different images than that, of a Gram matrix of images times images, cut for
each resample out of one that is computed once.

The distance of a finite sample is too large, by a share that falls like 1 / n, and that of a resample is so once more: intervals
are moved back by the mean excess of the resamples, so that they belong to the distance at n images. A ratio of two distances
from the same seeds takes the same resamples in both: what both share, they do not leave open.
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
        factor: its product with its own transpose is the covariance; shape (feature, direction), with as many directions as
            features, or as images where these are fewer.
    """

    mean: FloatArray
    trace: float
    factor: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> Real:
        """From features, shape (sample, feature)."""
        mean = features.mean(0)
        centred = (features - mean) / np.sqrt(len(features) - 1)
        if len(features) > features.shape[1]:  # a triangular factor is cheaper and more accurate than the covariance's root
            centred = np.linalg.qr(centred, mode="r")
        return cls(mean, float((centred**2).sum()), centred.T)


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
    shared = _root_sum(np.linalg.eigvalsh(real.factor.T @ covariance @ real.factor))
    return float(((mean - real.mean) ** 2).sum() + np.trace(covariance) + real.trace - 2 * shared)


class _Images:
    """Generated images, for distances of sets that hold each of them so many times."""

    def __init__(self, features: FloatArray, real: Real) -> None:
        centre = features.mean(0)
        self.real = real
        self.offset = centre - real.mean
        self.centred = features - centre
        self.squares = (self.centred**2).sum(1)
        self.turned = self.centred @ real.factor
        few = len(features) / 2 < self.turned.shape[1]  # a resample holds about 0.63 n different images
        self.gram = self.turned @ self.turned.T if few else None

    def distance(self, counts: FloatArray) -> float:
        """Frechet distance of the images taken so many times, counts of shape (sample,)."""
        total = counts.sum()
        mean = counts @ self.centred / total
        trace = (counts @ self.squares - total * (mean @ mean)) / (total - 1)
        gap = mean + self.offset
        return float(gap @ gap + trace + self.real.trace - 2 * _root_sum(self._spectrum(counts) / (total - 1)))

    def _spectrum(self, counts: FloatArray) -> FloatArray:
        """Squared singular values of the centred and turned features: from the smaller of both matrices."""
        (used,) = counts.nonzero()
        roots = np.sqrt(counts[used])[:, None]
        if self.gram is not None and len(used) <= self.turned.shape[1]:
            return _centred_spectrum(self.gram[np.ix_(used, used)], counts[used])
        weighted = self.turned[used] * roots
        weighted -= roots * (roots.T @ weighted) / counts.sum()
        return np.linalg.eigvalsh(weighted.T @ weighted)


def _centred_spectrum(gram: FloatArray, counts: FloatArray) -> FloatArray:
    """Eigenvalues of W^(1/2) C K C^T W^(1/2) without the zero that centring leaves, C the centring with counts as weights."""
    roots, shares = np.sqrt(counts), counts / counts.sum()
    means = gram @ shares
    centred = gram - means[:, None] - means + shares @ means
    return np.linalg.eigvalsh(centred * roots[:, None] * roots)[1:]


def _root_sum(eigenvalues: FloatArray) -> float:
    return float(np.sqrt(eigenvalues.clip(min=0)).sum())


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
    images = _Images(features, real)
    found = [images.distance(counts) for counts in _draws(len(features), resamples, seed)]
    return Bootstrapped(images.distance(np.ones(len(features))), np.array(found))


def _draws(count: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    generator = np.random.default_rng(seed)
    return (
        np.bincount(generator.integers(count, size=count), minlength=count).astype(np.float64) for _ in range(resamples)
    )


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
