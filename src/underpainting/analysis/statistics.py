r"""Confidence intervals by bootstrap, paired tests, rank correlation and fits (Sec. 5: "p < 10^-30").

The resampled unit is the seed; all other axes (step, component, direction) stay together. All intervals but one follow one rule,
Student's interval corrected for skewness (Hall 1992): with T the statistic of all n seeds, s its standard error, g its skewness
and t the quantile of Student's t distribution with n - 1 degrees of freedom,

    low, high = T - s h(+/- t),      h(x) = ((1 + 6 a (x - a))^(1/3) - 1) / (2 a),      a = g / 6      (h(x) = x without skewness)

s is the standard deviation of the statistic over B bootstrap resamples of the n seeds, times sqrt(n / (n - 1)); g is minus the
skewness of the n leave-one-out values, over sqrt(n) (for a mean, it is that of the seeds). For a mean both are known in closed
form, and nothing is resampled. The ends may lie beyond the range of a statistic; `clip` cuts them there, which does not change
the coverage. The one other interval is that of a proportion (`proportion_interval`), which is exact.

The rule covers 95 % for means of skewed values, ratios of means, slopes and crossing times, from six seeds on, where percentile
intervals are too narrow. Explained variances that differ from 1 by noise alone are covered more often than that. Coverage is
least certain for few seeds with a heavy tail, and for ranks, which are no smooth function of a mean. `benchmarks/coverage.py`
measures it.

Samples that share a prompt, or the noise of a seed, are not independent. `clustered_interval` resamples such clusters, each
factor by itself (the pigeonhole bootstrap of Owen 2007): a sample counts as often as all of its clusters together are drawn. The
skewness adds up over the factors, t has as many degrees of freedom as the factor with the fewest clusters, and the interval is
wider than needed where samples within a cluster are independent.

Most statistics here are functions of sample means: slopes, fractions of variance, fits. A resampled mean is a product of
counts and values, so `confidence_interval` never gathers resampled arrays.

P. Hall, "On the removal of skewness by transformation", J. R. Stat. Soc. B 54, 221 (1992).
A. B. Owen, "The pigeonhole bootstrap", Ann. Appl. Stat. 1, 386 (2007).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
_CHUNK = 2**22


class Resampling(NamedTuple):
    """Settings of the bootstrap over seeds, for a confidence interval.

    Attributes:
        level: confidence level, in (0, 1).
        resamples: number of bootstrap resamples B.
        seed: seed of the resampling.
    """

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0


DEFAULT_RESAMPLING = Resampling()


class Interval(NamedTuple):
    """An estimate and its confidence interval.

    Attributes:
        estimate: the statistic of all seeds, of any shape; () for one number.
        low, high: ends of the interval, same shape.
        n: number of seeds.
    """

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    n: int


class PairedDifference(NamedTuple):
    """Difference of two measurements of the same seeds, with paired tests.

    Attributes:
        difference: mean of first - second, with its interval.
        t_test: two-sided p value of the paired t test.
        wilcoxon: two-sided p value of Wilcoxon's signed-rank test.
    """

    difference: Interval
    t_test: float
    wilcoxon: float


class Fit(NamedTuple):
    """Fit of measured values, averaged over seeds, to a prediction by a line through the origin.

    Attributes:
        slope: slope of the line; 1 where theory holds.
        r_squared: fraction of the variance between cases that the line explains.
        theory_r_squared: the same for the prediction itself, slope 1; it may be negative.
    """

    slope: Interval
    r_squared: Interval
    theory_r_squared: Interval


def confidence_interval(
    values: FloatArray,
    function: Callable[[FloatArray], FloatArray] | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Interval:
    """Compute the confidence interval of a function of the mean over seeds, by default of the mean itself.

    Args:
        values: shape (sample, ...).
        function: maps the mean, shape (...), to a number or an array.
        resampling: how the seeds are resampled.

    Raises:
        ValueError: fewer than two seeds, values that are not finite, or a level outside (0, 1).
    """
    values = _checked(values, resampling.level)
    count = len(values)
    origin, flat = values[0], (values - values[0]).reshape(count, -1)  # seeds that agree give exactly their value
    if function is None:
        return _interval_of_mean(origin, flat, resampling.level)

    def evaluate(means: FloatArray) -> list[FloatArray]:
        return [np.asarray(function(origin + mean.reshape(origin.shape)), np.float64) for mean in means]

    resampled: list[FloatArray] = []
    for counts in _resample_counts(count, resampling, flat.shape[1]):
        resampled += evaluate(counts @ flat / count)
    total = flat.sum(0)
    left_out = [evaluate((total - one)[None] / (count - 1))[0] for one in flat]
    estimate = np.asarray(function(values.mean(0) if flat.any() else origin), np.float64)
    return _interval(estimate, np.stack(resampled), np.stack(left_out), resampling.level)


def bootstrap_interval(
    values: FloatArray, statistic: Callable[[FloatArray], FloatArray], resampling: Resampling = DEFAULT_RESAMPLING
) -> Interval:
    """Compute the confidence interval of any statistic; `confidence_interval` is faster for functions of the mean.

    Args:
        values: shape (sample, ...).
        statistic: maps values, shape (sample, ...), to a number or an array.
        resampling: how the seeds are resampled; `confidence_interval` draws the same resamples.

    Raises:
        ValueError: fewer than two seeds, values that are not finite, or a level outside (0, 1).
    """
    values = _checked(values, resampling.level)
    numbers = np.arange(len(values))
    resampled = [
        np.asarray(statistic(values[np.repeat(numbers, count.astype(np.int64))]), np.float64)
        for counts in _resample_counts(len(values), resampling, 1)
        for count in counts
    ]
    left_out = [np.asarray(statistic(values[numbers != number]), np.float64) for number in numbers]
    estimate = np.asarray(statistic(values), np.float64)
    return _interval(estimate, np.stack(resampled), np.stack(left_out), resampling.level)


def clustered_interval(
    values: FloatArray,
    clusters: Sequence[ArrayLike],
    function: Callable[[FloatArray], FloatArray] | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Interval:
    """Compute the interval of a function of the mean over samples that share clusters, by default of the mean itself.

    With two factors it is conservative: where samples of a cluster have nothing in common, as in most differences between paired
    images, it is up to sqrt(3) times too wide (Owen 2007; `python -m benchmarks.coverage`).

    Args:
        values: shape (sample, ...).
        clusters: for each factor (prompt, seed) the label of each sample's cluster, shape (sample,).
        function: maps the mean, shape (...), to a number or an array.
        resampling: how the clusters are resampled.

    Returns:
        the interval; its `n` is the number of samples.

    Raises:
        ValueError: no factor, a factor with fewer than two clusters or with another number of labels than there are samples,
            values that are not finite, or a level outside (0, 1).
    """
    values = _checked(values, resampling.level)
    factors = [_cluster_numbers(labels, len(values)) for labels in clusters]
    if not factors:
        raise ValueError("give the cluster of each sample for one factor at least, such as its prompt")
    origin, flat = values[0], (values - values[0]).reshape(len(values), -1)

    def evaluate(weights: FloatArray) -> list[FloatArray]:
        kept = weights[weights.any(1)]  # clusters that share no sample may be drawn together
        means = origin + (kept @ flat / kept.sum(1, keepdims=True)).reshape(-1, *origin.shape)
        return [np.asarray(mean if function is None else function(mean), np.float64) for mean in means]

    resampled = [one for weights in _cluster_weights(factors, resampling) for one in evaluate(weights)]
    left_out = [np.stack(evaluate(1.0 - np.eye(int(factor.max()) + 1)[:, factor])) for factor in factors]
    estimate = evaluate(np.ones((1, len(values))))[0]
    return _clustered(estimate, np.stack(resampled), left_out, resampling.level)._replace(n=len(values))


def proportion_interval(count: int, n: int, level: float = 0.95) -> Interval:
    """Compute the exact interval of a proportion (Clopper & Pearson 1934), whose coverage is at least the level.

    Args:
        count: number of seeds with the property.
        n: number of seeds.
        level: confidence level, in (0, 1).

    Raises:
        ValueError: not 0 <= count <= n with n >= 1, or a level outside (0, 1).
    """
    if not (n >= 1 and 0 <= count <= n):
        raise ValueError(f"a fraction needs a count between 0 and n, and n of at least 1; got {count} of {n}")
    _check_level(level)
    from scipy.stats import beta  # takes a second to import

    tail = (1 - level) / 2
    low = beta.ppf(tail, count, n - count + 1) if count > 0 else 0.0
    high = beta.ppf(1 - tail, count + 1, n - count) if count < n else 1.0
    return Interval(np.asarray(count / n), np.asarray(low, np.float64), np.asarray(high, np.float64), n)


def clip(interval: Interval, least: float = -np.inf, most: float = np.inf) -> Interval:
    """Clip an interval to the range that its statistic can have."""
    low, high = (np.clip(end, least, most) for end in (interval.low, interval.high))
    return interval._replace(low=low, high=high)


def paired_difference(first: FloatArray, second: FloatArray) -> PairedDifference:
    """Compare two measurements of the same seeds: mean difference with its 95 % interval, and paired tests.

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
    from scipy import stats  # takes a second to import

    difference = first - second
    interval = confidence_interval(difference)
    if not difference.any():
        return PairedDifference(interval, 1.0, 1.0)
    return PairedDifference(
        interval, float(stats.ttest_rel(first, second).pvalue), float(stats.wilcoxon(difference).pvalue)
    )


def rank_correlation(first: FloatArray, second: FloatArray) -> float:
    """Compute Spearman's rank correlation without pairs that hold a NaN; NaN for fewer than three pairs or constant values."""
    from scipy import stats  # takes a second to import

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
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Interval:
    """Compute the rank correlation of a prediction with a function of the mean over seeds, and its interval.

    Noise lowers the coefficient, and ranks change in steps: of all intervals here, this one has the least certain coverage.

    Args:
        values: shape (sample, ...).
        measure: maps the mean over seeds, shape (...), to the measured quantity, shape (component,).
        predicted: shape (component,).
        resampling: how the seeds are resampled.

    Raises:
        ValueError: fewer than two seeds, or values that are not finite.
    """

    def correlation(mean: FloatArray) -> FloatArray:
        return np.asarray(rank_correlation(measure(mean), predicted))

    return clip(confidence_interval(values, correlation, resampling), -1, 1)


def fit_through_origin(measured: FloatArray, predicted: FloatArray, resampling: Resampling = DEFAULT_RESAMPLING) -> Fit:
    """Fit a line through the origin from predicted to measured values, with intervals over seeds.

    Args:
        measured: shape (sample, case); a case is, for example, a direction and a step.
        predicted: shape (case,).
        resampling: how the seeds are resampled.

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

    fit = confidence_interval(measured, line, resampling)
    slope, *r_squared = (Interval(fit.estimate[i], fit.low[i], fit.high[i], fit.n) for i in range(3))
    return Fit(slope, *(clip(interval, most=1) for interval in r_squared))


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


def _resample_counts(samples: int, resampling: Resampling, width: int) -> Iterator[FloatArray]:
    """Draw how often each seed is in each resample, (resample, sample), in chunks that keep the resampled means small."""
    random = np.random.default_rng(resampling.seed)
    remaining, chunk = resampling.resamples, max(1, _CHUNK // max(samples, width))
    while remaining > 0:
        size = min(chunk, remaining)
        yield random.multinomial(samples, np.full(samples, 1 / samples), size=size).astype(np.float64)
        remaining -= size


def _cluster_numbers(labels: ArrayLike, samples: int) -> NDArray[np.int64]:
    """Give the clusters of a factor numbers from 0, shape (sample,)."""
    found, numbers = np.unique(np.asarray(labels), return_inverse=True)
    if numbers.shape != (samples,) or len(found) < 2:
        raise ValueError(
            f"a factor needs a label for each of the {samples} samples, and two clusters at least; got {numbers.size} labels of "
            f"{len(found)} clusters"
        )
    return numbers.astype(np.int64)


def _cluster_weights(factors: Sequence[NDArray[np.int64]], resampling: Resampling) -> Iterator[FloatArray]:
    """Draw how often each sample is in each resample, (resample, sample): the product of its clusters' numbers of draws."""
    random = [np.random.default_rng((resampling.seed, number)) for number in range(len(factors))]
    remaining, chunk = resampling.resamples, max(1, _CHUNK // len(factors[0]))
    while remaining > 0:
        size = min(chunk, remaining)
        counts = [_draw_counts(stream, factor, size) for stream, factor in zip(random, factors, strict=True)]
        yield np.prod(counts, 0)
        remaining -= size


def _draw_counts(random: np.random.Generator, factor: NDArray[np.int64], size: int) -> FloatArray:
    clusters = int(factor.max()) + 1
    return random.multinomial(clusters, np.full(clusters, 1 / clusters), size=size)[:, factor].astype(np.float64)


def _clustered(estimate: FloatArray, resampled: FloatArray, left_out: Sequence[FloatArray], level: float) -> Interval:
    """Apply the rule to a statistic of resamples, (resample, ...), and without each cluster of each factor, (cluster, ...)."""
    fewest = min(map(len, left_out))
    error = _moments(resampled - estimate)[0] * (fewest / (fewest - 1)) ** 0.5
    moments = [_moments(estimate - without) for without in left_out]
    errors = [spread * (len(without) - 1) ** 0.5 for (spread, _), without in zip(moments, left_out, strict=True)]
    thirds = [
        np.nan_to_num(skewness) / len(without) ** 0.5 * size**3
        for (_, skewness), size, without in zip(moments, errors, left_out, strict=True)
    ]
    total = np.sum(np.square(errors), 0) ** 1.5
    skewness = np.sum(thirds, 0) / np.where(total > 0, total, 1)
    return _corrected(estimate, error, np.nan_to_num(skewness), level, fewest)


def _interval_of_mean(origin: FloatArray, flat: FloatArray, level: float) -> Interval:
    """Apply the rule to a mean, in the limit of many resamples; `flat` is each seed less `origin`, (sample, value)."""
    spread, skewness = _moments(flat)
    count = len(flat)
    parts = (flat.mean(0), spread / (count - 1) ** 0.5, skewness / count**0.5)
    mean, error, skewness = (part.reshape(origin.shape) for part in parts)
    return _corrected(origin + mean, error, skewness, level, count)


def _interval(estimate: FloatArray, resampled: FloatArray, left_out: FloatArray, level: float) -> Interval:
    """Apply the rule to a statistic of resamples, (resample, ...), and of all seeds but one, (sample, ...)."""
    count = len(left_out)
    error = _moments(resampled - estimate)[0] * (count / (count - 1)) ** 0.5
    skewness = np.nan_to_num(_moments(estimate - left_out)[1]) / count**0.5
    return _corrected(estimate, error, skewness, level, count)


def _moments(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute standard deviation and skewness over the first axis, without NaN."""
    defined = np.isfinite(values)
    number = defined.sum(0)
    number = np.where(number > 1, number, np.nan)
    values = np.where(defined, values, 0)
    values = np.where(defined, values - values.sum(0) / number, 0)
    variance = np.square(values).sum(0) / number
    scale = np.where(variance == 0, 1, variance)
    return np.sqrt(variance), (values**3).sum(0) / number / scale**1.5


def _corrected(estimate: FloatArray, error: FloatArray, skewness: FloatArray, level: float, count: int) -> Interval:
    from scipy.special import stdtrit  # takes a fraction of a second to import

    quantile = float(stdtrit(count - 1, (1 + level) / 2))
    low, high = (np.asarray(estimate - error * _skewed_quantile(end, skewness / 6)) for end in (quantile, -quantile))
    return Interval(np.asarray(estimate), low, high, count)


def _skewed_quantile(quantile: float, factor: FloatArray) -> FloatArray:
    """Compute Hall's h: correct the quantile of a studentised statistic for skewness; `factor` is a sixth of the skewness."""
    small = np.abs(factor) < 1e-8
    safe, rest = np.where(small, 1, factor), quantile - factor
    return np.where(small, rest, (np.cbrt(1 + 6 * safe * rest) - 1) / (2 * safe))
