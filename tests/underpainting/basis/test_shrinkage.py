"""Shrinkage of a Gaussian of few samples: its weights at both limits, its error beside those of the samples and of the target."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.bases import make_basis
from underpainting.basis.eigenbasis import Eigenbasis, basis_of_images
from underpainting.basis.shrinkage import ShrunkGaussian, shrunk_gaussian

PIXELS = 12
TARGET = make_basis(PIXELS, [4.0 / (1 + k) for k in range(PIXELS)], 0)
OTHER = make_basis(PIXELS, [2.0 / (1 + k) for k in range(PIXELS)], 1)


def draws(basis: Eigenbasis, count: int, seed: int) -> np.ndarray:
    """Samples of a Gaussian, shape (sample, pixel)."""
    white = np.random.default_rng(seed).standard_normal((count, basis.rank))
    samples: np.ndarray = basis.mean.numpy() + (white * basis.variances.sqrt().numpy()) @ basis.vectors.numpy().T
    return samples


def covariance(basis: Eigenbasis) -> torch.Tensor:
    return (basis.vectors * basis.variances) @ basis.vectors.T


def errors(found: Eigenbasis, true: Eigenbasis) -> tuple[float, float]:
    """Squared errors of mean and covariance."""
    return (
        float((found.mean - true.mean).square().sum()),
        float((covariance(found) - covariance(true)).square().sum()),
    )


def test_many_samples_of_another_gaussian_are_kept() -> None:
    found = shrunk_gaussian(draws(OTHER, 100_000, 2), TARGET)
    assert found.mean_weight < 1e-3 and found.covariance_weight < 1e-3
    of_mean, of_covariance = errors(found.basis, OTHER)
    assert of_mean < 1e-3 and of_covariance < 1e-3


@pytest.mark.parametrize("count", [0, 1])
def test_no_spread_of_samples_gives_the_target(count: int) -> None:
    found = shrunk_gaussian(draws(OTHER, count, 3), TARGET)
    assert found == ShrunkGaussian(found.basis, 1.0, 1.0)
    assert torch.equal(covariance(found.basis), covariance(TARGET)) and torch.equal(found.basis.mean, TARGET.mean)


def test_samples_of_the_target_are_replaced_by_it() -> None:
    weights = np.array([shrunk_gaussian(draws(TARGET, 40, seed), TARGET)[1:] for seed in range(20)])
    assert (weights.mean(0) > 0.8).all()


@pytest.mark.parametrize("count", [3, 10, 100])
def test_the_error_is_less_than_that_of_the_samples_and_of_the_target(count: int) -> None:
    """On average, which is what the weights minimise."""
    found, own = [], []
    for seed in range(40):
        samples = draws(OTHER, count, seed)
        found.append(errors(shrunk_gaussian(samples, TARGET).basis, OTHER))
        own.append(errors(basis_of_images(samples, TARGET.image_shape), OTHER))
    best = np.minimum(np.mean(own, 0), errors(TARGET, OTHER))
    assert (np.mean(found, 0) < best * 1.02).all()
    if count < 100:
        assert (np.mean(found, 0) < 0.97 * np.mean(own, 0)).all()


def test_weights_are_those_of_the_formulas() -> None:
    samples = draws(OTHER, 7, 5)
    centred = samples - samples.mean(0)
    own, target = np.cov(samples.T), covariance(TARGET).numpy()
    of_mean = np.trace(own) / 7 / np.square(samples.mean(0) - TARGET.mean.numpy()).sum()
    plain = centred.T @ centred / 7
    error = 7 / 6**3 * sum(np.square(np.outer(row, row) - plain).sum() for row in centred)
    found = shrunk_gaussian(samples, TARGET)
    assert found.mean_weight == pytest.approx(min(1, of_mean))
    weight = min(1, error / np.square(own - target).sum())
    assert found.covariance_weight == pytest.approx(weight) and 0 < weight < 1
    expected = (1 - weight) * own + weight * target
    assert np.allclose(covariance(found.basis), expected, atol=1e-12)
    assert found.basis.total_variance == pytest.approx(np.trace(expected))


@given(st.integers(0, 30), st.integers(0, 1000), st.integers(1, PIXELS))
def test_weights_lie_between_zero_and_one_and_the_rank_is_kept(count: int, seed: int, rank: int) -> None:
    found = shrunk_gaussian(draws(OTHER, count, seed), TARGET, rank)
    assert 0 <= found.mean_weight <= 1 and 0 <= found.covariance_weight <= 1
    assert found.basis.rank <= rank


def test_more_dimensions_than_samples_and_components() -> None:
    target = make_basis(100, [3.0, 2.0, 1.0], 6)
    found = shrunk_gaussian(draws(make_basis(100, [2.0, 1.0], 7), 9, 8), target)
    assert found.basis.rank <= 8 + 3


def test_samples_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="12 dimensions"):
        shrunk_gaussian(np.zeros((4, 5)), TARGET)
    with pytest.raises(ValueError, match="not finite"):
        shrunk_gaussian(np.full((4, PIXELS), np.nan), TARGET)
