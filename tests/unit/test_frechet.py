"""Frechet distances of resamples: the distance is torch-fidelity's, the intervals hold what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from underpainting.quality import fidelity, frechet
from underpainting.quality.frechet import Bootstrapped, Real

Array = np.ndarray[Any, Any]
FEATURES = 5


def features(count: int, seed: int, shift: float = 0.0, stretch: float = 1.0) -> Array:
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((FEATURES, FEATURES))
    return stretch * random.standard_normal((count, FEATURES)) @ mixing + shift


REAL = features(400, 0)


@pytest.mark.parametrize(("shift", "stretch"), [(0.0, 1.0), (0.5, 1.0), (0.1, 1.4)])
def test_the_distance_is_that_of_torch_fidelity(shift: float, stretch: float) -> None:
    generated = features(150, 1, shift, stretch)
    found = frechet.bootstrap(generated, Real.of(REAL), resamples=1).estimate
    assert found == pytest.approx(fidelity.frechet(generated, REAL), rel=1e-8)
    covariance = np.cov(generated, rowvar=False)
    assert frechet.distance(generated.mean(0), covariance, Real.of(REAL)) == pytest.approx(found, rel=1e-10)


def test_features_that_do_not_vary_along_some_direction_have_a_distance() -> None:
    flat, real = features(100, 1), features(200, 2)
    flat[:, 0] = real[:, 0] = 1.5
    found = frechet.bootstrap(flat, Real.of(real), resamples=3)
    assert found.estimate == pytest.approx(fidelity.frechet(flat[:, 1:], real[:, 1:]), rel=1e-6)
    assert np.isfinite(found.resamples).all()


def test_a_resample_is_a_set_of_images_drawn_with_replacement() -> None:
    """Against gathered images and torch-fidelity's distance, with random numbers of their own."""
    generated, random = features(80, 1, 0.5), np.random.default_rng(7)
    gathered = [fidelity.frechet(generated[random.integers(80, size=80)], REAL) for _ in range(300)]
    found = frechet.bootstrap(generated, Real.of(REAL), resamples=600).resamples
    assert found.mean() == pytest.approx(np.mean(gathered), abs=4 * np.std(gathered) * (1 / 300 + 1 / 600) ** 0.5)
    assert found.std() == pytest.approx(np.std(gathered), rel=0.2)


@pytest.mark.parametrize("shift", [0.0, 0.6])
def test_intervals_cover_the_distance_at_their_number_of_images(shift: float) -> None:
    """Which is the mean over many such sets, and larger than the distance between the distributions."""
    real, count, sets = Real.of(REAL), 120, 100
    found = [frechet.bootstrap(features(count, 10 + one, shift), real, resamples=100) for one in range(sets)]
    wanted = np.mean([one.estimate for one in found])
    within = np.mean([low <= wanted <= high for low, high in (one.interval() for one in found)])
    assert within > 0.85
    if not shift:  # where the excess of the resamples is as large as what is to be found
        naive = [np.quantile(one.resamples, [0.025, 0.975]) for one in found]
        assert within > 0.05 + np.mean([low <= wanted <= high for low, high in naive])


def test_an_interval_is_moved_back_to_its_estimate() -> None:
    found = frechet.bootstrap(features(60, 1), Real.of(REAL))
    (low, high), raw = found.interval(), np.quantile(found.resamples, [0.025, 0.975])
    excess = found.resamples.mean() - found.estimate
    assert excess > 0  # resamples hold fewer different images, so they are farther away
    assert (raw[0] - low, raw[1] - high) == pytest.approx((excess, excess))
    narrow = found.interval(0.5)
    assert low < narrow[0] < found.estimate < narrow[1] < high


def test_two_sets_of_the_same_seeds_have_the_same_resamples() -> None:
    """Distances do not change if both sets of features are turned, so equal resamples have equal distances."""
    generated = features(70, 1, 0.3)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((FEATURES, FEATURES)))[0]
    one = frechet.bootstrap(generated, Real.of(REAL), resamples=50)
    other = frechet.bootstrap(generated @ turn, Real.of(REAL @ turn), resamples=50)
    np.testing.assert_allclose(one.resamples, other.resamples, rtol=1e-9)
    assert one.resamples.std() > 0
    another = frechet.bootstrap(generated, Real.of(REAL), resamples=50, seed=1)
    assert not np.allclose(one.resamples, another.resamples)


def test_a_set_loses_nothing_against_itself() -> None:
    found = frechet.bootstrap(features(70, 1, 0.3), Real.of(REAL))
    again = frechet.bootstrap(features(70, 1, 0.3), Real.of(REAL))
    assert frechet.relative_loss(found, again) == (0.0, 0.0, 0.0)


def test_what_two_sets_share_their_ratio_does_not_leave_open() -> None:
    """Images of the same seeds with a little more noise: the loss is known far better than either distance."""
    base = features(200, 1, 0.4)
    worse = base + 0.15
    first, second = (frechet.bootstrap(one, Real.of(REAL)) for one in (worse, base))
    loss, low, high = frechet.relative_loss(first, second)
    assert loss == pytest.approx(first.estimate / second.estimate - 1)
    assert low < loss < high
    apart = frechet.relative_loss(first, frechet.bootstrap(base, Real.of(REAL), seed=1))
    assert high - low < 0.7 * (apart[2] - apart[1])


def test_the_interval_of_a_ratio_is_one_of_fractions() -> None:
    reference = Bootstrapped(2.0, np.array([2.0, 2.0, 2.0]))
    assert frechet.relative_loss(Bootstrapped(3.0, np.array([3.0, 3.0, 3.0])), reference) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("shape", [(1, FEATURES), (10, FEATURES + 1)])
def test_features_that_do_not_fit_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="do not fit 5 features of real images; give two images or more"):
        frechet.bootstrap(np.zeros(shape), Real.of(REAL))
