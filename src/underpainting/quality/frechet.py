r"""Bootstrap confidence intervals for the Frechet distance.

    FD = ||mu_1 - mu_2||^2 + Tr S_1 + Tr S_2 - 2 Tr (S_2^(1/2) S_1 S_2^(1/2))^(1/2)                    (Eq. 19)

Only the generated images are resampled, n of n with replacement. With S_2 = F F^T the last trace is the sum of the singular
values of the centred features times F. Their squares are the eigenvalues of a feature-by-feature matrix or, where a resample
holds fewer distinct images than that, of a Gram matrix of images, a submatrix of one that is computed once.

The distance of a finite sample is biased upwards: for m images it is FD_inf + c / m to first order (Chong & Forsyth 2020,
"Effectively Unbiased FID and Inception Score and Where to Find Them"). With c from a delete-a-group jackknife, FD_inf is the
distance of the distribution of the generated images. Groups of half the images, as there, leave about twice the second-order
error, and the bias of resamples, which hold 63 % of the images, even more.

The distance of a resample is biased upwards again: intervals are shifted by the mean bias of the resamples, to the distance at n
images or to FD_inf. A ratio of two distances from the same seeds uses the same resamples in both, so that shared errors cancel.

Images that share a prompt, or the noise of a seed, are not independent. The errors of the resamples are then multiplied by the
root of the design effect (Kish 1965): the variance of the mean influence with clusters, over that without. With two crossed
factors it is V_1 + V_2 - V_0, of the sums within the clusters of each factor and of single images (Cameron, Gelbach & Miller
2011, "Robust inference with multiway clustering"); at least 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
RESAMPLES = 200
PARTS = 20


class RealMoments(NamedTuple):
    """Mean and covariance of the real images' features.

    Attributes:
        mean: shape (feature,).
        trace: trace of the covariance.
        factor: F with F F^T the covariance, shape (feature, direction); as many directions as features, or one fewer than
            images if there are no more images than features.
    """

    mean: FloatArray
    trace: float
    factor: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> RealMoments:
        """Compute the moments of features, shape (sample, feature)."""
        mean = features.mean(0)
        factor = _factor((features - mean) / np.sqrt(len(features) - 1))
        return cls(mean, float((factor**2).sum()), factor)


def _factor(centred: FloatArray) -> FloatArray:
    """Compute F with F F^T = X^T X and few columns, for X of shape (sample, feature) and mean 0."""
    count, width = centred.shape
    if count > width:  # cheaper than the root of the product, and more accurate
        return np.asarray(np.linalg.qr(centred, mode="r")).T
    # The reflection that turns (1, ..., 1) into the first axis makes the first row zero.
    return (centred[1:] - centred[0] / (np.sqrt(count) + 1)).T


class BootstrapDistance(NamedTuple):
    """A Frechet distance with its bootstrap resamples.

    Attributes:
        estimate: distance of all images.
        resamples: distances of the resamples, shape (resample,); biased upwards.
        errors: bootstrap errors of the distance, mean 0, shape (resample,).
        infinite: distance extrapolated to infinitely many images. It is almost unbiased, so it may be negative where the distance
            is smaller than its error.
    """

    estimate: float
    resamples: FloatArray
    errors: FloatArray
    infinite: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the ends of the interval of the distance at this number of images."""
        return _quantiles(self.estimate + self.errors, level)

    def infinite_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the ends of the interval of the distance at infinitely many images."""
        return _quantiles(self.infinite + self.errors, level)


class Floor(NamedTuple):
    """Frechet distance between samples of real images, the lowest that generated images can be expected to reach.

    Attributes:
        at_n: distance of n real images, mean over splits.
        low: smallest over splits.
        high: largest over splits.
        infinite: distance of infinitely many real images; not zero, because the reference is finite.
    """

    at_n: float
    low: float
    high: float
    infinite: float


def _quantiles(values: FloatArray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def gaussian_distance(mean: FloatArray, covariance: FloatArray, real: RealMoments) -> float:
    """Compute the Frechet distance of a Gaussian from the real images.

    Args:
        mean: shape (feature,).
        covariance: shape (feature, feature).
        real: moments of the real images.
    """
    shared = _sum_of_roots(np.linalg.eigvalsh(real.factor.T @ covariance @ real.factor))
    return float(((mean - real.mean) ** 2).sum() + np.trace(covariance) + real.trace - 2 * shared)


class _ResampledDistance:
    """Frechet distance of generated images as a function of the count of each image."""

    def __init__(self, features: FloatArray, real: RealMoments) -> None:
        centre = features.mean(0)
        self.real = real
        self.offset = centre - real.mean
        self.centred = features - centre
        self.squares = (self.centred**2).sum(1)
        self.projected = self.centred @ real.factor
        few = len(features) / 2 < self.projected.shape[1]  # a resample holds about 0.63 n different images
        self.gram = self.projected @ self.projected.T if few else None

    def distance(self, counts: FloatArray) -> float:
        """Compute the distance with each image counted `counts` times, shape (sample,)."""
        total = counts.sum()
        mean = counts @ self.centred / total
        trace = (counts @ self.squares - total * (mean @ mean)) / (total - 1)
        gap = mean + self.offset
        spectrum = self._spectrum(counts, mean) / (total - 1)
        return float(gap @ gap + trace + self.real.trace - 2 * _sum_of_roots(spectrum))

    def _spectrum(self, counts: FloatArray, mean: FloatArray) -> FloatArray:
        """Compute the squared singular values of the centred features times F, from the smaller of the two matrices."""
        (used,) = counts.nonzero()
        if self.gram is not None and len(used) <= self.projected.shape[1]:
            return _centred_spectrum(self.gram[np.ix_(used, used)], counts[used])
        weighted = self.projected[used] * np.sqrt(counts[used])[:, None]
        projected_mean = mean @ self.real.factor
        return np.linalg.eigvalsh(weighted.T @ weighted - counts.sum() * np.outer(projected_mean, projected_mean))

    def influence(self) -> FloatArray:
        """Compute the influence function of the distance at each image, shape (sample,), mean 0.

        With the singular value decomposition P diag(s) Q^T of the centred features times F it is, up to a constant,
        2 (mu_1 - mu_2)^T (x - mu_1) + (|x - mu_1|^2 - (n - 1)^(1/2) sum_k s_k P_k^2) n / (n - 1): no root is inverted.
        """
        if self.gram is None:
            vectors, roots, _ = np.linalg.svd(self.projected, full_matrices=False)
        else:
            values, vectors = np.linalg.eigh(self.gram)
            roots = np.sqrt(values.clip(min=0))
        count = len(vectors)
        shared = np.sqrt(count - 1) * (vectors**2 @ roots)
        shares = 2 * self.centred @ self.offset + (self.squares - shared) * count / (count - 1)
        return shares - shares.mean()

    def extrapolate(self, estimate: float, seed: int) -> float:
        """Extrapolate the distance of all images to infinitely many; NaN for fewer than three images."""
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
    """Compute the nonzero eigenvalues of W^(1/2) C K C^T W^(1/2), where C centres with the counts as weights."""
    roots, shares = np.sqrt(counts), counts / counts.sum()
    means = gram @ shares
    centred = gram - means[:, None] - means + shares @ means
    return np.linalg.eigvalsh(centred * roots[:, None] * roots)[1:]


def _sum_of_roots(eigenvalues: NDArray[np.floating[Any]]) -> float:
    """Sum square roots; eigenvalues at rounding level count as zero, since the root of 1e-16 would be 1e-8."""
    rounding = 8 * np.finfo(np.float64).eps * eigenvalues.max(initial=0)
    return float(np.sqrt(eigenvalues[eigenvalues > rounding]).sum())


def bootstrap(
    features: FloatArray,
    real: RealMoments,
    resamples: int = RESAMPLES,
    seed: int = 0,
    clusters: Sequence[ArrayLike] = (),
) -> BootstrapDistance:
    """Compute the Frechet distance of generated images and of bootstrap resamples of them.

    Args:
        features: features of the generated images, shape (sample, feature).
        real: moments of the real images' features.
        resamples: number of resamples.
        seed: seed of the resampling and of the jackknife groups; with the same seed and number of images, image i is drawn
            equally often.
        clusters: for each of at most two factors (prompt, seed) the label of each image's cluster, shape (sample,).

    Raises:
        ValueError: fewer than two images, features that do not fit, or clusters that do not.
    """
    if len(features) < 2 or features.shape[1] != len(real.mean):
        raise ValueError(
            f"features of shape {features.shape} do not fit {len(real.mean)} features of real images; give two images or more"
        )
    images = _ResampledDistance(features, real)
    estimate = images.distance(np.ones(len(features)))
    draws = list(_resample_counts(len(features), resamples, seed))
    found = np.array([images.distance(counts) for counts in draws])
    influence = images.influence() / len(features)
    linear = np.array([counts @ influence for counts in draws])
    errors = _errors(found, linear)
    if clusters:
        errors = errors * np.sqrt(_design_effect(influence, clusters))
    return BootstrapDistance(estimate, found, errors, images.extrapolate(estimate, seed))


def _design_effect(influence: FloatArray, clusters: Sequence[ArrayLike]) -> float:
    """Compute the variance of the mean of the influence, shape (sample,), with clusters over that without; at least 1."""
    if len(clusters) > 2:
        raise ValueError(f"clusters of {len(clusters)} factors are not supported; give one factor or two")
    single = _variance_of_sums(influence, np.arange(len(influence)))
    total = sum(_variance_of_sums(influence, labels) for labels in clusters) - (len(clusters) - 1) * single
    return max(1.0, total / single) if single > 0 else 1.0


def _variance_of_sums(influence: FloatArray, labels: ArrayLike) -> float:
    """Compute the sum of squares of the sums within clusters, times C / (C - 1) for C clusters."""
    found, numbers = np.unique(np.asarray(labels), return_inverse=True)
    if numbers.shape != influence.shape or len(found) < 2:
        problem = f"{numbers.size} labels of {len(found)} clusters do not fit {len(influence)} images"
        raise ValueError(f"{problem}; give a label for each image, and two clusters or more")
    sums = np.bincount(numbers, influence)
    return float(np.square(sums).sum()) * len(found) / (len(found) - 1)


def _errors(found: FloatArray, linear: FloatArray) -> FloatArray:
    """Scale the deviations of the resamples to the variance of the jackknife.

    The variance of a sample is V + D, of first and second order. That of a resample is V + 2 D from the first order, because the
    influence function is itself estimated, and D from the second; far too much where the distance is small. The first order is
    scaled down until both give V + 2 D, the variance of the jackknife, which is too large on average (Efron & Stein 1981).
    """
    if not len(found):
        return found
    rest = found - linear
    kept = 1 - rest.var() / max(linear.var(), np.finfo(float).tiny)
    errors = np.sqrt(max(kept, 0.0)) * linear + rest
    return errors - errors.mean()


def _resample_counts(count: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    generator = np.random.default_rng(seed)
    return (
        np.bincount(generator.integers(count, size=count), minlength=count).astype(np.float64) for _ in range(resamples)
    )


def estimate_floor(real: FloatArray, n: int, splits: int = 20, seed: int = 0) -> Floor:
    """Estimate the Frechet distance between samples of real images.

    The distance of two samples of one distribution is proportional to 1 / m_1 + 1 / m_2. Random splits of the real images into
    min(n, M / 2) and the rest give the distance at n, halves that at infinitely many, each scaled to a reference of M images.

    Args:
        real: features of the M real images of the reference, shape (sample, feature).
        n: number of generated images.
        splits: number of random splits.
        seed: seed of the splits.

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
    """Compute distances of `size` of the real images from the others, shape (split,)."""
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(real)) for _ in range(splits)]
    pairs = [(real[order[:size]], RealMoments.of(real[order[size:]])) for order in orders]
    return np.array([_ResampledDistance(some, others).distance(np.ones(size)) for some, others in pairs])


def relative_loss(
    found: BootstrapDistance, reference: BootstrapDistance, floor: float = 0.0, level: float = 0.95
) -> tuple[float, float, float]:
    """Compute the relative increase of one distance over another, and the ends of its interval.

    The distances are those at infinitely many images, raised to `estimate_floor` where they are smaller.

    Args:
        found: distance of some images.
        reference: distance of other images, from the same seeds, with the same resamples.
        floor: distance of infinitely many real images, below which no distance counts as better.
        level: confidence level.

    Returns:
        loss and ends of its interval; the upper end is infinite where the reference may be zero. All are NaN where the
        reference is not positive.
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
