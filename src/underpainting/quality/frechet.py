r"""Bootstrap confidence intervals for the Frechet distance.

    FD = ||mu_1 - mu_2||^2 + Tr S_1 + Tr S_2 - 2 Tr (S_2^(1/2) S_1 S_2^(1/2))^(1/2)                    (Eq. 19)

The real images stay as they are; the generated ones are drawn again, n of n with replacement. With S_2 = F F^T the last trace
is the sum of the singular values of the centred features times F. Their squares are the eigenvalues of a matrix of features
times features or, where a resample holds fewer different images than that, of a Gram matrix of images times images, cut for
each resample out of one that is computed once.

The distance of a finite sample is too large: of m images it is FD_inf + c / m to first order (Chong & Forsyth 2020, "Effectively
Unbiased FID and Inception Score and Where to Find Them"). With c from the distances without one part of the images each
(the delete-a-part jackknife), FD_inf is the distance of the distribution that the images come from. Parts of half the images,
as there, leave about twice the error of second order, and the excess of resamples, which hold 63 % of the images, even more.

The distance of a resample is too large once more: intervals are moved back by the mean excess of the resamples, so that they
belong to the distance at n images or, moved further, to FD_inf. A ratio of two distances from the same seeds takes the same
resamples in both, so that what both share cancels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
RESAMPLES = 200
PARTS = 20


class Real(NamedTuple):
    """The moments of the real images' features.

    Attributes:
        mean: shape (feature,).
        trace: of the covariance.
        factor: its product with its own transpose is the covariance; shape (feature, direction), with as many directions as
            features, or one fewer than images where these are no more.
    """

    mean: FloatArray
    trace: float
    factor: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> Real:
        """From features, shape (sample, feature)."""
        mean = features.mean(0)
        factor = _factor((features - mean) / np.sqrt(len(features) - 1))
        return cls(mean, float((factor**2).sum()), factor)


def _factor(centred: FloatArray) -> FloatArray:
    """F of F F^T = X^T X, for X of shape (sample, feature) and mean 0, with few columns."""
    count, width = centred.shape
    if count > width:  # cheaper than the root of the product, and more accurate
        return np.asarray(np.linalg.qr(centred, mode="r")).T
    # The reflection that turns (1, ..., 1) into the first axis makes the first row zero.
    return (centred[1:] - centred[0] / (np.sqrt(count) + 1)).T


class Bootstrapped(NamedTuple):
    """A Frechet distance and those of its resamples.

    Attributes:
        estimate: of all images, at their number.
        resamples: one per resample, shape (resample,); too large once more.
        errors: what the distance may err by, one per resample, mean 0, shape (resample,).
        infinite: extrapolated to infinitely many images. It has hardly any bias, so it may be negative where the distance is
            smaller than its error.
    """

    estimate: float
    resamples: FloatArray
    errors: FloatArray
    infinite: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Ends of the interval of the distance at this number of images."""
        return _quantiles(self.estimate + self.errors, level)

    def infinite_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Ends of the interval of the distance at infinitely many images."""
        return _quantiles(self.infinite + self.errors, level)


class Floor(NamedTuple):
    """What real images have against the real images that are the reference: no generated ones can be expected to have less.

    Attributes:
        at_n: Frechet distance of n real images, mean over splits.
        low: smallest over splits.
        high: largest over splits.
        infinite: of infinitely many real images; it is not zero because the reference has finitely many.
    """

    at_n: float
    low: float
    high: float
    infinite: float


def _quantiles(values: FloatArray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
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
        spectrum = self._spectrum(counts, mean) / (total - 1)
        return float(gap @ gap + trace + self.real.trace - 2 * _root_sum(spectrum))

    def _spectrum(self, counts: FloatArray, mean: FloatArray) -> FloatArray:
        """Squared singular values of the centred and turned features: from the smaller of both matrices."""
        (used,) = counts.nonzero()
        if self.gram is not None and len(used) <= self.turned.shape[1]:
            return _centred_spectrum(self.gram[np.ix_(used, used)], counts[used])
        weighted = self.turned[used] * np.sqrt(counts[used])[:, None]
        turned_mean = mean @ self.real.factor
        return np.linalg.eigvalsh(weighted.T @ weighted - counts.sum() * np.outer(turned_mean, turned_mean))

    def influence(self) -> FloatArray:
        """First-order share of each image in the distance of all, shape (sample,), mean 0.

        With the singular value decomposition of the turned features, P diag(s) Q^T, it is, but for a constant,
        2 (mu_1 - mu_2)^T (x - mu_1) + (|x - mu_1|^2 - (n - 1)^(1/2) sum_k s_k P_k^2) n / (n - 1): no root is inverted.
        """
        if self.gram is None:
            vectors, roots, _ = np.linalg.svd(self.turned, full_matrices=False)
        else:
            values, vectors = np.linalg.eigh(self.gram)
            roots = np.sqrt(values.clip(min=0))
        count = len(vectors)
        shared = np.sqrt(count - 1) * (vectors**2 @ roots)
        shares = 2 * self.centred @ self.offset + (self.squares - shared) * count / (count - 1)
        return shares - shares.mean()

    def extrapolate(self, estimate: float, seed: int) -> float:
        """Distance at infinitely many images, given that of all; NaN for fewer than three images."""
        count = len(self.centred)
        if count < 3:
            return float("nan")
        parts = np.array_split(np.random.default_rng(seed).permutation(count), min(PARTS, count))
        excess = np.mean([self.distance(_all_but(part, count)) for part in parts]) - estimate
        slope = excess / (np.mean([1 / (count - len(part)) for part in parts]) - 1 / count)
        return float(estimate - slope / count)


def _all_but(part: NDArray[np.int_], count: int) -> FloatArray:
    counts = np.ones(count)
    counts[part] = 0
    return counts


def _centred_spectrum(gram: FloatArray, counts: FloatArray) -> FloatArray:
    """Eigenvalues of W^(1/2) C K C^T W^(1/2) without the zero that centring leaves, C the centring with counts as weights."""
    roots, shares = np.sqrt(counts), counts / counts.sum()
    means = gram @ shares
    centred = gram - means[:, None] - means + shares @ means
    return np.linalg.eigvalsh(centred * roots[:, None] * roots)[1:]


def _root_sum(eigenvalues: NDArray[np.floating[Any]]) -> float:
    """Sum of square roots; what is rounding is zero: the root of 1e-16 would be 1e-8."""
    rounding = 8 * np.finfo(np.float64).eps * eigenvalues.max(initial=0)
    return float(np.sqrt(eigenvalues[eigenvalues > rounding]).sum())


def bootstrap(features: FloatArray, real: Real, resamples: int = RESAMPLES, seed: int = 0) -> Bootstrapped:
    """The Frechet distance of generated images, and of resamples of them.

    Args:
        features: of the generated images, shape (sample, feature).
        real: moments of the real images' features.
        resamples: how many.
        seed: of the resampling and of the parts behind the extrapolation; with the same seed and number of images, image i is
            drawn equally often.

    Raises:
        ValueError: fewer than two images, or features that do not fit.
    """
    if len(features) < 2 or features.shape[1] != len(real.mean):
        raise ValueError(
            f"features of shape {features.shape} do not fit {len(real.mean)} features of real images; give two images or more"
        )
    images = _Images(features, real)
    estimate = images.distance(np.ones(len(features)))
    draws = list(_draws(len(features), resamples, seed))
    found = np.array([images.distance(counts) for counts in draws])
    influence = images.influence() / len(features)
    linear = np.array([counts @ influence for counts in draws])
    return Bootstrapped(estimate, found, _errors(found, linear), images.extrapolate(estimate, seed))


def _errors(found: FloatArray, linear: FloatArray) -> FloatArray:
    """Deviations of resamples, with the variance that the jackknife gives, from the influence of each image.

    Of a sample the variance is V + D, from both orders. A resample's is V + 2 D from the first order, because the influence of an
    image is itself estimated, and D from the second, far too much where the distance is small. The first is scaled back until
    both give V + 2 D, the variance of the jackknife, which is too large on average, never too small (Efron & Stein 1981).
    """
    if not len(found):
        return found
    rest = found - linear
    kept = 1 - rest.var() / max(linear.var(), np.finfo(float).tiny)
    errors = np.sqrt(max(kept, 0.0)) * linear + rest
    return errors - errors.mean()


def _draws(count: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    generator = np.random.default_rng(seed)
    return (
        np.bincount(generator.integers(count, size=count), minlength=count).astype(np.float64) for _ in range(resamples)
    )


def floor(real: FloatArray, n: int, splits: int = 20, seed: int = 0) -> Floor:
    """What real images have against real images.

    Of two samples of one distribution the distance is proportional to 1 / m_1 + 1 / m_2. Random splits of the real images into
    min(n, M / 2) and the rest give the distance of n, halves that of infinitely many, each scaled to M images as reference.

    Args:
        real: features of the M real images that are the reference, shape (sample, feature).
        n: number of generated images.
        splits: how many.
        seed: of the splits.

    Raises:
        ValueError: fewer than four real images, or fewer than two generated ones.
    """
    count = len(real)
    if count < 4 or n < 2:
        raise ValueError(f"a floor needs four real images and two generated ones or more, not {count} and {n}")
    size, half = min(n, count // 2), count // 2
    found = _split_distances(real, size, splits, seed) / (1 / size + 1 / (count - size))
    halves = found if size == half else _split_distances(real, half, splits, seed) / (1 / half + 1 / (count - half))
    at_n = found * (1 / n + 1 / count)
    return Floor(float(at_n.mean()), float(at_n.min()), float(at_n.max()), float(halves.mean() / count))


def _split_distances(real: FloatArray, size: int, splits: int, seed: int) -> FloatArray:
    """Distances of so many of the real images from the others, shape (split,)."""
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(real)) for _ in range(splits)]
    pairs = [(real[order[:size]], Real.of(real[order[size:]])) for order in orders]
    return np.array([_Images(some, others).distance(np.ones(size)) for some, others in pairs])


def relative_loss(
    found: Bootstrapped, reference: Bootstrapped, floor: float = 0.0, level: float = 0.95
) -> tuple[float, float, float]:
    """How much larger one distance is than another, as a fraction, and the ends of its interval.

    The distances are those at infinitely many images, and count as `floor` where they are smaller.

    Args:
        found: of some images.
        reference: of others, from the same seeds, with the same resamples.
        floor: distance of infinitely many real images; below it no distance is better than another.
        level: of the interval.

    Returns:
        loss and ends of its interval; the upper end is infinite where the reference may be zero. All are NaN where the
        reference, as it counts, is not positive: then no ratio means anything.
    """
    base = max(reference.infinite, floor)
    if not base > 0:
        return float("nan"), float("nan"), float("nan")
    above, below = (np.maximum(one.infinite + one.errors, floor) for one in (found, reference))
    losses = np.where(above == below, 0.0, np.inf)  # two zeros are equal
    np.divide(above - below, below, out=losses, where=below > 0)
    low = np.quantile(losses, (1 - level) / 2, method="lower")
    high = np.quantile(losses, (1 + level) / 2, method="higher")
    return max(found.infinite, floor) / base - 1, float(low), float(high)
