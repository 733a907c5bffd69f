"""Frechet distances of resamples: the distance is torch-fidelity's, the intervals cover what they are of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from underpainting.quality import fidelity, frechet
from underpainting.quality.frechet import BootstrapDistance, RealMoments

Array = np.ndarray[Any, Any]
FEATURES = 5
WIDE = 24


def features(count: int, seed: int, shift: float = 0.0, stretch: float = 1.0) -> Array:
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((FEATURES, FEATURES))
    return stretch * random.standard_normal((count, FEATURES)) @ mixing + shift


def decaying(count: int, seed: int, width: int = WIDE, shift: float = 0.0) -> Array:
    """Skewed features that are not negative, of decaying variance: as a classifier's last layer has them."""
    spectrum = 3 * np.arange(1, width + 1) ** -0.75
    mixing = np.linalg.qr(np.random.default_rng(98).standard_normal((width, width)))[0] * spectrum
    values = np.random.default_rng(seed).standard_normal((count, width)) @ mixing.T
    return np.logaddexp(0, values + shift)


def exact(drawn: Array, real: Array) -> float:
    """The distance from singular values, which no square has lost digits of."""
    first, second = ((some - some.mean(0)) / np.sqrt(len(some) - 1) for some in (drawn, real))
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    gap = drawn.mean(0) - real.mean(0)
    return float(gap @ gap + (first**2).sum() + (second**2).sum() - 2 * shared)


REAL = features(400, 0)


@pytest.mark.parametrize(("shift", "stretch"), [(0.0, 1.0), (0.5, 1.0), (0.1, 1.4)])
def test_the_distance_is_that_of_torch_fidelity(shift: float, stretch: float) -> None:
    generated = features(150, 1, shift, stretch)
    found = frechet.bootstrap(generated, RealMoments.of(REAL), resamples=1).estimate
    assert found == pytest.approx(fidelity.frechet_distance(generated, REAL), rel=1e-8)
    covariance = np.cov(generated, rowvar=False)
    assert frechet.gaussian_distance(generated.mean(0), covariance, RealMoments.of(REAL)) == pytest.approx(
        found, rel=1e-10
    )


@pytest.mark.parametrize(("count", "width", "real_count"), [(30, 64, 200), (30, 64, 20), (64, 64, 200), (200, 16, 60)])
@pytest.mark.parametrize("constant", [0, 3])
def test_gram_matrices_and_those_of_features_agree_with_singular_values(
    count: int, width: int, real_count: int, constant: int
) -> None:
    """Of all images and of resamples; few images, as many as features, many; few real ones; constant features."""
    generated, real = decaying(count, 1, width, 0.3), decaying(real_count, 2, width)
    generated[:, :constant] = real[:, :constant] = 0.7
    found = frechet.bootstrap(generated, RealMoments.of(real), resamples=5, seed=4)
    random = np.random.default_rng(4)
    wanted = [exact(generated[random.integers(count, size=count)], real) for _ in range(5)]
    np.testing.assert_allclose(found.resamples, wanted, rtol=1e-9)
    assert found.estimate == pytest.approx(exact(generated, real), rel=1e-9)


def test_a_bootstrap_of_few_images_never_solves_an_eigenproblem_of_all_features(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes, solve = [], np.linalg.eigvalsh
    monkeypatch.setattr(np.linalg, "eigvalsh", lambda matrix: sizes.append(len(matrix)) or solve(matrix))
    frechet.bootstrap(decaying(40, 1, 300), RealMoments.of(decaying(500, 2, 300)), resamples=20)
    assert max(sizes) == 40 and np.mean(sorted(sizes)[:20]) < 30


def test_an_influence_is_the_change_of_the_distance_with_an_image() -> None:
    for width in (4, 60):  # from features and from a Gram matrix
        generated, real = decaying(40, 1, width, 0.5), RealMoments.of(decaying(300, 2, width))
        images, step = frechet._ResampledDistance(generated, real), 1e-4
        ones, influence = np.ones(40), images.influence()
        for image in range(3):
            change = -step * ones
            change[image] += 40 * step
            slope = (images.distance(ones + change) - images.distance(ones - change)) / (2 * step)
            assert slope == pytest.approx(influence[image], rel=1e-4)


def test_features_that_do_not_vary_along_some_direction_have_a_distance() -> None:
    flat, real = features(100, 1), features(200, 2)
    flat[:, 0] = real[:, 0] = 1.5
    found = frechet.bootstrap(flat, RealMoments.of(real), resamples=3)
    assert found.estimate == pytest.approx(fidelity.frechet_distance(flat[:, 1:], real[:, 1:]), rel=1e-6)
    assert np.isfinite(found.resamples).all()


def test_a_resample_is_a_set_of_images_drawn_with_replacement() -> None:
    """Against gathered images and torch-fidelity's distance, with random numbers of their own."""
    generated, random = features(80, 1, 0.5), np.random.default_rng(7)
    gathered = [fidelity.frechet_distance(generated[random.integers(80, size=80)], REAL) for _ in range(300)]
    found = frechet.bootstrap(generated, RealMoments.of(REAL), resamples=600).resamples
    assert found.mean() == pytest.approx(np.mean(gathered), abs=4 * np.std(gathered) * (1 / 300 + 1 / 600) ** 0.5)
    assert found.std() == pytest.approx(np.std(gathered), rel=0.2)


@pytest.mark.parametrize("shift", [0.0, 0.6])
def test_intervals_cover_the_distance_at_their_number_of_images(shift: float) -> None:
    """Which is the mean over many such sets, and larger than the distance between the distributions."""
    real, count, sets = RealMoments.of(REAL), 120, 100
    found = [frechet.bootstrap(features(count, 10 + one, shift), real, resamples=100) for one in range(sets)]
    wanted = np.mean([one.estimate for one in found])
    within = np.mean([low <= wanted <= high for low, high in (one.interval() for one in found)])
    assert within > 0.85
    if not shift:  # where the excess of the resamples is as large as what is to be found
        naive = [np.quantile(one.resamples, [0.025, 0.975]) for one in found]
        assert within > 0.05 + np.mean([low <= wanted <= high for low, high in naive])


def test_intervals_are_moved_back_to_their_estimates() -> None:
    found = frechet.bootstrap(features(60, 1), RealMoments.of(REAL))
    assert found.resamples.mean() > found.estimate > found.infinite
    assert found.errors.mean() == pytest.approx(0, abs=1e-12)
    (low, high), (narrow_low, narrow_high) = found.interval(), found.interval(0.5)
    assert low < narrow_low < found.estimate < narrow_high < high
    moved = np.subtract(found.infinite_interval(), found.interval())
    assert moved == pytest.approx([found.infinite - found.estimate] * 2)


def test_the_distance_at_infinite_n_does_not_depend_on_n() -> None:
    real, few, many = RealMoments.of(decaying(3000, 0)), 100, 800
    sets = {few: 120, many: 30}
    found = {
        count: [frechet.bootstrap(decaying(count, 10 + one, shift=0.1), real, resamples=2) for one in range(several)]
        for count, several in sets.items()
    }
    infinite = {count: np.array([one.infinite for one in some]) for count, some in found.items()}
    error = np.sqrt(sum(values.var() / len(values) for values in infinite.values()))
    assert abs(infinite[few].mean() - infinite[many].mean()) < 3 * error
    finite = {count: np.mean([one.estimate for one in some]) for count, some in found.items()}
    assert finite[few] - finite[many] > 8 * error


@pytest.mark.slow
def test_intervals_at_infinite_n_cover_the_distance_of_the_distribution() -> None:
    """Which those at n miss: there the distance is larger by several of its errors."""
    real, sets = RealMoments.of(decaying(2000, 0)), 200
    large = decaying(200_000, 1, shift=0.1)
    truth = frechet.gaussian_distance(large.mean(0), np.cov(large, rowvar=False), real)
    found = [frechet.bootstrap(decaying(100, 10 + one, shift=0.1), real, resamples=100) for one in range(sets)]
    infinite, finite = (
        np.mean([low <= truth <= high for low, high in ends])
        for ends in ([one.infinite_interval() for one in found], [one.interval() for one in found])
    )
    assert infinite > 0.9
    assert finite < 0.6


def test_there_is_no_distance_at_infinite_n_of_two_images() -> None:
    found = frechet.bootstrap(features(2, 1), RealMoments.of(REAL), resamples=3)
    assert np.isfinite(found.estimate) and np.isnan(found.infinite)
    assert np.isfinite(frechet.bootstrap(features(3, 1), RealMoments.of(REAL), resamples=3).infinite)


def test_two_sets_of_the_same_seeds_have_the_same_resamples() -> None:
    """Distances do not change if both sets of features are turned, so equal resamples have equal distances."""
    generated = features(70, 1, 0.3)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((FEATURES, FEATURES)))[0]
    one = frechet.bootstrap(generated, RealMoments.of(REAL), resamples=50)
    other = frechet.bootstrap(generated @ turn, RealMoments.of(REAL @ turn), resamples=50)
    np.testing.assert_allclose(one.resamples, other.resamples, rtol=1e-9)
    assert one.resamples.std() > 0
    another = frechet.bootstrap(generated, RealMoments.of(REAL), resamples=50, seed=1)
    assert not np.allclose(one.resamples, another.resamples)


def test_a_set_loses_nothing_against_itself() -> None:
    found = frechet.bootstrap(features(70, 1, 0.3), RealMoments.of(REAL))
    again = frechet.bootstrap(features(70, 1, 0.3), RealMoments.of(REAL))
    assert frechet.relative_loss(found, again) == (0.0, 0.0, 0.0)


def test_what_two_sets_share_their_ratio_does_not_leave_open() -> None:
    """Images of the same seeds with a little more noise: the loss is known far better than either distance."""
    base = features(200, 1, 0.4)
    worse = base + 0.15
    first, second = (frechet.bootstrap(one, RealMoments.of(REAL)) for one in (worse, base))
    loss, low, high = frechet.relative_loss(first, second)
    assert loss == pytest.approx(first.infinite / second.infinite - 1)
    assert low < loss < high
    apart = frechet.relative_loss(first, frechet.bootstrap(base, RealMoments.of(REAL), seed=1))
    assert high - low < 0.7 * (apart[2] - apart[1])


def fixed(infinite: float, *errors: float) -> BootstrapDistance:
    """A result with a distance at n of no meaning."""
    return BootstrapDistance(99.0, np.array([100.0, 100.0, 100.0]), np.array(errors or (0.0, 0.0, 0.0)), infinite)


def test_a_loss_is_a_fraction_of_the_distance_at_infinite_n() -> None:
    assert frechet.relative_loss(fixed(3.0), fixed(2.0)) == (0.5, 0.5, 0.5)
    assert frechet.relative_loss(fixed(3.0, -1.0, 0.0, 1.0), fixed(2.0)) == (0.5, 0.0, 1.0)


def test_below_the_floor_no_distance_is_better_than_another() -> None:
    assert frechet.relative_loss(fixed(0.5), fixed(0.1), floor=1.0) == (0, 0, 0)
    assert frechet.relative_loss(fixed(3.0), fixed(-0.1), floor=2.0) == (0.5, 0.5, 0.5)
    assert frechet.relative_loss(fixed(1.0), fixed(4.0), floor=2.0) == (-0.5, -0.5, -0.5)
    assert frechet.relative_loss(fixed(3.0, -2.0, 0.0, 2.0), fixed(2.0, 0.0, 0.0, -3.0), floor=2.0) == (0.5, 0.0, 1.5)


@pytest.mark.parametrize("reference", [0.0, -0.3, float("nan")])
def test_a_loss_against_nothing_is_not_a_number(reference: float) -> None:
    assert np.isnan(frechet.relative_loss(fixed(3.0), fixed(reference))).all()


def test_a_reference_that_may_be_zero_leaves_the_loss_open_above() -> None:
    loss, low, high = frechet.relative_loss(fixed(3.0), fixed(2.0, 1.0, 1.0, -2.0))
    assert (loss, low, high) == (0.5, 0.0, float("inf"))
    assert frechet.relative_loss(fixed(1.0, 0.0, 0.0, -1.0), fixed(1.0, 0.0, 0.0, -1.0)) == (0.0, 0.0, 0.0)


def test_the_floor_is_the_distance_of_real_images() -> None:
    """Against new real images, at other numbers than those of the splits, and the distribution itself."""
    count, sets = 600, 60
    large = decaying(100_000, 1)
    mean, covariance = large.mean(0), np.cov(large, rowvar=False)
    references = [decaying(count, 100 + one) for one in range(sets)]
    infinite = np.mean([frechet.gaussian_distance(mean, covariance, RealMoments.of(real)) for real in references])
    for n in (100, 900):  # below and above half the reference
        floors = [frechet.estimate_floor(real, n, splits=4) for real in references]
        pairs = [(decaying(n, 1000 + one), RealMoments.of(real)) for one, real in enumerate(references)]
        fresh = np.mean([frechet.bootstrap(new, real, resamples=0).estimate for new, real in pairs])
        assert np.mean([one.at_n for one in floors]) == pytest.approx(fresh, rel=0.15)
        assert np.mean([one.infinite for one in floors]) == pytest.approx(infinite, rel=0.15)
        assert all(0 < one.infinite < one.at_n and one.low < one.at_n < one.high for one in floors)


def test_a_floor_depends_on_its_seed_alone() -> None:
    assert frechet.estimate_floor(REAL, 50) == frechet.estimate_floor(REAL, 50)
    assert frechet.estimate_floor(REAL, 50).at_n != frechet.estimate_floor(REAL, 50, seed=1).at_n


@pytest.mark.parametrize(("count", "n"), [(3, 10), (10, 1)])
def test_a_floor_of_too_few_images_is_refused(count: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"two generated ones or more, not {count} and {n}"):
        frechet.estimate_floor(REAL[:count], n)


@pytest.mark.parametrize("shape", [(1, FEATURES), (10, FEATURES + 1)])
def test_features_that_do_not_fit_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="do not fit 5 features of real images; give two images or more"):
        frechet.bootstrap(np.zeros(shape), RealMoments.of(REAL))


def crossed(seed: int, of_prompts: float, of_seeds: float) -> tuple[Array, tuple[Array, Array]]:
    """Features of 14 prompts with 10 seeds each that share an effect of the prompt and one of the seed, and the clusters."""
    random = np.random.default_rng(seed)
    prompts, seeds = (labels.ravel() for labels in np.meshgrid(np.arange(14), np.arange(10), indexing="ij"))
    shared = of_prompts * random.standard_normal((14, FEATURES))[prompts]
    shared = shared + of_seeds * random.standard_normal((10, FEATURES))[seeds]
    return shared + random.standard_normal((140, FEATURES)) + 1.5, (prompts, seeds)


@pytest.mark.parametrize(("of_prompts", "of_seeds", "least"), [(0.8, 0.0, 1.3), (0.0, 0.8, 1.5), (0.6, 0.6, 1.5)])
def test_errors_of_images_that_share_prompts_and_seeds_are_those_of_new_ones(
    of_prompts: float, of_seeds: float, least: float
) -> None:
    """The spread of distances over draws of prompts and seeds; as if images were independent it would be missed by far."""
    real = RealMoments.of(np.random.default_rng(5).standard_normal((4000, FEATURES)))
    sets = [crossed(seed, of_prompts, of_seeds) for seed in range(120)]
    found = [frechet.bootstrap(values, real, 40, clusters=clusters) for values, clusters in sets]
    spread = np.std([one.estimate for one in found])
    assert np.mean([one.errors.std() for one in found]) == pytest.approx(spread, rel=0.25)
    alone = np.mean([frechet.bootstrap(values, real, 40).errors.std() for values, _ in sets[:30]])
    assert spread > least * alone


def test_clusters_of_independent_images_change_little() -> None:
    real = RealMoments.of(REAL)
    with_and_without = [
        (frechet.bootstrap(values, real, 20, clusters=clusters), frechet.bootstrap(values, real, 20))
        for values, clusters in (crossed(seed, 0.0, 0.0) for seed in range(30))
    ]
    ratios = [one.errors.std() / other.errors.std() for one, other in with_and_without]
    assert min(ratios) >= 1 and np.mean(ratios) < 1.25
    assert all(one.estimate == other.estimate for one, other in with_and_without)


@pytest.mark.parametrize("clusters", [(np.zeros(140),), (np.arange(9),), (np.arange(140),) * 3])
def test_clusters_that_do_not_fit_are_refused(clusters: tuple[Array, ...]) -> None:
    with pytest.raises(ValueError, match=r"clusters .*; give"):
        frechet.bootstrap(crossed(0, 0.0, 0.0)[0], RealMoments.of(REAL), 20, clusters=clusters)
