"""The rotation: its identities for every path, its bounds where they hold, the paper's slips by counterexample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq
from torch import Tensor

from tests.helpers.bases import make_basis
from underpainting.analysis import geometry
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise.levels import (
    DATA,
    FlowMatching,
    NoiseGrid,
    NoiseLevel,
    NoisePath,
    VarianceExploding,
    VariancePreserving,
    vp_level,
)
from underpainting.theory import flow, gaussian, rotation
from underpainting.theory.gaussian import GaussianDenoiser

PAPER = 2 * (1 - np.sqrt(2) / 2)
NOISE = NoiseLevel(0.0, 1.0)

variance = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))
positive = st.floats(1e-6, 1e6)
angle = st.floats(0.0, np.pi / 2)
level = st.builds(NoiseLevel, st.floats(0.0, 1.0), st.floats(0.02, 80.0))
PATHS = [
    pytest.param(VariancePreserving(), 1.0, id="variance preserving"),
    pytest.param(VarianceExploding(), 80.0, id="variance exploding"),
    pytest.param(FlowMatching(), 1.0, id="flow matching"),
]


def on_circle(phi: float) -> NoiseLevel:
    return NoiseLevel(float(np.cos(phi)), float(np.sin(phi)))


@st.composite
def bases(draw: st.DrawFn) -> Eigenbasis:
    """Data of 1 to 6 pixels, from full rank down to a single point."""
    pixels = draw(st.integers(1, 6))
    values = st.one_of(st.just(0.0), st.floats(1e-3, 100.0))
    return make_basis(pixels, draw(st.lists(values, max_size=pixels)), draw(st.integers(0, 2**16)))


def noise_of(basis: Eigenbasis, source: NoiseLevel, seed: int = 0, count: int = 3) -> Tensor:
    return source.sigma * torch.from_numpy(np.random.default_rng(seed).standard_normal((count, *basis.image_shape)))


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-10) -> bool:
    """Whether the largest difference is small beside the largest value."""
    return float((found - expected).abs().max()) <= tolerance * max(float(expected.abs().max()), 1e-3)


def deficit_67(variance: float, level: NoiseLevel) -> float:
    """Eq. 67, the defining form of J."""
    alpha, sigma = level
    return float(np.sqrt(sigma**2 + variance * alpha**2) - alpha * np.sqrt(variance) - sigma)


# --- the exact decomposition -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "latest"), PATHS)
@given(basis=bases(), begin=st.floats(0.2, 1.0), end=st.floats(0.01, 1.0))
def test_rotation_and_remainder_make_the_state_exactly(
    path: NoisePath, latest: float, basis: Eigenbasis, begin: float, end: float
) -> None:
    """Eq. 66 for any alpha_T: x_t = a x_0 + b x_T + R_t."""
    source, target = path.level(begin * latest), path.level(end * begin * latest)
    noise = noise_of(basis, source)
    image = gaussian.state(basis, noise, source, DATA)
    rotating = rotation.rotate(noise, image, source, target)
    remainder = rotation.remainder(basis, noise, source, target)
    assert close(rotating + remainder, gaussian.state(basis, noise, source, target))


@given(basis=bases(), source=level, target=level)
def test_the_decomposition_holds_towards_noise_too(basis: Eigenbasis, source: NoiseLevel, target: NoiseLevel) -> None:
    noise = noise_of(basis, source)
    rotating = rotation.rotate(noise, gaussian.state(basis, noise, source, DATA), source, target)
    remainder = rotation.remainder(basis, noise, source, target)
    scale = float((rotating.abs() + remainder.abs()).max())
    assert torch.allclose(rotating + remainder, gaussian.state(basis, noise, source, target), atol=1e-10 * scale)


@given(variance=variance, source=level, target=level)
def test_remainder_gain_is_the_difference_in_the_paper(variance: float, source: NoiseLevel, target: NoiseLevel) -> None:
    """The braces below Eq. 66, where nothing cancels badly."""
    b = target.sigma / source.sigma
    a = target.alpha - source.alpha * b
    terms = (gaussian.psi(variance, source, target), b, a * gaussian.psi(variance, source, DATA))
    expected = terms[0] - terms[1] - terms[2]
    found = rotation.remainder_gain(variance, source, target)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-13 * max(map(abs, terms)))


@given(basis=bases(), source=level, target=level)
def test_remainder_lies_on_the_manifold(basis: Eigenbasis, source: NoiseLevel, target: NoiseLevel) -> None:
    left = rotation.remainder(basis, noise_of(basis, source), source, target).flatten(1)
    assert torch.allclose(left @ basis.vectors @ basis.vectors.T, left, rtol=1e-10, atol=1e-10)


@given(basis=bases(), source=level, target=level)
def test_squared_remainder_is_the_squared_norm(basis: Eigenbasis, source: NoiseLevel, target: NoiseLevel) -> None:
    """Eq. 71, from the norm of the image itself."""
    noise = noise_of(basis, source)
    left = rotation.remainder(basis, noise, source, target).flatten(1)
    found = rotation.squared_remainder(basis, noise, source, target)
    assert torch.allclose(found, torch.linalg.vector_norm(left, dim=1) ** 2, rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize(("path", "latest"), PATHS)
@given(variance=variance, begin=st.floats(0.05, 1.0), end=st.floats(0.0, 1.0))
def test_a_triangle_bounds_the_remainder_on_every_path(
    path: NoisePath, latest: float, variance: float, begin: float, end: float
) -> None:
    """-min(b, a psi(0)) <= g <= 0 as long as the target is not noisier than the source."""
    source = path.level(begin * latest)
    target = path.level(end * begin * latest) if end > 1e-3 else DATA
    a, b = rotation.weights(*target, source)
    smaller = min(b, a * gaussian.psi(variance, source, DATA))
    assert -smaller * (1 + 1e-9) - 1e-15 <= rotation.remainder_gain(variance, source, target) <= 1e-15


def test_geometry_rotates_with_the_same_weights() -> None:
    grid = NoiseGrid.of([vp_level(ratio) for ratio in (50.0, 3.0, 0.4, 0.0)])
    states = np.random.default_rng(0).standard_normal((2, 4, 5))
    found = geometry.rotation_states(states, grid)
    for step, target in enumerate(grid):
        noise, image = torch.from_numpy(states[:, 0]), torch.from_numpy(states[:, -1])
        expected = rotation.rotate(noise, image, grid[0], target)
        np.testing.assert_allclose(found[:, step], expected.numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found[:, [0, -1]], states[:, [0, -1]], atol=1e-14)


# --- the deficit J ---------------------------------------------------------------------------------------------------


@given(variance=variance, level=st.one_of(level, st.just(DATA)))
def test_deficit_in_stable_form_equals_its_definition(variance: float, level: NoiseLevel) -> None:
    """Eq. 68 against Eq. 67."""
    scale = level.sigma + level.alpha * np.sqrt(variance)
    assert rotation.deficit(variance, level) == pytest.approx(deficit_67(variance, level), rel=1e-9, abs=1e-14 * scale)


@given(variance=st.floats(1e-3, 100.0), angle=angle)
def test_remainder_from_pure_noise_is_the_deficit(variance: float, angle: float) -> None:
    basis, target = make_basis(1, [variance], seed=0), on_circle(angle)
    noise = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    found = abs(float(rotation.remainder(basis, noise, NOISE, target)))
    assert found == pytest.approx(-deficit_67(variance, target), abs=1e-12)


@given(variance=positive, angle=angle)
def test_deficit_is_symmetric_between_signal_and_noise(variance: float, angle: float) -> None:
    alpha, sigma = on_circle(angle)
    mirrored = np.sqrt(variance) * rotation.deficit(1 / variance, NoiseLevel(sigma, alpha))
    assert rotation.deficit(variance, NoiseLevel(alpha, sigma)) == pytest.approx(mirrored, rel=1e-9, abs=1e-15)


@given(variance=positive, angle=angle)
def test_deepest_is_the_least_deficit(variance: float, angle: float) -> None:
    lowest = rotation.deepest(variance)
    assert lowest.alpha**2 + lowest.sigma**2 == pytest.approx(1)
    least = rotation.deficit(variance, lowest)
    assert least <= rotation.deficit(variance, on_circle(angle)) * (1 - 1e-12)


@given(variance=positive)
def test_deepest_is_stationary_and_the_bowl_rises_on_both_sides(variance: float) -> None:
    """Its derivative by the angle, from Eq. 67, vanishes there and changes sign."""
    spread, lowest = np.sqrt(variance), rotation.deepest(variance)

    def slope(alpha: float, sigma: float) -> float:
        size = np.sqrt(sigma**2 + variance * alpha**2)
        return float((1 - variance) * alpha * sigma / size + sigma * spread - alpha)

    phi = np.arctan2(lowest.sigma, lowest.alpha)
    assert abs(slope(*lowest)) < 1e-9 * (1 + spread)
    assert slope(*on_circle(0.9 * phi)) < 0 < slope(*on_circle(phi + 0.1 * (np.pi / 2 - phi)))


def test_deepest_of_unit_variance_is_where_signal_equals_noise() -> None:
    assert rotation.deepest(1.0) == pytest.approx((np.sqrt(0.5), np.sqrt(0.5)))
    assert rotation.deficit(1.0, rotation.deepest(1.0)) == pytest.approx(1 - np.sqrt(2))


@pytest.mark.parametrize("variance", [1e-4, 0.01, 0.5, 2.0, 100.0])
def test_equation_69_is_not_where_the_deficit_is_least(variance: float) -> None:
    here = rotation.deficit(variance, vp_level(np.sqrt(variance)))
    assert rotation.deficit(variance, rotation.deepest(variance)) < 1.01 * here


@given(variance=positive)
def test_deficit_where_signal_equals_noise_is_equation_70(variance: float) -> None:
    """At alpha = sqrt(1 / (lambda + 1)) (Eq. 69) Eq. 70 is no approximation."""
    expected = -PAPER * np.sqrt(variance / (variance + 1))
    assert rotation.deficit(variance, vp_level(np.sqrt(variance))) == pytest.approx(expected, rel=1e-9)


@given(variance=st.floats(0.0, 1e6), angle=angle)
def test_deficit_is_bounded_by_the_smaller_and_by_the_geometric_mean_of_signal_and_noise(
    variance: float, angle: float
) -> None:
    alpha, sigma = on_circle(angle)
    signal = alpha * np.sqrt(variance)
    bound = min(sigma, signal, PAPER * np.sqrt(sigma * signal))
    assert -bound * (1 + 1e-12) - 1e-100 <= rotation.deficit(variance, NoiseLevel(alpha, sigma)) <= 0


@given(variance=st.floats(0.0, 1e8))
def test_deficit_bound_holds_where_the_deficit_is_least(variance: float) -> None:
    """The right form of Eq. 70: everywhere, below 1, at most sqrt(lambda / (lambda + 1))."""
    bound = rotation.deficit_bound(variance)
    least = rotation.deficit(variance, rotation.deepest(variance)) if variance > 0 else 0.0
    assert -least <= bound * (1 + 1e-12) < 1
    assert bound <= np.sqrt(variance / (variance + 1)) * (1 + 1e-12)
    assert variance > 4 or bound <= PAPER * (1 + 1e-12)


def test_equation_70_holds_up_to_a_variance_of_5_3() -> None:
    """The largest lambda whose least J is -0.586, and what lies on both sides of it."""

    def excess(variance: float) -> float:
        return rotation.deficit(variance, rotation.deepest(variance)) + PAPER

    assert brentq(excess, 1.0, 100.0) == pytest.approx(5.302277, abs=1e-6)
    assert min(excess(value) for value in np.geomspace(1e-6, 5.302, 200)) > 0
    assert max(excess(value) for value in np.geomspace(5.303, 1e8, 200)) < 0


def test_equation_70_does_not_bound_components_of_large_variance() -> None:
    """A slip of the paper, by Eq. 67 itself."""
    assert deficit_67(1e4, NoiseLevel(0.1, float(np.sqrt(0.99)))) < -0.94 < -PAPER


# --- Eq. 11 and the isotropic case -----------------------------------------------------------------------------------

small = st.lists(st.floats(0.0, 4.0), min_size=1, max_size=6)


@given(variances=small, extra=st.integers(0, 20), angle=angle)
def test_equation_11_with_its_factor_4_bounds_the_mean_error(variances: list[float], extra: int, angle: float) -> None:
    """For lambda <= 4, relative to |x_T|^2."""
    pixels = len(variances) + extra
    basis = make_basis(pixels, variances, seed=1)
    error = rotation.mean_error(basis, NOISE, on_circle(angle))
    bound = rotation.mean_error_bound(basis.variances.numpy(), pixels)
    assert error <= bound * (1 + 1e-12) + 1e-100
    assert bound <= 4 * (1 - np.sqrt(2) / 2) ** 2 * len(variances) / pixels * (1 + 1e-12)


@given(variances=st.lists(st.floats(0.0, 1e6), min_size=1, max_size=6), extra=st.integers(0, 20), angle=angle)
def test_mean_error_is_below_rank_by_pixels_for_any_variances(variances: list[float], extra: int, angle: float) -> None:
    pixels = len(variances) + extra
    basis = make_basis(pixels, variances, seed=1)
    bound = rotation.mean_error_bound(basis.variances.numpy(), pixels)
    assert rotation.mean_error(basis, NOISE, on_circle(angle)) <= bound * (1 + 1e-12) + 1e-100
    assert bound < len(variances) / pixels


def test_equation_11_fails_without_its_factor_4_and_beyond_its_variance() -> None:
    """Slips of the paper: unit variances exceed the printed bound, large ones the one with the factor, too."""
    printed, pixels = (1 - np.sqrt(2) / 2) ** 2, 8
    plain, large = make_basis(pixels, [1.0], 0), make_basis(pixels, [1e4], 0)
    assert rotation.mean_error(plain, NOISE, rotation.deepest(1.0)) > 1.9 * printed / pixels
    assert rotation.mean_error(large, NOISE, rotation.deepest(1e4)) > 2.6 * 4 * printed / pixels


def test_equation_11_does_not_hold_for_every_noise() -> None:
    """It is a mean: a noise within the manifold has the error of the component, without r / D."""
    basis = make_basis(8, [1.0], seed=0)
    noise = basis.vectors.T.reshape(1, *basis.image_shape)
    error = rotation.squared_remainder(basis, noise, NOISE, rotation.deepest(1.0)) / noise.square().sum()
    assert float(error) == pytest.approx((np.sqrt(2) - 1) ** 2)
    assert float(error) > 4 * rotation.mean_error_bound(np.array([1.0]), 8)


@pytest.mark.parametrize("source", [NOISE, NoiseLevel(0.3, 0.8), NoiseLevel(1.0, 3.0)], ids=["pure", "vp", "ve"])
def test_mean_error_is_the_mean_over_the_forward_process(source: NoiseLevel) -> None:
    """Monte Carlo over 200,000 draws; from pure noise the mean of the ratio is the ratio of the means."""
    basis, target = make_basis(6, [3.0, 0.5, 0.1], seed=3), NoiseLevel(0.9, 0.4)
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(200_000, 9, generator=generator, dtype=torch.float64)
    images = basis.mean + (normal[:, :3] * basis.variances.sqrt()) @ basis.vectors.T
    states = source.alpha * images + source.sigma * normal[:, 3:]
    squared = rotation.squared_remainder(basis, states, source, target)
    sizes = (states - source.alpha * basis.mean).square().sum(1)
    assert float(squared.mean() / sizes.mean()) == pytest.approx(rotation.mean_error(basis, source, target), rel=0.02)
    if source == NOISE:
        assert float((squared / sizes).mean()) == pytest.approx(rotation.mean_error(basis, source, target), rel=0.02)


@given(variance=st.floats(1e-4, 1e4), angle=angle, pixels=st.integers(1, 6))
def test_isotropic_error_is_the_same_for_every_noise_and_below_lambda_by_lambda_plus_one(
    variance: float, angle: float, pixels: int
) -> None:
    """After Eq. 71, with equality to J^2 for full rank; the last bound of App. I.2 holds at every level."""
    basis, target = make_basis(pixels, [variance] * pixels, seed=2), on_circle(angle)
    noise = noise_of(basis, NOISE)
    error = rotation.squared_remainder(basis, noise, NOISE, target) / noise.flatten(1).square().sum(1)
    squared = deficit_67(variance, target) ** 2
    torch.testing.assert_close(error, torch.full_like(error, squared), rtol=1e-6, atol=1e-12)
    bound = rotation.mean_error_bound(basis.variances.numpy(), pixels)
    assert float(error.max()) <= bound * (1 + 1e-9)
    assert bound <= variance / (variance + 1) * (1 + 1e-12)


def test_more_components_than_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="3 components do not fit into 2 pixels"):
        rotation.mean_error_bound(np.ones(3), 2)


def test_a_component_without_variance_is_never_deepest() -> None:
    with pytest.raises(ValueError, match="has no deepest level: its deficit is 0 everywhere"):
        rotation.deepest(0.0)
    assert rotation.deficit(0.0, NoiseLevel(0.6, 0.8)) == 0.0


# --- the endpoint from the rotation ----------------------------------------------------------------------------------


@given(basis=bases(), source=level, shrink=st.floats(0.0, 0.95))
def test_endpoint_from_the_rotation_is_wrong_by_the_remainder(
    basis: Eigenbasis, source: NoiseLevel, shrink: float
) -> None:
    """Eq. 72-73: its error is R_t / a, component by component `endpoint_deficit` (Eq. 74)."""
    target = NoiseLevel(min(1.0, source.alpha + 0.3), shrink * source.sigma)
    noise = noise_of(basis, source)
    found = rotation.endpoint(gaussian.state(basis, noise, source, target), noise, source, target)
    error = (found - gaussian.state(basis, noise, source, DATA)).flatten(1)
    gain = rotation.endpoint_deficit(basis.variances, source, target)
    expected = (gaussian.coefficients(basis, noise, source) * gain) @ basis.vectors.T
    assert torch.allclose(error, expected, rtol=1e-9, atol=1e-8 * (1 + float(found.abs().max())))


@given(variance=st.floats(1e-4, 1e4), angle=st.floats(0.001, 1.57))
def test_endpoint_deficit_is_the_deficit_by_alpha(variance: float, angle: float) -> None:
    """Eq. 74, the root ending after lambda alpha^2; the printed root over the whole denominator is another number."""
    alpha, sigma = on_circle(angle)
    spread = np.sqrt(variance)
    expected = -2 * sigma * spread / (np.sqrt(sigma**2 + variance * alpha**2) + alpha * spread + sigma)
    found = rotation.endpoint_deficit(variance, NOISE, NoiseLevel(alpha, sigma))
    assert found == pytest.approx(expected, rel=1e-12)
    assert found == pytest.approx(deficit_67(variance, NoiseLevel(alpha, sigma)) / alpha, rel=1e-6, abs=1e-9)
    printed = -2 * sigma * spread / np.sqrt(sigma**2 + variance * alpha**2 + alpha * spread + sigma)
    assume(abs(sigma**2 + variance * alpha**2 + alpha * spread + sigma - 1) > 0.5)
    assert printed != pytest.approx(expected, rel=1e-3)


@given(variance=positive)
def test_endpoint_deficit_saturates_until_the_component_emerges(variance: float) -> None:
    spread = np.sqrt(variance)
    assert rotation.endpoint_deficit(variance, NOISE, NOISE) == pytest.approx(-spread)
    emerging = rotation.endpoint_deficit(variance, NOISE, vp_level(spread))
    assert emerging == pytest.approx(-PAPER * spread)
    assert rotation.endpoint_deficit(variance, NOISE, vp_level(100 * spread)) < -0.98 * spread
    assert rotation.endpoint_deficit(variance, NOISE, vp_level(0.01 * spread)) > -0.011 * spread
    assert rotation.endpoint_deficit(variance, NOISE, DATA) == 0


@pytest.mark.parametrize(("path", "latest"), PATHS)
@given(variance=positive, begin=st.floats(0.1, 1.0), fractions=st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)))
def test_endpoint_deficit_shrinks_with_time(
    path: NoisePath, latest: float, variance: float, begin: float, fractions: tuple[float, float]
) -> None:
    """App. I.3: the error is monotonic, on every path, for any alpha_T."""
    source = path.level(begin * latest)
    late, early = (path.level(part * begin * latest) for part in sorted(fractions))
    gains = [rotation.endpoint_deficit(variance, source, target) for target in (early, late)]
    assert gains[0] * (1 + 1e-9) - 1e-12 <= gains[1] <= 0


@pytest.mark.parametrize("target", [NoiseLevel(0.1, 0.9), NoiseLevel(0.05, 0.9)], ids=["same", "noisier"])
def test_two_states_of_one_level_have_no_endpoint(target: NoiseLevel) -> None:
    images = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match="the second must be the less noisy one"):
        rotation.endpoint(images, images, NoiseLevel(0.1, 0.9), target)


def test_a_rotation_needs_noise_to_start_from() -> None:
    with pytest.raises(ValueError, match="cannot start from sigma = 0"):
        rotation.weights(0.5, 0.5, DATA)


# --- any denoiser ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "latest"), PATHS)
@given(basis=bases(), fraction=st.floats(0.05, 0.95))
def test_scaled_velocity_is_the_derivative_of_the_scaled_state(
    path: NoisePath, latest: float, basis: Eigenbasis, fraction: float
) -> None:
    """Eq. 77, from the closed form's velocity."""
    level, rate = path.level(fraction * latest), path.rate(fraction * latest)
    x = noise_of(basis, level) + level.alpha
    moving = gaussian.velocity(basis, x, level, rate)
    expected = moving / level.alpha - rate.alpha * x / level.alpha**2
    found = rotation.scaled_velocity(x, gaussian.endpoint(basis, x, level), level, rate)
    scale = float((moving / level.alpha).abs().max() + (rate.alpha * x / level.alpha**2).abs().max())
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-11 * scale)


@given(t=st.floats(0.02, 1.0), seed=st.integers(0, 99))
def test_scaled_velocity_is_equation_78_with_the_papers_signs(t: float, seed: int) -> None:
    """-(beta / sigma^2) (x0_hat - x / alpha), beta = -alpha' / alpha, for t from data to noise."""
    path, random = VariancePreserving(), np.random.default_rng(seed)
    x, endpoint = torch.from_numpy(random.standard_normal((2, 2, 1, 3, 3)))
    (alpha, sigma), beta = path.level(t), 0.05 + 9.95 * t
    expected = -(beta / sigma**2) * (endpoint - x / alpha)
    assert close(rotation.scaled_velocity(x, endpoint, path.level(t), path.rate(t)), expected, 1e-9)


@pytest.mark.parametrize(("path", "latest"), PATHS)
@given(fractions=st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)))
def test_attraction_is_the_integral_of_its_rate(path: NoisePath, latest: float, fractions: tuple[float, float]) -> None:
    """Eq. 79-80 for any path; the rate is read off `scaled_velocity` of a unit distance."""
    one, zero = torch.ones(1, 1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, 1, 1, dtype=torch.float64)

    def rate(t: float) -> float:
        return float(rotation.scaled_velocity(path.level(t).alpha * one, zero, path.level(t), path.rate(t)))

    begin, end = (part * latest for part in fractions)
    expected = quad(rate, begin, end, epsabs=1e-11, epsrel=1e-11)[0]
    assert rotation.attraction(path.level(begin), path.level(end)) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@given(source=level, target=level, seed=st.integers(0, 99))
def test_a_constant_endpoint_attracts_by_the_exponential(source: NoiseLevel, target: NoiseLevel, seed: int) -> None:
    """Eq. 81: x / alpha - x0_hat shrinks by sigma / alpha, and `rotate` is that solution (Eq. 83)."""
    assume(min(source.alpha, target.alpha) > 1e-3)
    x, endpoint = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 2, 1, 3, 3)))
    moved = rotation.rotate(x, endpoint, source, target)
    factor = np.exp(rotation.attraction(source, target))
    expected = target.alpha * (endpoint + factor * (x / source.alpha - endpoint))
    assert torch.allclose(moved, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max() + factor))
    before, after = rotation.conserved(x, endpoint, source), rotation.conserved(moved, endpoint, target)
    assert torch.allclose(before, after, rtol=1e-8, atol=1e-10 * (1 + target.alpha / target.sigma))


@pytest.mark.parametrize(("path", "latest"), PATHS)
@pytest.mark.parametrize(("method", "tolerance"), [("rk4", 1e-5), ("dopri8", 1e-8)])
def test_the_flow_towards_a_point_conserves_and_rotates(
    path: NoisePath, latest: float, method: str, tolerance: float
) -> None:
    """A distribution of one point has a constant endpoint: Eq. 82 is exact along the integrated flow."""
    point = torch.linspace(-1, 1, 9, dtype=torch.float64).reshape(1, 1, 3, 3)
    grid = NoiseGrid.of([path.level(fraction * latest) for fraction in np.linspace(0.98, 0.2, 15)])
    initial = noise_of(make_basis(9, [], 0), grid[0]).reshape(3, 1, 3, 3) + grid[0].alpha * point
    first = rotation.conserved(initial, point, grid[0])
    tolerances = {"rtol": 1e-11, "atol": 1e-12}
    for step in flow.walk(lambda x, *_: point.expand_as(x), initial, grid, method, substeps=8, **tolerances):
        assert close(rotation.conserved(step.state, step.endpoint, step.level), first, tolerance)
        assert close(step.state, rotation.rotate(initial, point, grid[0], step.level), tolerance)


@pytest.mark.parametrize(("path", "latest"), PATHS)
@given(basis=bases(), fraction=st.floats(0.1, 0.9))
def test_otherwise_it_drifts_with_the_endpoint(
    path: NoisePath, latest: float, basis: Eigenbasis, fraction: float
) -> None:
    """d/dt of Eq. 82 is -(alpha / sigma) d x0_hat / dt: both sides by differences along the closed form."""
    t, delta = fraction * latest, 1e-4 * fraction * latest
    level = path.level(t)
    x = noise_of(basis, level) + level.alpha * basis.mean.reshape(basis.image_shape)
    values = []
    for when in (path.level(t + delta), path.level(t - delta)):
        there = gaussian.state(basis, x, level, when)
        endpoint = gaussian.endpoint(basis, there, when)
        values.append((rotation.conserved(there, endpoint, when), endpoint))
    drift, endpoint_rate = ((after - before) / (2 * delta) for after, before in zip(*values, strict=True))
    expected = -(level.alpha / level.sigma) * endpoint_rate
    assert torch.allclose(drift, expected, rtol=1e-4, atol=1e-5 * float(1e-2 + expected.abs().max()))


def test_a_gaussian_does_not_conserve(basis: Eigenbasis) -> None:
    """Eq. 82 is approximate: over a whole trajectory the noise prediction of a Gaussian changes by its own size."""
    grid = NoiseGrid.of([vp_level(100.0), vp_level(0.05)])
    first, last = flow.walk(GaussianDenoiser(basis), noise_of(basis, grid[0]), grid, "dopri8")
    before, after = (rotation.conserved(step.state, step.endpoint, step.level) for step in (first, last))
    assert float((after - before).square().sum() / before.square().sum()) > 0.1


REFUSED: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "scaled velocity of noise": (
        lambda x: rotation.scaled_velocity(x, x, NOISE, NoiseLevel(-1.0, 1.0)),
        "needs alpha > 0 and sigma > 0",
    ),
    "attraction to the data": (lambda _: rotation.attraction(NoiseLevel(0.6, 0.8), DATA), "keep alpha, sigma > 0"),
    "conserved at the data": (lambda x: rotation.conserved(x, x, DATA), "the noise is gone"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_where_a_quantity_does_not_exist_it_is_refused(name: str) -> None:
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(1, 1, 2, 2))


def test_images_in_float32_stay_so(basis: Eigenbasis) -> None:
    x, source, target = noise_of(basis, NOISE).float(), NoiseLevel(0.1, 0.9), NoiseLevel(0.8, 0.6)
    found = rotation.remainder(basis, x, source, target)
    assert found.dtype == torch.float32
    assert torch.equal(found, rotation.remainder(basis, x.double(), source, target).float())


def test_gains_take_numbers_arrays_and_tensors_alike() -> None:
    values, target = np.array([400.0, 4.0, 0.5, 0.0]), NoiseLevel(0.8, 0.6)
    for gain in (lambda v: rotation.deficit(v, target), rotation.deficit_bound):
        numbers = [gain(float(value)) for value in values]
        np.testing.assert_allclose(gain(values), numbers, rtol=1e-14)
        np.testing.assert_allclose(gain(torch.from_numpy(values)).numpy(), numbers, rtol=1e-14)
