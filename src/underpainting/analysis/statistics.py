r"""What the seeds say: intervals by resampling, paired tests, rank correlations and fits (Sec. 5: "p < 10^-30").

A seed is the unit that is resampled; every other axis (step, component, direction) is carried along, so that what belongs to
one image stays together. All intervals but one follow one rule, Student's interval corrected for skewness (Hall 1992): with T
the statistic of all n seeds, s its standard error, g its skewness and t the quantile of Student's law with n - 1 degrees,

    low, high = T - s h(+/- t),      h(x) = ((1 + 6 a (x - a))^(1/3) - 1) / (2 a),      a = g / 6      (h(x) = x without skewness)

s is the standard deviation of the statistic over resamples of the seeds (n of n with replacement, B times), times
sqrt(n / (n - 1)); g is the skewness of the n values with one seed left out, over sqrt(n) and with the sign turned (so that of
the mean is that of the seeds). For a mean both are known in closed form, and nothing is resampled. The ends may lie beyond the
range of a statistic; `within` cuts them there, which never changes what is covered. The one other interval is that of a count
(`proportion`), which is exact.

The rule holds its 95 % for means of skewed values, ratios of means, slopes and crossing times, from six seeds on, where
percentiles of the resamples are too narrow. Shares of variance that noise alone keeps from 1 are covered more often than that;
percentiles, expanded and bias-corrected ones too, miss them, as resampling adds noise. It is least sure for few seeds whose
values have a long tail, and for ranks, which are no smooth function of a mean. `benchmarks/coverage.py` measures all of them.

Most statistics here are functions of sample means: slopes, fractions of variance, fits. A resampled mean is a product of
counts and values, so these never gather resampled arrays (`of_means`).

P. Hall, "On the removal of skewness by transformation", J. R. Stat. Soc. B 54, 221 (1992).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_CHUNK = 2**22


class Interval(NamedTuple):
    """An estimate and its interval.

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
    count = len(values)
    origin, flat = values[0], (values - values[0]).reshape(count, -1)  # seeds that agree give exactly their value
    if function is None:
        return _of_mean(origin, flat, level)

    def found(means: FloatArray) -> list[FloatArray]:
        return [np.asarray(function(origin + mean.reshape(origin.shape)), np.float64) for mean in means]

    resampled: list[FloatArray] = []
    for counts in _counts(count, resamples, seed, flat.shape[1]):
        resampled += found(counts @ flat / count)
    total = flat.sum(0)
    without = [found((total - one)[None] / (count - 1))[0] for one in flat]
    estimate = np.asarray(function(values.mean(0) if flat.any() else origin), np.float64)
    return _interval(estimate, np.stack(resampled), np.stack(without), level)


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
    resampled = [
        np.asarray(statistic(values[np.repeat(numbers, count.astype(np.int64))]), np.float64)
        for counts in _counts(len(values), resamples, seed, 1)
        for count in counts
    ]
    without = [np.asarray(statistic(values[numbers != number]), np.float64) for number in numbers]
    return _interval(np.asarray(statistic(values), np.float64), np.stack(resampled), np.stack(without), level)


def proportion(count: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval of a fraction from a count (Clopper & Pearson 1934), which covers at least as often as it says.

    Args:
        count: number of seeds that have a property.
        n: number of seeds.
        level: of the interval, in (0, 1).

    Raises:
        ValueError: not 0 <= count <= n with n >= 1, or a level outside (0, 1).
    """
    if not (n >= 1 and 0 <= count <= n):
        raise ValueError(f"a fraction needs a count between 0 and n, and n of at least 1; got {count} of {n}")
    _check_level(level)
    from scipy.stats import beta  # a second of start-up

    tail = (1 - level) / 2
    low = beta.ppf(tail, count, n - count + 1) if count > 0 else 0.0
    high = beta.ppf(1 - tail, count + 1, n - count) if count < n else 1.0
    return Interval(np.asarray(count / n), np.asarray(low, np.float64), np.asarray(high, np.float64), n)


def within(interval: Interval, least: float = -np.inf, most: float = np.inf) -> Interval:
    """The interval cut to the range that its statistic can have."""
    low, high = (np.clip(end, least, most) for end in (interval.low, interval.high))
    return interval._replace(low=low, high=high)


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

    Noise lowers the coefficient, and ranks change by steps: of all intervals here this one is the least sure of its level.

    Args:
        values: shape (sample, ...).
        measure: from the mean over seeds, shape (...), to the measured quantity, shape (component,).
        predicted: shape (component,).

    Raises:
        ValueError: fewer than two seeds, or values that are not finite.
    """

    def correlation(mean: FloatArray) -> FloatArray:
        return np.asarray(rank_correlation(measure(mean), predicted))

    return within(of_means(values, correlation, level=level, resamples=resamples, seed=seed), -1, 1)


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
    each = [Interval(found.estimate[i], found.low[i], found.high[i], found.n) for i in range(3)]
    return Fit(each[0], *(within(one, most=1) for one in each[1:]))


def _checked(values: FloatArray, level: float) -> FloatArray:
    values = np.asarray(values, np.float64)
    if values.ndim < 1 or len(values) < 2:
        raise ValueError(f"an interval needs at least two seeds along the first axis, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("values that are not finite cannot be resampled; leave those seeds out and say so")
    _check_level(level)
    return values


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, got {level}; 0.95 is usual")


def _counts(samples: int, resamples: int, seed: int, width: int) -> Iterator[FloatArray]:
    """How often each seed is drawn, shape (resample, sample), in chunks that keep the resampled means small."""
    random = np.random.default_rng(seed)
    left, chunk = resamples, max(1, _CHUNK // max(samples, width))
    while left > 0:
        size = min(chunk, left)
        yield random.multinomial(samples, np.full(samples, 1 / samples), size=size).astype(np.float64)
        left -= size


def _of_mean(origin: FloatArray, flat: FloatArray, level: float) -> Interval:
    """The rule for a mean in the limit of many resamples; `flat` is what each seed has beyond `origin`, (sample, value)."""
    spread, skewness = _moments(flat)
    count = len(flat)
    parts = (flat.mean(0), spread / (count - 1) ** 0.5, skewness / count**0.5)
    mean, error, skewness = (part.reshape(origin.shape) for part in parts)
    return _corrected(origin + mean, error, skewness, level, count)


def _interval(estimate: FloatArray, resampled: FloatArray, without: FloatArray, level: float) -> Interval:
    """The rule, from a statistic of resamples, (resample, ...), and of all seeds but one, (sample, ...)."""
    count = len(without)
    error = _moments(resampled - estimate)[0] * (count / (count - 1)) ** 0.5
    skewness = np.nan_to_num(_moments(estimate - without)[1]) / count**0.5
    return _corrected(estimate, error, skewness, level, count)


def _moments(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Standard deviation and skewness over the first axis; what is not defined (NaN) is left out."""
    defined = np.isfinite(values)
    number = defined.sum(0)
    number = np.where(number > 1, number, np.nan)
    values = np.where(defined, values, 0)
    values = np.where(defined, values - values.sum(0) / number, 0)
    variance = np.square(values).sum(0) / number
    scale = np.where(variance == 0, 1, variance)
    return np.sqrt(variance), (values**3).sum(0) / number / scale**1.5


def _corrected(estimate: FloatArray, error: FloatArray, skewness: FloatArray, level: float, count: int) -> Interval:
    from scipy.special import stdtrit  # a fraction of a second of start-up

    quantile = float(stdtrit(count - 1, (1 + level) / 2))
    low, high = (np.asarray(estimate - error * _without_skewness(end, skewness / 6)) for end in (quantile, -quantile))
    return Interval(np.asarray(estimate), low, high, count)


def _without_skewness(quantile: float, factor: FloatArray) -> FloatArray:
    """Hall's h: the quantile of a studentised statistic with a sixth of the skewness, `factor`, from that of one without."""
    small = np.abs(factor) < 1e-8
    safe, rest = np.where(small, 1, factor), quantile - factor
    return np.where(small, rest, (np.cbrt(1 + 6 * safe * rest) - 1) / (2 * safe))
