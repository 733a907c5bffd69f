"""Streaming moments against numpy's mean and covariance of the whole."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from underpainting.basis import moments
from underpainting.basis.moments import Moments

Array = NDArray[np.float64]


def images_of(count: int, pixels: int, seed: int = 0, offset: float = 0.0) -> Array:
    """Correlated images, so that a wrong off-diagonal entry is seen."""
    random = np.random.default_rng(seed)
    return offset + random.standard_normal((count, pixels)) @ random.standard_normal((pixels, pixels))


def of(images: Array, *, diagonal: bool = False) -> Moments:
    return moments.moments_of_batches([images], images.shape[1], diagonal=diagonal)


def merged(parts: list[Moments]) -> Moments:
    result = Moments.empty(len(parts[0].mean), diagonal=parts[0].diagonal)
    for part in parts:
        result.merge(part)
    return result


def assert_same(found: Moments, expected: Moments, tolerance: float = 1e-10) -> None:
    assert found.count == expected.count
    np.testing.assert_allclose(found.mean, expected.mean, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(found.scatter, expected.scatter, rtol=tolerance, atol=tolerance * found.count)


@st.composite
def split_images(draw: st.DrawFn) -> list[Array]:
    """1 to 60 images of 1 to 8 pixels, cut anywhere, empty batches included."""
    count, pixels = draw(st.integers(1, 60)), draw(st.integers(1, 8))
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=6)))
    return np.split(images_of(count, pixels, draw(st.integers(0, 2**16)), draw(st.floats(-5, 5))), cuts)


@given(batches=split_images())
def test_streaming_equals_numpy_for_any_splitting(batches: list[Array]) -> None:
    whole = np.concatenate(batches)
    found = moments.moments_of_batches(batches, whole.shape[1])
    assert found.count == len(whole)
    np.testing.assert_allclose(found.mean, whole.mean(0), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(
        found.covariance(ddof=0), np.cov(whole.T, ddof=0).reshape(found.scatter.shape), atol=1e-10
    )


@given(count=st.integers(2, 40), ddof=st.sampled_from([0, 1]))
def test_covariance_divides_like_numpy(count: int, ddof: int) -> None:
    images = images_of(count, 3)
    np.testing.assert_allclose(of(images).covariance(ddof), np.cov(images.T, ddof=ddof), rtol=1e-10, atol=1e-12)


@given(batches=split_images())
def test_diagonal_moments_are_the_diagonal_of_the_full_ones(batches: list[Array]) -> None:
    pixels = batches[0].shape[1]
    full, diagonal = (
        moments.moments_of_batches(batches, pixels),
        moments.moments_of_batches(batches, pixels, diagonal=True),
    )
    assert diagonal.diagonal and not full.diagonal
    np.testing.assert_allclose(diagonal.mean, full.mean, rtol=1e-12)
    np.testing.assert_allclose(diagonal.covariance(), np.diag(full.covariance()), rtol=1e-10, atol=1e-12)
    assert diagonal.total_variance == pytest.approx(np.trace(full.covariance()), abs=1e-12)
    assert full.total_variance == pytest.approx(diagonal.total_variance, abs=1e-12)


@given(batches=split_images(), diagonal=st.booleans(), order=st.randoms(use_true_random=False))
def test_merging_in_any_order_equals_the_whole(batches: list[Array], diagonal: bool, order: object) -> None:
    parts = [of(batch, diagonal=diagonal) for batch in batches]
    order.shuffle(parts)  # type: ignore[attr-defined]
    assert_same(merged(parts), of(np.concatenate(batches), diagonal=diagonal))


@given(batches=split_images())
def test_merging_is_associative(batches: list[Array]) -> None:
    first, *rest = [of(batch) for batch in batches]
    left = merged([first, *rest])
    first.merge(merged(rest) if rest else Moments.empty(len(first.mean)))
    assert_same(first, left)


def test_merging_leaves_the_other_moments_as_they_were() -> None:
    one, other = of(images_of(5, 3, seed=1)), of(images_of(7, 3, seed=2))
    mean, scatter = other.mean.copy(), other.scatter.copy()
    one.merge(other)
    one.update(images_of(4, 3, seed=3))
    np.testing.assert_array_equal(other.mean, mean)
    np.testing.assert_array_equal(other.scatter, scatter)
    assert other.count == 7


def test_moments_copied_into_empty_ones_share_nothing_with_the_original() -> None:
    original = of(images_of(5, 3))
    mean, scatter = original.mean.copy(), original.scatter.copy()
    copy = merged([original])
    copy.update(images_of(4, 3, seed=3))
    np.testing.assert_array_equal(original.mean, mean)
    np.testing.assert_array_equal(original.scatter, scatter)


@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=40), size=st.integers(1, 10))
def test_classes_hold_their_own_images_and_merge_to_the_whole(labels: list[int], size: int) -> None:
    images, marks = images_of(len(labels), 4), np.array(labels)
    batches = [(images[start : start + size], marks[start : start + size]) for start in range(0, len(labels), size)]
    classes = moments.moments_by_class(batches, pixels=4, classes=5)
    for label, found in enumerate(classes):
        assert_same(found, of(images[marks == label]))
    assert classes[4].count == 0
    assert_same(merged(classes), of(images))


@given(seed=st.integers(0, 99))
def test_an_offset_of_a_million_does_not_cost_precision(seed: int) -> None:
    images = images_of(200, 3, seed)
    shifted = images + 1e6
    found = moments.moments_of_batches(np.array_split(shifted, 7), 3)
    np.testing.assert_allclose(found.covariance(), np.cov((shifted - 1e6).T), rtol=1e-8)
    naive = shifted.T @ shifted / 200 - np.outer(shifted.mean(0), shifted.mean(0))
    assert np.abs(naive - np.cov(images.T, ddof=0)).max() > 1e-6, "the offset is too small to test anything"


def test_images_of_any_shape_and_type_are_flattened_and_summed_in_float64() -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 3, 4, 4), dtype=np.uint8)
    found = moments.moments_of_batches([images[:11], images[11:]], 48)
    assert found.mean.dtype == found.scatter.dtype == np.float64
    np.testing.assert_allclose(
        found.covariance(), np.cov(images.reshape(30, 48).T.astype(float)), rtol=1e-10, atol=1e-9
    )


def test_one_image_is_a_point() -> None:
    found = of(np.array([[0.5, -0.25, 1.0]]))
    np.testing.assert_array_equal(found.mean, [0.5, -0.25, 1.0])
    np.testing.assert_array_equal(found.covariance(), np.zeros((3, 3)))
    assert found.total_variance == 0.0


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.1, 1.0])
def test_constant_pixels_have_no_variance(value: float) -> None:
    images = images_of(40, 3)
    images[:, 1] = value
    covariance = moments.moments_of_batches(np.array_split(images, 6), 3).covariance()
    assert np.abs(covariance[1]).max() < 1e-15
    assert np.diag(covariance)[[0, 2]].min() > 0.01


def test_fewer_images_than_pixels_have_a_covariance_of_deficient_rank() -> None:
    images = images_of(5, 12)
    covariance = moments.moments_of_batches([images[:2], images[2:]], 12).covariance()
    np.testing.assert_allclose(covariance, np.cov(images.T), atol=1e-12)
    assert np.linalg.matrix_rank(covariance, tol=1e-10) == 4


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_and_leave_no_trace(value: float) -> None:
    found, bad = of(images_of(5, 3)), images_of(4, 3)
    before = found.scatter.copy()
    bad[2, 1] = value
    with pytest.raises(ValueError, match="not finite"):
        found.update(bad)
    assert found.count == 5
    np.testing.assert_array_equal(found.scatter, before)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="images of 4 pixels do not fit moments of 3 pixels"):
        of(images_of(5, 3)).update(images_of(5, 4))


@pytest.mark.parametrize("other", [Moments.empty(4), Moments.empty(3, diagonal=True)])
def test_moments_of_another_size_or_kind_do_not_merge(other: Moments) -> None:
    with pytest.raises(ValueError, match="do not merge"):
        of(images_of(5, 3)).merge(other)


def test_the_covariance_of_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="no image"):
        Moments.empty(3).covariance()


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_outside_the_classes_are_refused(label: int) -> None:
    with pytest.raises(ValueError, match=r"outside \[0, 2\)"):
        moments.moments_by_class([(images_of(3, 2), np.array([0, 1, label]))], pixels=2, classes=2)


def peak_memory(batches: int, *, diagonal: bool) -> int:
    def stream() -> Iterator[Array]:
        random = np.random.default_rng(0)
        return (random.standard_normal((128, 64)) for _ in range(batches))

    tracemalloc.start()
    moments.moments_of_batches(stream(), 64, diagonal=diagonal)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("diagonal", [False, True])
def test_memory_does_not_grow_with_the_number_of_images(diagonal: bool) -> None:
    few, many = peak_memory(20, diagonal=diagonal), peak_memory(200, diagonal=diagonal)
    assert few > 128 * 64 * 8, "the peak holds at least one batch"
    assert many < 1.1 * few
