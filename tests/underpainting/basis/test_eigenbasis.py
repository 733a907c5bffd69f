"""The three ways to the eigenbasis against each other and against numpy's singular value decomposition."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise.levels import DATA, NoiseLevel
from underpainting.theory import gaussian

Array = NDArray[np.float64]
Way = Callable[[Array, int], Eigenbasis]


def images_of(count: int, pixels: int, seed: int = 0, decay: float = 0.7) -> Array:
    """Images whose spectrum falls geometrically, along random directions."""
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(random.standard_normal((pixels, pixels)))[0]
    return 0.3 + (random.standard_normal((count, pixels)) * decay ** np.arange(pixels)) @ directions


def in_batches(images: Array) -> Callable[[], Iterator[Array]]:
    return lambda: iter(np.array_split(images, 4))


def shape_of(images: Array) -> tuple[int, ...]:
    return (1, 1, images.shape[1])


def dense(images: Array, rank: int) -> Eigenbasis:
    covariance = np.atleast_2d(np.cov(images.T)) if len(images) > 1 else np.zeros((images.shape[1],) * 2)
    return eigenbasis.truncate(eigenbasis.dense(images.mean(0), covariance, shape_of(images)), rank=rank)


def gram(images: Array, rank: int) -> Eigenbasis:
    return eigenbasis.truncate(eigenbasis.gram(images, shape_of(images)), rank=rank)


def randomized(images: Array, rank: int) -> Eigenbasis:
    total = np.square(images - images.mean(0)).sum() / max(len(images) - 1, 1)
    return eigenbasis.randomized(
        in_batches(images), images.mean(0), total, len(images), shape_of(images), rank, power_iterations=4
    )


def by_svd(images: Array, rank: int) -> tuple[Array, Array]:
    """Variances and projector onto the leading components."""
    _, values, rows = np.linalg.svd(images - images.mean(0), full_matrices=False)
    return values[:rank] ** 2 / max(len(images) - 1, 1), rows[:rank].T @ rows[:rank]


def projector(basis: Eigenbasis) -> Array:
    return (basis.vectors @ basis.vectors.T).numpy()


WAYS = [pytest.param(way, id=way.__name__) for way in (dense, gram, randomized)]
sizes = st.tuples(st.integers(2, 30), st.integers(2, 24))


@pytest.mark.parametrize("way", WAYS)
@given(size=sizes, data=st.data(), seed=st.integers(0, 999))
def test_leading_components_are_those_of_the_singular_value_decomposition(
    way: Way, size: tuple[int, int], data: st.DataObject, seed: int
) -> None:
    images = images_of(*size, seed)
    rank = data.draw(st.integers(1, min(size[0] - 1, size[1])))
    found = way(images, rank)
    variances, projection = by_svd(images, rank + 1)[0], by_svd(images, rank)[1]
    np.testing.assert_allclose(found.variances.numpy(), variances[:rank], rtol=1e-6, atol=1e-12)
    if rank == len(variances) or variances[rank] < 0.9 * variances[rank - 1]:
        np.testing.assert_allclose(projector(found), projection, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@given(size=sizes, seed=st.integers(0, 999))
def test_every_basis_is_orthonormal_sorted_and_signed(way: Way, size: tuple[int, int], seed: int) -> None:
    found = way(images_of(*size, seed), min(size[0] - 1, size[1]))
    np.testing.assert_allclose((found.vectors.T @ found.vectors).numpy(), np.eye(found.rank), atol=1e-12)
    assert (found.variances.diff() <= 0).all() and (found.variances >= 0).all()
    largest = found.vectors[found.vectors.abs().argmax(0), torch.arange(found.rank)]
    assert (largest > 0).all()


@pytest.mark.parametrize("way", WAYS)
def test_every_basis_is_float64_and_knows_mean_shape_and_total_variance(way: Way) -> None:
    images = images_of(20, 12)
    found = way(images, 3)
    assert {found.mean.dtype, found.vectors.dtype, found.variances.dtype} == {torch.float64}
    np.testing.assert_allclose(found.mean.numpy(), images.mean(0), rtol=1e-12)
    assert (found.pixels, found.rank, found.image_shape) == (12, 3, (1, 1, 12))
    assert found.total_variance == pytest.approx(images.var(0, ddof=1).sum(), rel=1e-12)
    assert found.explained_variance == pytest.approx(by_svd(images, 3)[0].sum() / found.total_variance, rel=1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_the_ways_agree_vector_by_vector(way: Way) -> None:
    images = images_of(15, 40, decay=0.5)
    np.testing.assert_allclose(way(images, 6).vectors.numpy(), dense(images, 6).vectors.numpy(), atol=1e-6)


@given(decades=st.integers(1, 14), seed=st.integers(0, 99))
def test_gram_stays_orthonormal_and_exact_over_many_decades(decades: int, seed: int) -> None:
    """Small eigenvalues of a Gram matrix carry its rounding; it must not spoil the large ones."""
    images = images_of(12, 30, seed, decay=10 ** (-decades / 22))
    found, expected = eigenbasis.gram(images, (1, 1, 30)), by_svd(images, 11)[0]
    np.testing.assert_allclose((found.vectors.T @ found.vectors).numpy(), np.eye(found.rank), atol=1e-12)
    np.testing.assert_allclose(found.variances[:4].numpy(), expected[:4], rtol=1e-9)
    rebuilt = found.vectors @ torch.diag(found.variances) @ found.vectors.T
    np.testing.assert_allclose(rebuilt.numpy(), np.cov(images.T), atol=1e-13 * 30)


def test_randomized_depends_on_its_seed_alone() -> None:
    images = images_of(60, 40, decay=0.95)
    call = (in_batches(images), images.mean(0), 1.0, 60, (1, 1, 40), 3)
    first, again, other = (
        eigenbasis.randomized(*call, oversample=0, power_iterations=0, seed=seed).vectors for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-3)


@given(rank=st.integers(1, 20))
def test_gram_with_a_rank_makes_the_leading_components_of_gram_without(rank: int) -> None:
    images = images_of(15, 40)
    whole, found = gram(images, rank), eigenbasis.gram(images, (1, 1, 40), rank)
    assert found.rank == min(rank, 14)
    assert found.total_variance == whole.total_variance
    np.testing.assert_allclose(found.variances.numpy(), whole.variances.numpy(), rtol=1e-12)
    np.testing.assert_allclose(found.vectors.numpy(), whole.vectors.numpy(), atol=1e-10)


@given(block_bytes=st.integers(1, 10_000), count=st.integers(1, 12))
def test_randomized_does_not_depend_on_batches_or_blocks(block_bytes: int, count: int) -> None:
    images = images_of(60, 40, decay=0.6)
    mean, total = images.mean(0), images.var(0, ddof=1).sum()
    whole = eigenbasis.randomized(lambda: [images], mean, total, 60, (1, 1, 40), 3)
    pieces = eigenbasis.randomized(
        lambda: np.array_split(images, count), mean, total, 60, (1, 1, 40), 3, block_bytes=block_bytes
    )
    np.testing.assert_allclose(pieces.vectors.numpy(), whole.vectors.numpy(), atol=1e-11)
    np.testing.assert_allclose(pieces.variances.numpy(), whole.variances.numpy(), rtol=1e-11)


# --- many pixels, few components -------------------------------------------------------------------------------------


def fields_of(count: int, size: int, seed: int = 0) -> NDArray[np.float32]:
    """Colour images whose amplitudes fall as 1/f, as those of photographs do."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = 1 / size
    waves = np.fft.rfft2(random.standard_normal((count, 3, size, size))) / frequency
    return np.fft.irfft2(waves, s=(size, size)).reshape(count, -1).astype(np.float32) / size


def test_low_rank_basis_of_natural_spectra_explains_what_the_exact_one_explains() -> None:
    """The bounds of the full size, 196,608 pixels and 2,000 images, which `make bench` measures."""
    images = fields_of(500, 64)
    exact = eigenbasis.gram(images.astype(np.float64), (3, 64, 64), 50)
    mean, total = images.mean(0, dtype=np.float64), exact.total_variance
    found = eigenbasis.randomized(lambda: iter(np.array_split(images, 3)), mean, total, 500, (3, 64, 64), 50)
    assert 0.3 < exact.explained_variance < 0.9
    assert exact.explained_variance * 0.999 <= found.explained_variance <= exact.explained_variance * (1 + 1e-12)
    assert torch.linalg.svdvals(exact.vectors[:, :20].T @ found.vectors).min() > 0.999


def test_low_rank_basis_needs_memory_for_a_few_thin_matrices_and_a_block() -> None:
    """Not for the images in float64 (here 48 matrices), let alone for a matrix of pixels by pixels (1,228)."""
    images = fields_of(480, 64)
    thin, mean = images.shape[1] * 10 * 8, images.mean(0, dtype=np.float64)
    tracemalloc.start()
    try:
        eigenbasis.randomized(
            lambda: [images], mean, 1.0, 480, (3, 64, 64), 8, oversample=2, block_bytes=4 * thin, power_iterations=1
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 14 * thin


# --- degenerate data -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("value", [0.0, 0.1, -0.7])
def test_images_that_are_all_one_have_no_variance(way: Way, count: int, value: float) -> None:
    """Also where the mean of equal numbers is not quite that number."""
    images = np.full((count, 6), value)
    found = way(images, 1)
    assert found.variances.sum() < 1e-30
    assert found.total_variance < 1e-30
    carried = gaussian.state(found, torch.zeros(1, 6, dtype=torch.float64), NoiseLevel(0.0, 1.0), DATA)
    np.testing.assert_allclose(carried.numpy()[0], images[0], atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -0.7])
def test_gram_finds_no_component_in_images_that_are_all_one(value: float) -> None:
    assert eigenbasis.gram(np.full((3, 6), value), (1, 1, 6)).rank == 0


def test_data_without_variance_is_explained_entirely() -> None:
    assert dense(np.zeros((3, 6)), 6).explained_variance == 1.0


@pytest.mark.parametrize("way", WAYS)
def test_constant_pixels_are_in_no_component(way: Way) -> None:
    images = images_of(12, 8)
    images[:, [2, 5]] = -1.0
    found = way(images, 4)
    assert found.vectors[[2, 5]].abs().max() < 1e-12
    np.testing.assert_allclose(found.variances.numpy(), by_svd(images, 4)[0], rtol=1e-8)


def test_fewer_images_than_pixels_give_one_component_less_than_images() -> None:
    images = images_of(6, 20, decay=0.9)
    assert eigenbasis.gram(images, (1, 1, 20)).rank == 5
    assert dense(images, 20).variances[5:].max() < 1e-14


@pytest.mark.parametrize("rank", [0, -1, 6])
def test_randomized_refuses_a_rank_that_the_images_cannot_have(rank: int) -> None:
    with pytest.raises(ValueError, match=f"rank {rank} is not possible: 6 images of 20 pixels have rank 5 at most"):
        randomized(images_of(6, 20), rank)


# --- truncation ------------------------------------------------------------------------------------------------------


@given(rank=st.integers(1, 12))
def test_truncation_keeps_the_leading_components_and_the_total(rank: int) -> None:
    whole = dense(images_of(40, 12), 12)
    found = eigenbasis.truncate(whole, rank=rank)
    assert torch.equal(found.vectors, whole.vectors[:, :rank])
    assert torch.equal(found.variances, whole.variances[:rank])
    assert found.total_variance == whole.total_variance


@given(fraction=st.floats(1e-3, 1.0))
def test_truncation_keeps_no_more_components_than_explain_the_fraction(fraction: float) -> None:
    whole = dense(images_of(40, 12), 12)
    found = eigenbasis.truncate(whole, explained_variance=fraction)
    assert found.explained_variance >= fraction * (1 - 1e-9)
    if found.rank > 1:
        assert eigenbasis.truncate(whole, rank=found.rank - 1).explained_variance < fraction


def test_truncation_takes_the_stricter_of_rank_and_fraction() -> None:
    whole = dense(images_of(40, 12), 12)
    by_fraction = eigenbasis.truncate(whole, explained_variance=0.9).rank
    assert 2 < by_fraction < 11
    assert eigenbasis.truncate(whole, rank=2, explained_variance=0.9).rank == 2
    assert eigenbasis.truncate(whole, rank=11, explained_variance=0.9).rank == by_fraction


def test_a_rank_beyond_the_components_keeps_them_all() -> None:
    assert eigenbasis.truncate(gram(images_of(6, 20), 20), rank=20).rank == 5


@pytest.mark.parametrize("rank", [0, -3, 13])
def test_truncation_refuses_an_impossible_rank(rank: int) -> None:
    with pytest.raises(ValueError, match=f"rank {rank} is not possible: the images have 12 pixels"):
        eigenbasis.truncate(dense(images_of(40, 12), 12), rank=rank)


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1])
def test_truncation_refuses_a_fraction_that_is_none(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"explained_variance must lie in \(0, 1\]"):
        eigenbasis.truncate(dense(images_of(40, 12), 12), explained_variance=fraction)


# --- the type --------------------------------------------------------------------------------------------------------


def test_coefficients_are_components_of_the_centred_images() -> None:
    images = images_of(20, 12)
    found = dense(images, 12)
    coefficients = found.coefficients(torch.from_numpy(images).reshape(20, 1, 3, 4))
    np.testing.assert_allclose((coefficients @ found.vectors.T).numpy(), images - images.mean(0), atol=1e-12)
    np.testing.assert_allclose(coefficients.var(0).numpy(), found.variances.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("mean", "variances", "shape"), [(5, 2, (1, 2, 3)), (6, 3, (1, 2, 3)), (6, 2, (1, 2, 2))], ids=str
)
def test_shapes_that_do_not_fit_are_refused(mean: int, variances: int, shape: tuple[int, ...]) -> None:
    vectors = torch.eye(6, dtype=torch.float64)[:, :2]
    with pytest.raises(ValueError, match="an eigenbasis of 6 pixels and 2 components does not fit"):
        Eigenbasis(torch.zeros(mean), vectors, torch.ones(variances), 2.0, shape)


@pytest.mark.parametrize("variances", [[1.0, 2.0], [1.0, -0.1]])
def test_variances_out_of_order_or_negative_are_refused(variances: list[float]) -> None:
    with pytest.raises(ValueError, match="sorted, largest first, and not negative"):
        Eigenbasis(torch.zeros(6), torch.eye(6)[:, :2], torch.tensor(variances), 3.0, (1, 2, 3))
