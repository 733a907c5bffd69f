"""Mixtures against scipy's densities, automatic differentiation, dense matrices, and the one Gaussian."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.io import artifacts
from underpainting.noise.levels import NoiseLevel, vp_level
from underpainting.theory import gaussian, mixture_moments, mixtures
from underpainting.theory.mixtures import Mixture, MixtureDenoiser, Mode

Array = NDArray[np.float64]
PIXELS = 6
SIGMAS = [1e-4, 1e-3, 0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 200.0]
LEVELS = [NoiseLevel(1.0, sigma) for sigma in SIGMAS] + [vp_level(sigma) for sigma in SIGMAS]
NAMES = ["log_density", "score", "endpoint"]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_mode(rank: int, rest: float, seed: int, pixels: int = PIXELS) -> Mode:
    vectors = torch.linalg.qr(random(pixels, pixels, seed=seed)).Q[:, :rank]
    return Mode(random(pixels, seed=seed + 1), vectors, random(rank, seed=seed + 2).square(), rest)


def make_mixture(kinds: list[tuple[int, float]], seed: int = 0) -> Mixture:
    weights = random(len(kinds), seed=seed).exp()
    modes = [make_mode(rank, rest, seed + 10 * index) for index, (rank, rest) in enumerate(kinds)]
    return Mixture(weights / weights.sum(), modes, (1, 2, 3))


def every_kind(rest: float = 0.2) -> Mixture:
    """Full, low-rank with and without a rest, isotropic, a point."""
    return make_mixture([(PIXELS, 0.0), (2, rest), (3, 0.0), (0, rest), (0, 0.0)])


def states(mixture: Mixture, level: NoiseLevel, seed: int = 5) -> Tensor:
    """One state x_t from each mode."""
    drawn = []
    for index, mode in enumerate(mixture.modes):
        spread = mode.variances.sqrt() * random(mode.rank, seed=seed + index)
        off = mode.rest**0.5 * random(PIXELS, seed=seed + index + 50)
        data = mode.mean + mode.vectors @ spread + off - mode.vectors @ (mode.vectors.T @ off)
        drawn.append(level.alpha * data + level.sigma * random(PIXELS, seed=seed + index + 100))
    return torch.stack(drawn).reshape(-1, 1, 2, 3)


def covariance(mode: Mode) -> Array:
    vectors, pixels = mode.vectors.numpy(), mode.pixels
    return vectors @ np.diag(mode.variances.numpy()) @ vectors.T + mode.rest * (np.eye(pixels) - vectors @ vectors.T)


def dense_joint(mixture: Mixture, images: Tensor, level: NoiseLevel) -> Array:
    """log pi_i + log N_i by scipy, shape (sample, mode)."""
    flat = images.flatten(1).double().numpy()
    columns = [
        np.log(float(weight))
        + multivariate_normal(
            level.alpha * mode.mean.numpy(), level.sigma**2 * np.eye(PIXELS) + level.alpha**2 * covariance(mode)
        ).logpdf(flat)
        for weight, mode in zip(mixture.weights, mixture.modes, strict=True)
    ]
    return np.stack([np.reshape(column, len(flat)) for column in columns], 1)  # scipy drops the axis of one sample


def dense_endpoint(mixture: Mixture, images: Tensor, level: NoiseLevel) -> Tensor:
    """Conditional expectations of jointly Gaussian variables, by dense solves."""
    joint = dense_joint(mixture, images, level)
    weights, result = np.exp(joint - logsumexp(joint, axis=1, keepdims=True)), np.zeros((len(images), PIXELS))
    for index, mode in enumerate(mixture.modes):
        total = level.sigma**2 * np.eye(PIXELS) + level.alpha**2 * covariance(mode)
        centred = images.flatten(1).numpy() - level.alpha * mode.mean.numpy()
        gain = level.alpha * np.linalg.solve(total, covariance(mode))
        result += weights[:, [index]] * (mode.mean.numpy() + centred @ gain)
    return torch.from_numpy(result).reshape(images.shape)


def error(found: Tensor, expected: Tensor | Array) -> float:
    expected = torch.as_tensor(expected)
    assert found.isfinite().all()
    return float((found - expected).abs().max() / expected.abs().max())


level = st.builds(NoiseLevel, st.floats(0.05, 1.0), st.floats(0.05, 50.0))
kind = st.tuples(st.integers(0, PIXELS), st.one_of(st.just(0.0), st.floats(1e-3, 2.0)))
mixture = st.builds(make_mixture, st.lists(kind, min_size=1, max_size=4), st.integers(0, 2**16))


# --- the formulas ----------------------------------------------------------------------------------------------------


@given(mixture=mixture, level=level)
def test_log_density_and_responsibilities_are_scipys(mixture: Mixture, level: NoiseLevel) -> None:
    images = states(mixture, level)
    joint = dense_joint(mixture, images, level)
    assert np.allclose(mixtures.log_density(mixture, images, level), logsumexp(joint, axis=1), rtol=1e-8, atol=1e-8)
    shares = mixtures.responsibilities(mixture, images, level)
    assert np.allclose(shares, np.exp(joint - logsumexp(joint, axis=1, keepdims=True)), atol=1e-7)
    assert torch.allclose(shares.sum(1), torch.ones(len(images), dtype=torch.float64), atol=1e-14)


@given(mixture=mixture, level=level)
def test_endpoint_is_the_conditional_expectation(mixture: Mixture, level: NoiseLevel) -> None:
    images = states(mixture, level)
    assert error(mixtures.endpoint(mixture, images, level), dense_endpoint(mixture, images, level)) < 1e-7


@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("rest", [0.2, 1e-6])
def test_score_is_the_gradient_of_the_log_density(level: NoiseLevel, rest: float) -> None:
    mixture = every_kind(rest)
    images = states(mixture, level).requires_grad_()
    (gradient,) = torch.autograd.grad(mixtures.log_density(mixture, images, level).sum(), images)
    score = mixtures.score(mixture, images.detach(), level)
    for one, other in zip(score, gradient, strict=True):
        assert error(one, other) < 1e-10


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_endpoint_and_score_are_one_statement(level: NoiseLevel) -> None:
    """x + sigma^2 score = alpha x0_hat (Tweedie)."""
    mixture = every_kind()
    images = states(mixture, level)
    left = images + level.sigma**2 * mixtures.score(mixture, images, level)
    difference = (left - level.alpha * mixtures.endpoint(mixture, images, level)).abs().max()
    assert difference < 1e-11 * max(float(images.abs().max()), 1.0)


@given(seed=st.integers(0, 2**16), width=st.floats(0.01, 2.0), level=level)
def test_equal_isotropic_modes_follow_the_closed_form(seed: int, width: float, level: NoiseLevel) -> None:
    """Eq. 94-96, with sigma_t^2 in front of the sum of Eq. 96; without it the estimate is wrong."""
    none = torch.zeros(0, dtype=torch.float64)
    means = random(5, PIXELS, seed=seed)
    modes = [Mode(mean, none.expand(PIXELS, 0), none, width**2) for mean in means]
    mixture = Mixture(torch.full((5,), 0.2), modes, (1, 2, 3))
    images = states(mixture, level, seed)
    x, total = images.flatten(1), level.sigma**2 + level.alpha**2 * width**2
    weights = (-(x[:, None] - level.alpha * means).square().sum(2) / (2 * total)).softmax(1)
    pull = weights @ (level.alpha * means)
    score = (pull - x) / total
    endpoint = (level.alpha**2 * width**2 / total * x + level.sigma**2 / total * pull) / level.alpha
    assert error(mixtures.responsibilities(mixture, images, level), weights) < 1e-9
    assert error(mixtures.score(mixture, images, level).flatten(1), score) < 1e-9
    assert error(mixtures.endpoint(mixture, images, level).flatten(1), endpoint) < 1e-9
    as_printed = (level.alpha**2 * width**2 / total * x + pull / total) / level.alpha
    if abs(level.sigma - 1) > 0.01:
        assert error(mixtures.endpoint(mixture, images, level).flatten(1), as_printed) > 1e-6


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_one_mode_is_the_gaussian(basis: Eigenbasis, level: NoiseLevel) -> None:
    one = Mixture.of_basis(basis)
    noise, spread = random(4, 16, seed=7), basis.variances.sqrt() * random(4, 5, seed=8)
    images = (level.alpha * (basis.mean + spread @ basis.vectors.T) + level.sigma * noise).reshape(4, 1, 4, 4)
    assert error(mixtures.score(one, images, level), gaussian.score(basis, images, level)) < 1e-10
    assert error(mixtures.endpoint(one, images, level), gaussian.endpoint(basis, images, level)) < 1e-12


def test_a_mode_split_in_two_changes_nothing() -> None:
    level, mode = NoiseLevel(0.7, 0.5), make_mode(2, 0.1, 3)
    one, two = Mixture(torch.ones(1), [mode], (1, 2, 3)), Mixture(torch.tensor([0.3, 0.7]), [mode, mode], (1, 2, 3))
    images = states(one, level)
    for name in NAMES:
        function = getattr(mixtures, name)
        assert error(function(two, images, level), function(one, images, level)) < 1e-7  # 0.3 + 0.7 in float32


# --- numbers of every size -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [*LEVELS, NoiseLevel(0.0, 1.0)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_nothing_overflows(level: NoiseLevel, dtype: torch.dtype) -> None:
    mixture = every_kind().to(dtype)
    for images in (states(every_kind(), level), 1e3 * random(3, 1, 2, 3), torch.zeros(3, 1, 2, 3)):
        for name in [*NAMES, "responsibilities"]:
            assert getattr(mixtures, name)(mixture, images.to(dtype), level).isfinite().all()


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_float32_is_near_float64(level: NoiseLevel) -> None:
    double = every_kind()
    images = states(double, level).float()
    expected = mixtures.endpoint(double, images, level).double()
    found = mixtures.endpoint(double.to(torch.float32), images, level)
    assert found.dtype == torch.float32
    assert error(found.double(), expected) < 1e-3


def test_modes_are_exact_where_the_score_cancels() -> None:
    """At sigma = 1e-4 the endpoint estimate of a full mode is the state itself, up to sigma^2 / lambda."""
    mixture, level = make_mixture([(PIXELS, 0.0)]), NoiseLevel(1.0, 1e-4)
    images = states(mixture, level)
    assert error(mixtures.endpoint(mixture, images, level), dense_endpoint(mixture, images, level)) < 1e-12


def test_at_no_noise_the_state_is_its_own_endpoint() -> None:
    mixture, level = every_kind(), NoiseLevel(0.5, 0.0)
    images = random(3, 1, 2, 3)
    assert torch.equal(mixtures.endpoint(mixture, images, level), 2 * images)
    full = make_mixture([(PIXELS, 0.0), (2, 0.3)])
    joint = dense_joint(full, images, level)
    assert np.allclose(mixtures.log_density(full, images, level), logsumexp(joint, axis=1))
    for name in ("log_density", "score", "responsibilities"):
        with pytest.raises(ValueError, match="no density at sigma = 0"):
            getattr(mixtures, name)(mixture, images, level)


def test_denoiser_keeps_shape_and_dtype() -> None:
    mixture, level = every_kind(), NoiseLevel(0.6, 0.8)
    images = states(mixture, level).float()
    found = MixtureDenoiser(mixture)(images, level.alpha, level.sigma)
    assert found.dtype == torch.float32 and found.shape == images.shape
    assert error(found.double(), dense_endpoint(mixture, images.double(), level)) < 1e-6


# --- from moments ----------------------------------------------------------------------------------------------------


def class_moments(counts: list[int], seed: int = 0) -> tuple[list[int], Array, Array]:
    images = [random(count, PIXELS, seed=seed + label).numpy() * (1 + label) for label, count in enumerate(counts)]
    return counts, np.stack([each.mean(0) for each in images]), np.stack([np.cov(each.T) for each in images])


def test_full_modes_have_the_covariance_of_their_class() -> None:
    counts, means, matrices = class_moments([30, 10, 4])
    mixture = mixture_moments.of_moments(counts, means, matrices, (1, 2, 3))
    assert np.allclose(mixture.weights, np.array(counts) / 44)
    assert [mode.rank for mode in mixture.modes] == [PIXELS, PIXELS, 3]
    for mode, mean, matrix in zip(mixture.modes, means, matrices, strict=True):
        assert np.allclose(mode.mean, mean) and np.allclose(covariance(mode), matrix, atol=1e-13)


@pytest.mark.parametrize(("kind", "rank"), [("low_rank", 2), ("low_rank", 6), ("isotropic", None)])
def test_the_rest_keeps_the_total_variance(kind: mixture_moments.Covariance, rank: int | None) -> None:
    counts, means, matrices = class_moments([30, 10])
    mixture = mixture_moments.of_moments(counts, means, matrices, (1, 2, 3), kind, rank)
    for mode, matrix in zip(mixture.modes, matrices, strict=True):
        leading = np.linalg.eigvalsh(matrix)[::-1][: rank or 0]
        assert np.allclose(mode.variances, leading)
        assert np.trace(covariance(mode)) == pytest.approx(np.trace(matrix))
        others = np.linalg.eigvalsh(covariance(mode))[: PIXELS - (rank or 0)]
        assert np.allclose(others, mode.rest if rank != PIXELS else [])


def test_isotropic_modes_need_variances_only() -> None:
    counts, means, matrices = class_moments([30, 10])
    variances = np.stack([np.diag(matrix) for matrix in matrices])
    found = mixture_moments.of_moments(counts, means, variances, (1, 2, 3), "isotropic")
    expected = mixture_moments.of_moments(counts, means, matrices, (1, 2, 3), "isotropic")
    assert [mode.rest for mode in found.modes] == pytest.approx([mode.rest for mode in expected.modes])
    with pytest.raises(ValueError, match=r"low_rank needs covariance matrices.*set covariance to isotropic"):
        mixture_moments.of_moments(counts, means, variances, (1, 2, 3), "low_rank", 2)


def test_moments_that_do_not_suffice_name_the_class() -> None:
    counts, means, matrices = class_moments([30, 10])
    make = mixture_moments.of_moments
    with pytest.raises(ValueError, match="class 1 has no image; leave it out"):
        make([30, 0], means, matrices, (1, 2, 3))
    with pytest.raises(ValueError, match="class 0 has 1 image, too few for a covariance; add images"):
        make([1, 10], means, matrices, (1, 2, 3))
    with pytest.raises(ValueError, match=r"rank 4 is not possible: class 1 has 4 images.*set rank to 3 or less"):
        make([30, 4], means, matrices, (1, 2, 3), "low_rank", 4)
    with pytest.raises(ValueError, match=r"rank 7 is not possible: class 0 has 30 images of 6 pixels"):
        make(counts, means, matrices, (1, 2, 3), "low_rank", 7)
    with pytest.raises(ValueError, match="low_rank needs a rank"):
        make(counts, means, matrices, (1, 2, 3), "low_rank")
    with pytest.raises(ValueError, match="full takes no rank"):
        make(counts, means, matrices, (1, 2, 3), "full", 2)
    with pytest.raises(ValueError, match="'tied' is unknown; use full, low_rank or isotropic"):
        make(counts, means, matrices, (1, 2, 3), "tied")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"means of shape \(2, 6\) do not fit 3 classes"):
        make([30, 10, 5], means, matrices, (1, 2, 3))


# --- files and slips -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [1e-4, 0.1, 10.0])
def test_a_saved_mixture_is_the_same_to_the_rounding_of_its_axes(tmp_path: Path, sigma: float) -> None:
    saved, level = every_kind(), NoiseLevel(1.0, sigma)
    path, again = tmp_path / "mixture.zarr.zip", tmp_path / "again.zarr.zip"
    mixtures.save(saved, path, {"study": "test"}, labels=[0, 3, 1])
    mixtures.save(saved, again, {"study": "test"}, labels=[0, 3, 1])
    assert path.read_bytes() == again.read_bytes()
    assert artifacts.load(path)["label"].values.tolist() == [0, 3, 1]
    loaded = mixtures.load(path)
    assert loaded.image_shape == saved.image_shape and loaded.dtype == torch.float64
    assert torch.allclose(loaded.weights, saved.weights, rtol=0, atol=1e-16)
    for one, other in zip(loaded.modes, saved.modes, strict=True):
        assert torch.equal(one.mean, other.mean) and torch.equal(one.variances, other.variances)
        assert one.rest == other.rest and torch.allclose(one.vectors, other.vectors, rtol=0, atol=1e-7)
        assert (one.vectors.T @ one.vectors - torch.eye(one.rank)).abs().sum() < 1e-12
    images = states(saved, level)
    assert error(mixtures.endpoint(loaded, images, level), mixtures.endpoint(saved, images, level)) < 1e-5


def test_another_artifact_is_refused(tmp_path: Path) -> None:
    import xarray as xr

    path = tmp_path / "other.zarr.zip"
    artifacts.save(xr.Dataset({"means": artifacts.array(np.zeros(3), "mode", "nothing")}), path)
    with pytest.raises(artifacts.ArtifactError, match="not a mixture of images"):
        mixtures.load(path)


def test_slips_are_named() -> None:
    mode, weights = make_mode(2, 0.1, 0), torch.tensor([0.5, 0.5])
    with pytest.raises(ValueError, match="must be positive with sum 1"):
        Mixture(torch.tensor([0.5, 0.6]), [mode, mode], (1, 2, 3))
    with pytest.raises(ValueError, match="must be positive with sum 1"):
        Mixture(torch.tensor([1.0, 0.0]), [mode, mode], (1, 2, 3))
    with pytest.raises(ValueError, match=r"1 modes do not fit weights of shape \(2,\)"):
        Mixture(weights, [mode], (1, 2, 3))
    with pytest.raises(ValueError, match="mode 1 of 4 pixels does not fit"):
        Mixture(weights, [mode, make_mode(2, 0.1, 0, pixels=4)], (1, 2, 3))
    with pytest.raises(ValueError, match=r"bring them to one dtype"):
        Mixture(weights, [mode, mode.to(torch.float32)], (1, 2, 3))
    with pytest.raises(ValueError, match="must not be negative"):
        Mode(mode.mean, mode.vectors, mode.variances, -0.1)
    with pytest.raises(ValueError, match="does not fit a mean"):
        Mode(mode.mean[1:], mode.vectors, mode.variances, 0.1)
    with pytest.raises(ValueError, match="does not fit variances"):
        Mode(mode.mean, mode.vectors, mode.variances[1:], 0.1)
    with pytest.raises(ValueError, match=r"shape \(3, 2, 3\) do not fit a mixture of 6 pixels"):
        mixtures.score(every_kind(), torch.zeros(1, 3, 2, 3), NoiseLevel(1.0, 1.0))
