"""Intervals and tests against scipy, exact enumeration and known coverage."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from underpainting.analysis import statistics
from underpainting.analysis.statistics import Resampling


def by_hand(estimate: float, error: float, skewness: float, level: float, n: int) -> list[float]:
    """Ends of the interval whose studentised statistic, turned by Hall's cubic, has the quantiles of Student's law."""
    a = skewness / 6

    def excess(t: float, quantile: float) -> float:
        return t + 2 * a * t**2 + 4 / 3 * a**2 * t**3 + a - quantile

    quantiles = stats.t.ppf([(1 + level) / 2, (1 - level) / 2], n - 1)
    return [estimate - error * brentq(excess, -1e3, 1e3, args=(quantile,)) for quantile in quantiles]


def coverage(draw: Callable[[np.random.Generator, int], statistics.Interval], truth: float, trials: int) -> float:
    random = np.random.default_rng(2)
    found = [draw(random, trial) for trial in range(trials)]
    return float(np.mean([interval.low <= truth <= interval.high for interval in found]))


def test_interval_of_the_mean_is_that_of_student_without_skewness() -> None:
    half = np.random.default_rng(1).standard_normal((30, 3))
    values = np.concatenate([half, 2 - half])
    ours = statistics.confidence_interval(values, resampling=Resampling(level=0.9))
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert np.allclose(ours.estimate, values.mean(0), rtol=1e-12) and ours.n == 60
    assert np.allclose(ours.low, theirs.low, rtol=1e-12) and np.allclose(ours.high, theirs.high, rtol=1e-12)


def test_interval_of_a_skewed_mean_solves_the_cubic_and_is_the_limit_of_resampling() -> None:
    values = np.random.default_rng(1).gamma(1.0, size=(20, 2)) * [1, -1]
    ours = statistics.confidence_interval(values, resampling=Resampling(level=0.8))
    for column, low, high in zip(values.T, ours.low, ours.high, strict=True):
        skewness = stats.skew(column) / 20**0.5
        expected = by_hand(column.mean(), stats.sem(column), skewness, 0.8, 20)
        assert [low, high] == pytest.approx(expected, rel=1e-9)
    resampled = statistics.confidence_interval(
        values, lambda mean: mean, resampling=Resampling(level=0.8, resamples=20000)
    )
    width = (ours.high - ours.low).min()
    assert np.allclose(resampled.low, ours.low, atol=0.02 * width)
    assert np.allclose(resampled.high, ours.high, atol=0.02 * width)


def test_resampled_statistics_have_the_law_of_all_resamples() -> None:
    values = np.array([0.0, 1.0, 5.0])
    every = [np.mean(choice) ** 2 for choice in product(values, repeat=3)]
    without = -(np.array([3.0, 2.5, 0.5]) ** 2)
    expected = by_hand(4.0, np.std(every) * 1.5**0.5, stats.skew(without) / 3**0.5, 0.6, 3)
    for ours in (
        statistics.confidence_interval(values, lambda mean: mean**2, resampling=Resampling(resamples=40000, level=0.6)),
        statistics.bootstrap_interval(
            values, lambda some: some.mean(0) ** 2, resampling=Resampling(resamples=40000, level=0.6)
        ),
    ):
        assert [float(ours.low), float(ours.high)] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("n", [8, 32])
def test_intervals_of_few_skewed_values_cover_the_truth_as_often_as_they_say(n: int) -> None:
    covered = coverage(lambda random, _: statistics.confidence_interval(random.gamma(2, size=n)), 2, 1000)
    assert 0.925 < covered < 0.975  # percentiles: 0.88 for eight seeds


def test_intervals_of_ratios_of_few_seeds_cover_the_truth() -> None:
    def ratio(random: np.random.Generator, trial: int) -> statistics.Interval:
        values = np.abs(random.standard_normal((8, 2)) * [0.05, 0.3] + [0, 1.5])
        return statistics.confidence_interval(
            values, lambda mean: mean[0] / mean[1], resampling=Resampling(resamples=300, seed=trial)
        )

    assert 0.92 < coverage(ratio, 0.05 * (2 / np.pi) ** 0.5 / 1.5, 500) < 0.98


def test_intervals_of_fits_to_few_seeds_cover_the_truth() -> None:
    predicted, random = np.linspace(0.2, 2, 10), np.random.default_rng(3)
    true = 0.9 * predicted + 0.05 * np.sin(9 * predicted)
    known = statistics.fit_through_origin(np.stack([true, true]), predicted, resampling=Resampling(resamples=2))
    covered = []
    for trial in range(300):
        measured = true + 0.3 * random.standard_normal((8, 10))
        found = statistics.fit_through_origin(measured, predicted, resampling=Resampling(resamples=200, seed=trial))
        covered.append([one.low <= truth.estimate <= one.high for one, truth in zip(found, known, strict=True)])
    slope, r_squared, theory = np.mean(covered, 0)
    assert 0.91 < slope < 0.985 and 0.91 < theory < 0.985
    assert r_squared > 0.91  # percentiles miss it, as resampling adds noise


def test_seeds_that_agree_leave_no_interval() -> None:
    values = np.full((7, 3), 0.1)
    for found in (
        statistics.confidence_interval(values),
        statistics.confidence_interval(values, lambda mean: mean[:2] / 3),
        statistics.bootstrap_interval(values, lambda some: np.median(some, 0)),
    ):
        assert np.array_equal(found.low, found.estimate) and np.array_equal(found.high, found.estimate)


@pytest.mark.parametrize(("count", "n", "level"), [(0, 30, 0.95), (30, 30, 0.95), (1, 1, 0.9), (7, 40, 0.99)])
def test_intervals_of_counts_are_exact(count: int, n: int, level: float) -> None:
    found = statistics.proportion_interval(count, n, level)
    expected = stats.binomtest(count, n).proportion_ci(level, method="exact")
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert (float(found.estimate), found.n) == (count / n, n)


@pytest.mark.parametrize(("count", "n", "level"), [(-1, 3, 0.95), (4, 3, 0.95), (0, 0, 0.95), (1, 3, 95)])
def test_slips_of_counts_are_told(count: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and"):
        statistics.proportion_interval(count, n, level)


def test_an_interval_is_cut_to_its_range() -> None:
    found = statistics.Interval(np.array([0.5, 2.0]), np.array([-1.0, 1.0]), np.array([0.7, 3.0]), 4)
    cut = statistics.clip(found, 0, 2.5)
    assert cut.low.tolist() == [0, 1] and cut.high.tolist() == [0.7, 2.5] and cut.estimate is found.estimate


def test_any_statistic_is_resampled_jointly_and_agrees_with_the_quick_way() -> None:
    random = np.random.default_rng(3)
    first = random.standard_normal(50)
    values = np.stack([first, 2 * first], 1)
    quick = statistics.confidence_interval(values, lambda mean: mean[1] / mean[0], resampling=Resampling(resamples=200))
    slow = statistics.bootstrap_interval(
        values, lambda some: some.mean(0)[1] / some.mean(0)[0], resampling=Resampling(resamples=200)
    )
    assert quick.low == pytest.approx(2) and quick.high == pytest.approx(2)
    assert slow.low == pytest.approx(2) and slow.high == pytest.approx(2)
    median = statistics.bootstrap_interval(
        first, lambda some: np.asarray(np.median(some)), resampling=Resampling(resamples=2000)
    )
    theirs = stats.bootstrap((first,), np.median, n_resamples=2000, method="percentile", random_state=1)
    width = float(median.high - median.low)
    assert width == pytest.approx(2 * stats.t.ppf(0.975, 49) * (50 / 49) ** 0.5 * theirs.standard_error, rel=0.1)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(4).standard_normal((20, 5))
    whole = statistics.confidence_interval(values, np.exp, resampling=Resampling(resamples=100))
    monkeypatch.setattr(statistics, "_CHUNK", 150)
    parts = statistics.confidence_interval(values, np.exp, resampling=Resampling(resamples=100))
    assert np.allclose(whole.low, parts.low, rtol=1e-12) and np.allclose(whole.high, parts.high, rtol=1e-12)


def test_paired_difference_agrees_with_the_formula_and_finds_what_unpaired_tests_miss() -> None:
    random = np.random.default_rng(5)
    base = 10 * random.standard_normal(40)
    first, second = base + 0.5 + 0.1 * random.standard_normal(40), base
    found = statistics.paired_difference(first, second)
    difference = first - second
    t = difference.mean() / (difference.std(ddof=1) / np.sqrt(40))
    assert found.t_test == pytest.approx(2 * stats.t.sf(abs(t), 39), rel=1e-8)
    assert found.wilcoxon < 1e-6 and stats.ttest_ind(first, second).pvalue > 0.1
    assert found.difference.low > 0.4 and found.difference.high < 0.6


def test_wilcoxon_agrees_with_counting_all_signs() -> None:
    difference = np.array([0.3, -0.1, 0.7, 1.1, -0.4, 0.9])
    ranks = stats.rankdata(np.abs(difference))
    sums = np.array([np.dot(ranks, signs) for signs in product([0, 1], repeat=6)])
    seen = ranks[difference > 0].sum()
    expected = min(1.0, 2 * min((sums >= seen).mean(), (sums <= seen).mean()))
    assert statistics.paired_difference(difference, np.zeros(6)).wilcoxon == pytest.approx(expected)


def test_no_difference_at_all_is_no_evidence() -> None:
    found = statistics.paired_difference(np.ones(5), np.ones(5))
    assert (found.t_test, found.wilcoxon) == (1.0, 1.0) and found.difference.high == 0


def test_rank_correlation_agrees_with_scipy_with_ties_and_gaps() -> None:
    first = np.array([1.0, 2, 2, 4, np.nan, 3])
    second = np.array([2.0, 1, 5, 5, 0, np.nan])
    expected = stats.spearmanr(first[:4], second[:4]).statistic
    assert statistics.rank_correlation(first, second) == pytest.approx(expected)
    assert np.isnan(statistics.rank_correlation(np.ones(4), np.arange(4.0)))
    assert np.isnan(statistics.rank_correlation(first[:2], second[:2]))


def test_rank_correlation_interval_is_narrow_for_clear_order_and_wide_for_none() -> None:
    random = np.random.default_rng(6)
    order = np.arange(8.0)
    clear = order + random.standard_normal((50, 8))
    noise = random.standard_normal((50, 8))
    sure = statistics.rank_correlation_interval(clear, lambda mean: mean, order, resampling=Resampling(resamples=300))
    unsure = statistics.rank_correlation_interval(noise, lambda mean: mean, order, resampling=Resampling(resamples=300))
    assert sure.low > 0.9 and sure.estimate == pytest.approx(stats.spearmanr(clear.mean(0), order).statistic)
    assert unsure.low < 0 < unsure.high


def test_undefined_resamples_are_left_out() -> None:
    values = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])

    def root(mean: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.array([np.sqrt(mean[0] - 0.5), np.nan])

    found = statistics.confidence_interval(values, root, resampling=Resampling(resamples=200))
    assert np.isfinite(found.low[0]) and found.low[0] <= found.estimate[0] <= found.high[0]
    assert np.isnan(found.low[1])


@pytest.mark.parametrize(
    ("values", "level", "message"),
    [
        (np.zeros(1), 0.95, "at least two seeds"),
        (np.array([1.0, np.nan]), 0.95, "leave those seeds out"),
        (np.zeros(3), 95.0, "between 0 and 1"),
    ],
)
def test_slips_are_told(values: np.ndarray, level: float, message: str) -> None:
    resampling = Resampling(level=level)
    for function in (
        lambda: statistics.confidence_interval(values, resampling=resampling),
        lambda: statistics.bootstrap_interval(values, lambda some: some.mean(0), resampling),
    ):
        with pytest.raises(ValueError, match=message):
            function()


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="select the seeds that both have"):
        statistics.paired_difference(np.zeros(3), np.zeros(4))


def test_a_fit_finds_slope_and_share() -> None:
    random = np.random.default_rng(3)
    predicted = random.uniform(0.1, 2, 30)
    measured = 0.8 * predicted + 0.1 * random.standard_normal((200, 30))
    found = statistics.fit_through_origin(measured, predicted)
    expected = np.linalg.lstsq(predicted[:, None], measured.mean(0), rcond=None)[0][0]
    assert float(found.slope.estimate) == pytest.approx(expected, rel=1e-12)
    assert found.slope.low < 0.8 < found.slope.high and found.slope.high - found.slope.low < 0.02
    assert float(found.r_squared.estimate) > 0.99
    assert float(found.theory_r_squared.estimate) == pytest.approx(
        1 - np.mean((measured.mean(0) - predicted) ** 2) / measured.mean(0).var(), rel=1e-12
    )
    assert found.theory_r_squared.high < 0.95 < found.r_squared.low
    with pytest.raises(ValueError, match="at least two cases"):
        statistics.fit_through_origin(np.zeros((3, 2)), np.zeros(2))


@pytest.mark.parametrize(("count", "n"), [(0, 20), (7, 20), (20, 20)])
def test_a_proportion_has_the_exact_binomial_interval(count: int, n: int) -> None:
    found = statistics.proportion_interval(count, n)
    assert (float(found.estimate), found.n) == (count / n, n)
    if count:
        assert stats.binom.sf(count - 1, n, float(found.low)) == pytest.approx(0.025)
    if count < n:
        assert stats.binom.cdf(count, n, float(found.high)) == pytest.approx(0.025)


def test_samples_in_clusters_of_their_own_give_the_interval_of_the_mean() -> None:
    values = np.random.default_rng(3).gamma(1.0, size=(20, 2))
    ours = statistics.clustered_interval(values, [range(20)], resampling=Resampling(resamples=20000))
    theirs = statistics.confidence_interval(values)
    width = (theirs.high - theirs.low).min()
    assert np.allclose(ours.estimate, theirs.estimate, rtol=1e-12) and ours.n == 20
    assert np.allclose(ours.low, theirs.low, atol=0.02 * width)
    assert np.allclose(ours.high, theirs.high, atol=0.02 * width)


def crossed(random: np.random.Generator, prompts: int, seeds: int) -> np.ndarray:
    """A value per prompt and seed whose true mean is zero: an effect of the prompt, one of the seed, and noise."""
    return (
        random.standard_normal((prompts, 1))
        + random.standard_normal((1, seeds))
        + random.standard_normal((prompts, seeds))
    ).ravel()


def test_intervals_of_crossed_clusters_cover_the_truth_where_those_of_samples_do_not() -> None:
    labels = np.meshgrid(np.arange(6), np.arange(8), indexing="ij")

    def of_clusters(random: np.random.Generator, _: int) -> statistics.Interval:
        factors = [factor.ravel() for factor in labels]
        return statistics.clustered_interval(crossed(random, 6, 8), factors, resampling=Resampling(resamples=300))

    assert coverage(of_clusters, 0, 300) > 0.925
    assert coverage(lambda random, _: statistics.confidence_interval(crossed(random, 6, 8)), 0, 300) < 0.7


def test_clustered_interval_of_a_function_of_the_mean_without_some_pairs() -> None:
    random = np.random.default_rng(4)
    prompt, seed = (factor.ravel()[:-3] for factor in np.meshgrid(np.arange(5), np.arange(6), indexing="ij"))
    values = np.stack([2 + 0.1 * random.standard_normal(27), 1 + 0.1 * random.standard_normal(27)], 1)
    found = statistics.clustered_interval(
        values, [[f"prompt {number}" for number in prompt], seed], lambda mean: mean[0] / mean[1]
    )
    assert float(found.estimate) == pytest.approx(values[:, 0].mean() / values[:, 1].mean(), rel=1e-12)
    assert found.low < found.estimate < found.high and found.high - found.low < 0.5


@pytest.mark.parametrize("clusters", [[], [[0, 0, 0, 0]], [[0, 1, 0]]])
def test_clusters_that_do_not_fit_are_refused(clusters: list[list[int]]) -> None:
    with pytest.raises(ValueError, match=r"two clusters|cluster of each sample"):
        statistics.clustered_interval(np.arange(4.0), clusters)
