"""Fitted mixtures against the clusters that made the images, numpy's covariances and dense weighted sums."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from underpainting.noise.levels import NoiseLevel
from underpainting.theory import mixture_fit, mixture_moments, mixtures
from underpainting.theory.mixture_moments import Covariance
from underpainting.theory.mixtures import Mixture, Mode

Array = NDArray[np.float64]
METHODS = ["kmeans", "em"]


def blobs(counts: tuple[int, ...] = (60, 40, 25), pixels: int = 8, apart: float = 20.0) -> tuple[Array, Array]:
    """Images of clusters far from each other, each with a covariance of its own, shuffled, and their clusters."""
    random = np.random.default_rng(0)
    images, labels = [], []
    for label, count in enumerate(counts):
        shape = random.standard_normal((pixels, pixels)) / pixels**0.5
        images.append(apart * np.eye(len(counts), pixels)[label] + random.standard_normal((count, pixels)) @ shape)
        labels.append(np.full(count, label))
    order = random.permutation(sum(counts))
    return np.concatenate(images)[order], np.concatenate(labels)[order]


def covariance(mode: Mode) -> Array:
    vectors = mode.vectors.numpy()
    off = np.eye(mode.pixels) - vectors @ vectors.T
    return vectors @ np.diag(mode.variances.numpy()) @ vectors.T + mode.rest * off


def equal(one: Mixture, other: Mixture) -> bool:
    pairs = zip(one.modes, other.modes, strict=True)
    return torch.equal(one.weights, other.weights) and all(
        torch.equal(a.mean, b.mean) and torch.equal(a.vectors, b.vectors) and a.rest == b.rest for a, b in pairs
    )


@pytest.mark.parametrize("method", METHODS)
def test_clusters_far_apart_are_found_with_their_moments(method: mixture_fit.Method) -> None:
    images, truth = blobs()
    mixture, labels = mixture_fit.fit(images, 3, method, image_shape=(2, 2, 2))
    assert labels.dtype == np.int64 and np.array_equal(labels, truth)  # blobs come by decreasing size, as modes do
    assert np.allclose(mixture.weights, np.array([60, 40, 25]) / 125)
    for label, mode in enumerate(mixture.modes):
        own = images[truth == label]
        assert np.allclose(mode.mean, own.mean(0)) and np.allclose(covariance(mode), np.cov(own.T))


@pytest.mark.parametrize(("kind", "rank"), [("full", None), ("low_rank", 3), ("isotropic", None)])
def test_modes_are_those_of_the_moments_of_their_clusters(kind: Covariance, rank: int | None) -> None:
    images, truth = blobs()
    clusters = [images[truth == label] for label in range(3)]
    found, _ = mixture_fit.fit(images.astype(np.float32), 3, "kmeans", kind, rank, image_shape=(2, 2, 2))
    expected = mixture_moments.of_moments(
        [len(each) for each in clusters],
        [each.mean(0) for each in clusters],
        [np.cov(each.T) for each in clusters],
        (2, 2, 2),
        kind,
        rank,
    )
    for one, other in zip(found.modes, expected.modes, strict=True):
        assert one.rank == other.rank and np.allclose(covariance(one), covariance(other), atol=1e-5)


def test_em_weighs_each_image_by_its_responsibility() -> None:
    """Clusters that overlap: the moments are those of numpy with scikit-learn's responsibilities as weights."""
    from sklearn.mixture import GaussianMixture

    images, _ = blobs((300, 200), apart=1.0)
    found, labels = mixture_fit.fit(images, 2, "em", seed=3, image_shape=(1, 2, 4))
    rows = (images - images.mean(0)) @ np.linalg.svd(images - images.mean(0))[2].T
    floor = 1e-6 * rows.var(0).mean()
    shares = GaussianMixture(2, reg_covar=floor, max_iter=300, random_state=3).fit(rows).predict_proba(rows)
    shares = shares[:, np.argsort(-shares.sum(0))]
    assert (shares * (1 - shares)).mean() > 0.001, "the clusters must overlap, or nothing is tested"
    assert np.allclose(found.weights, shares.mean(0), atol=1e-3)
    for share, mode in zip(shares.T, found.modes, strict=True):
        assert np.allclose(mode.mean, np.average(images, axis=0, weights=share), atol=1e-2)
        assert np.allclose(covariance(mode), np.cov(images.T, aweights=share), atol=2e-2)
    assert (labels == shares.argmax(1)).mean() > 0.98


@settings(max_examples=10)
@given(seed=st.integers(0, 2**16), method=st.sampled_from(METHODS), modes=st.integers(1, 4))
def test_a_mixture_keeps_mean_and_total_variance(seed: int, method: mixture_fit.Method, modes: int) -> None:
    """Within and between variances add up, whatever the clusters (law of total variance)."""
    images = np.random.default_rng(seed).standard_normal((120, 4))
    mixture, labels = mixture_fit.fit(images, modes, method, "isotropic", seed=seed, image_shape=(1, 2, 2))
    weights = mixture.weights.numpy()
    means = np.stack([mode.mean.numpy() for mode in mixture.modes])
    assert np.allclose(weights @ means, images.mean(0), atol=1e-9)
    within = sum(weight * 4 * mode.rest for weight, mode in zip(weights, mixture.modes, strict=True))
    between = (weights[:, None] * (means - images.mean(0)) ** 2).sum()
    assert within + between == pytest.approx(images.var(0).sum(), rel=0.04 * modes)  # each n_i - 1 for n_i
    assert (np.diff(weights) <= 1e-12).all() and set(labels) <= set(range(modes))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes(method: mixture_fit.Method) -> None:
    images = load_digits().data / 8 - 1
    runs = [mixture_fit.fit(images, 5, method, "low_rank", 4, seed, image_shape=(1, 8, 8)) for seed in (1, 1, 2)]
    assert equal(runs[0][0], runs[1][0]) and np.array_equal(runs[0][1], runs[1][1])
    assert not equal(runs[0][0], runs[2][0])


def test_without_a_covariance_matrix_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    images = (load_digits().data / 8 - 1)[:300]
    shapes = [("low_rank", 5), ("full", None)]
    dense = [mixture_fit.fit(images, 2, "em", kind, rank, image_shape=(1, 8, 8))[0] for kind, rank in shapes]
    monkeypatch.setattr(mixture_fit, "_DENSE_PIXELS", 10)
    monkeypatch.setattr(mixture_fit, "_DENSE_PIXELS_LEADING", 10)
    for (kind, rank), expected in zip(shapes, dense, strict=True):
        found = mixture_fit.fit(images, 2, "em", kind, rank, image_shape=(1, 8, 8))[0]
        assert torch.allclose(found.weights, expected.weights, atol=1e-6)
        for one, other in zip(found.modes, expected.modes, strict=True):
            assert np.allclose(covariance(one), covariance(other), atol=1e-4)


def test_more_modes_describe_digits_better() -> None:
    data = torch.from_numpy(load_digits().data / 8 - 1).reshape(-1, 1, 8, 8)
    fitted = [mixture_fit.fit(data[::2].flatten(1).numpy(), modes, image_shape=(1, 8, 8))[0] for modes in (1, 5, 10)]
    held_out = [float(mixtures.log_density(mixture, data[1::2], NoiseLevel(1.0, 0.2)).mean()) for mixture in fitted]
    assert held_out[0] < held_out[1] < held_out[2]


def test_slips_are_named() -> None:
    images, _ = blobs()
    shape = (2, 2, 2)
    with pytest.raises(ValueError, match="3 modes cannot be fitted to 2 images; take 1 to 2"):
        mixture_fit.fit(images[:2], 3, image_shape=shape)
    with pytest.raises(ValueError, match="method 'dbscan' is unknown; use kmeans or em"):
        mixture_fit.fit(images, 3, "dbscan", image_shape=shape)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"mode 1 got 1 images, too few.*fewer than 2 modes"):
        mixture_fit.fit(np.vstack([images[:5] * 0, np.full((1, 8), 9.0)]), 2, image_shape=shape)
    with pytest.raises(ValueError, match=r"mode 1 got 0 images, too few for a covariance"):
        mixture_fit.fit(np.ones((5, 8)), 2, image_shape=shape)
    with pytest.raises(
        ValueError, match=r"rank 8 is not possible: mode 0 has 3 images of 8 pixels, a rank of 2 at most"
    ):
        mixture_fit.fit(images[:3], 1, "kmeans", "low_rank", 8, image_shape=shape)
    with pytest.raises(ValueError, match="low_rank needs a rank"):
        mixture_fit.fit(images, 3, "kmeans", "low_rank", image_shape=shape)
