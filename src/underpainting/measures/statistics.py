r"""What the seeds say: intervals by resampling, paired tests, rank correlations and fits (Sec. 5: "p < 10^-30").

A seed is the unit that is resampled; every other axis (step, component, direction) is carried along, so that what belongs to
one image stays together. The bootstrap draws n of n seeds with replacement, B times, and takes the quantiles

    low, high = quantile_{(1 -/+ level) / 2} { T(values of a resample) }                  (percentile interval)

Most statistics here are functions of sample means: slopes, fractions of variance, fits. A resampled mean is a product of
counts and values, so these never gather resampled arrays (`of_means`). A percentile interval is too narrow for very few seeds:
for a mean of n seeds by a factor of about sqrt((n - 1) / n).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_CHUNK = 2**22


class Interval(NamedTuple):
    """An estimate and its bootstrap interval.

    Attributes:
        estimate: the statistic of all seeds; of any shape, () for one number.
        low, high: ends of the interval, same shape.
        n: number of seeds.
    """

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    n: int


class PairedDifference(NamedTuple):
    """How two measurements of the same seeds differ.

    Attributes:
        difference: mean of first - second, with its interval.
        t_test: two-sided p value of the paired t test.
        wilcoxon: two-sided p value of Wilcoxon's signed-rank test.
    """

    difference: Interval
    t_test: float
    wilcoxon: float


class Fit(NamedTuple):
    """What is measured, averaged over seeds, against a prediction.

    Attributes:
        slope: of the line through the origin; 1 where theory holds.
        r_squared: share of the variance between cases that this line explains.
        theory_r_squared: the same for the prediction as it stands, slope 1; it may be negative.
    """

    slope: Interval
    r_squared: Interval
    theory_r_squared: Interval


def of_means(
    values: FloatArray,
    function: Callable[[FloatArray], FloatArray] | None = None,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Interval of a function of the mean over seeds, by default of the mean itself.

    Args:
        values: shape (sample, ...).
        function: from the mean, shape (...), to a number or an array.
        level: of the interval, in (0, 1).
        resamples: number of resamples B.
        seed: of the resampling.

    Raises:
        ValueError: fewer than two seeds, values that are not finite, or a level outside (0, 1).
    """
    values = _checked(values, level)
    function = function or _same
    flat = values.reshape(len(values), -1)
    found: list[FloatArray] = []
    for counts in _counts(len(values), resamples, seed, flat.shape[1]):
        means = (counts @ flat / len(values)).reshape(-1, *values.shape[1:])
        found.extend(np.asarray(function(mean), np.float64) for mean in means)
    return _percentile(np.asarray(function(values.mean(0)), np.float64), np.stack(found), level, len(values))


def bootstrap(
    values: FloatArray,
    statistic: Callable[[FloatArray], FloatArray] | None = None,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Interval of any statistic, by default of the mean over seeds; for functions of the mean `of_means` is quicker.

    Args:
        values: shape (sample, ...).
        statistic: from values, shape (sample, ...), to a number or an array.
        level: of the interval, in (0, 1).
        resamples: number of resamples B.
        seed: of the resampling; the same seed gives `of_means` the same resamples.

    Raises:
        ValueError: fewer than two seeds, values that are not finite, or a level outside (0, 1).
    """
    if statistic is None:
        return of_means(values, level=level, resamples=resamples, seed=seed)
    values = _checked(values, level)
    numbers = np.arange(len(values))
    found = [
        np.asarray(statistic(values[np.repeat(numbers, count.astype(np.int64))]), np.float64)
        for counts in _counts(len(values), resamples, seed, 1)
        for count in counts
    ]
    return _percentile(np.asarray(statistic(values), np.float64), np.stack(found), level, len(values))


def proportion(count: int, n: int) -> Interval:
    """A fraction of n trials with its exact binomial 95 % interval (Clopper & Pearson 1934)."""
    from scipy import stats  # a second of start-up, which other intervals need not pay

    ends = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    return Interval(np.asarray(count / n), np.asarray(ends.low), np.asarray(ends.high), n)


def paired_difference(
    first: FloatArray, second: FloatArray, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> PairedDifference:
    """Two measurements of the same seeds: mean difference with interval, and the paired tests.

    Args:
        first, second: shape (sample,), the same seeds in the same order.

    Raises:
        ValueError: different shapes, fewer than two seeds, or values that are not finite.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"paired values are two lists of the same seeds, got shapes {first.shape} and {second.shape}; "
            "select the seeds that both have"
        )
    from scipy import stats  # a second of start-up, which intervals need not pay

    difference = first - second
    interval = of_means(difference, level=level, resamples=resamples, seed=seed)
    if not difference.any():
        return PairedDifference(interval, 1.0, 1.0)
    return PairedDifference(
        interval, float(stats.ttest_rel(first, second).pvalue), float(stats.wilcoxon(difference).pvalue)
    )


def rank_correlation(first: FloatArray, second: FloatArray) -> float:
    """Spearman's rank correlation; pairs with a NaN are left out, and fewer than three pairs, or a constant, give NaN."""
    from scipy import stats  # as above

    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    both = ~(np.isnan(first) | np.isnan(second))
    ranks = [stats.rankdata(values[both]) for values in (first, second)]
    if both.sum() < 3 or any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def rank_correlation_interval(
    values: FloatArray,
    measure: Callable[[FloatArray], FloatArray],
    predicted: FloatArray,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Rank correlation of a prediction with what is measured from the mean over seeds, by resampling the seeds.

    Resampling adds noise to what is ordered, and so lowers the coefficient: near 1 the interval lies mostly below the estimate.

    Args:
        values: shape (sample, ...).
        measure: from the mean over seeds, shape (...), to the measured quantity, shape (component,).
        predicted: shape (component,).

    Raises:
        ValueError: fewer than two seeds, or values that are not finite.
    """

    def correlation(mean: FloatArray) -> FloatArray:
        return np.asarray(rank_correlation(measure(mean), predicted))

    return of_means(values, correlation, level=level, resamples=resamples, seed=seed)


def fit_through_origin(
    measured: FloatArray, predicted: FloatArray, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Fit:
    """Line through the origin from predicted to measured values, with intervals by resampling the seeds.

    Args:
        measured: shape (sample, case), a case being a direction and a step, say.
        predicted: shape (case,).
        level, resamples, seed: as in `of_means`.

    Raises:
        ValueError: the shapes do not fit, fewer than two cases, or all predictions are zero.
    """
    measured, predicted = np.asarray(measured, np.float64), np.asarray(predicted, np.float64)
    if measured.ndim != 2 or predicted.shape != measured.shape[1:] or len(predicted) < 2 or not predicted.any():
        raise ValueError(
            f"a fit needs measured values (sample, case) and a prediction (case,), some not zero, for at least two cases; "
            f"got shapes {measured.shape} and {predicted.shape}"
        )

    def line(mean: FloatArray) -> FloatArray:
        slope = (mean @ predicted) / (predicted @ predicted)
        spread = np.square(mean - mean.mean()).sum()
        residuals = [np.square(mean - factor * predicted).sum() for factor in (slope, 1.0)]
        return np.array([slope, *(1 - residual / spread for residual in residuals)])

    found = of_means(measured, line, level=level, resamples=resamples, seed=seed)
    return Fit(*(Interval(found.estimate[i], found.low[i], found.high[i], found.n) for i in range(3)))


def _same(mean: FloatArray) -> FloatArray:
    return mean


def _checked(values: FloatArray, level: float) -> FloatArray:
    values = np.asarray(values, np.float64)
    if values.ndim < 1 or len(values) < 2:
        raise ValueError(f"an interval needs at least two seeds along the first axis, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("values that are not finite cannot be resampled; leave those seeds out and say so")
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, got {level}; 0.95 is usual")
    return values


def _counts(samples: int, resamples: int, seed: int, width: int) -> Iterator[FloatArray]:
    """How often each seed is drawn, shape (resample, sample), in chunks that keep the resampled means small."""
    random = np.random.default_rng(seed)
    left, chunk = resamples, max(1, _CHUNK // max(samples, width))
    while left > 0:
        size = min(chunk, left)
        yield random.multinomial(samples, np.full(samples, 1 / samples), size=size).astype(np.float64)
        left -= size


def _percentile(estimate: FloatArray, found: FloatArray, level: float, count: int) -> Interval:
    """A resample whose statistic is not defined (NaN) is left out."""
    tail = (1 - level) / 2
    if not np.isnan(found).any():
        low, high = np.quantile(found, [tail, 1 - tail], axis=0)
    else:
        low, high = np.full((2, *found.shape[1:]), np.nan)
        some = ~np.isnan(found).all(0)
        low[some], high[some] = np.nanquantile(found[:, some], [tail, 1 - tail], axis=0)
    return Interval(estimate, np.asarray(low), np.asarray(high), count)
