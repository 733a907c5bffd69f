"""The closed form against independent means: numerical integration, dense matrices, finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

from tests.helpers.bases import make_basis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise.levels import (
    DATA,
    FlowMatching,
    NoiseLevel,
    NoisePath,
    VarianceExploding,
    VariancePreserving,
    vp_level,
)
from underpainting.theory import gaussian

Array = NDArray[np.float64]


def states_of(basis: Eigenbasis, seed: int = 0, count: int = 3) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, *basis.image_shape)))


def covariance_of(basis: Eigenbasis) -> Array:
    vectors = basis.vectors.numpy()
    return vectors @ np.diag(basis.variances.numpy()) @ vectors.T


def close(found: Tensor | Array, expected: Tensor | Array, tolerance: float = 1e-10) -> bool:
    """Whether the largest difference is small beside the largest value."""
    found, expected = np.asarray(found).reshape(-1), np.asarray(expected).reshape(-1)
    return float(np.abs(found - expected).max()) <= tolerance * max(float(np.abs(expected).max()), 1e-3)


variance = st.one_of(st.just(0.0), st.floats(1e-3, 100.0))
level = st.builds(NoiseLevel, st.floats(0.0, 1.0), st.floats(0.02, 80.0))
target = st.one_of(level, st.just(DATA))


@st.composite
def bases(draw: st.DrawFn) -> Eigenbasis:
    """Data of 1 to 6 pixels, from full rank down to a single point."""
    pixels = draw(st.integers(1, 6))
    return make_basis(pixels, draw(st.lists(variance, max_size=pixels)), draw(st.integers(0, 2**16)))


# --- the probability flow, integrated numerically --------------------------------------------------------------------


def dense_score(basis: Eigenbasis, x: Array, alpha: float, sigma: float) -> Array:
    covariance = sigma**2 * np.eye(basis.pixels) + alpha**2 * covariance_of(basis)
    return np.linalg.solve(covariance, alpha * basis.mean.numpy() - x)


def vp_flow(basis: Eigenbasis, t: float, x: Array) -> Array:
    """Eq. 8 with beta(t) = (0.1 + 19.9 t) / 2 and alpha = exp(-integral of beta)."""
    beta = 0.05 + 9.95 * t
    alpha = np.exp(-0.05 * t - 4.975 * t**2)
    return -beta * x - beta * dense_score(basis, x, alpha, np.sqrt(1 - alpha**2))


def ve_flow(basis: Eigenbasis, t: float, x: Array) -> Array:
    """Karras et al. (2022), Eq. 1 with sigma(t) = t."""
    return -t * dense_score(basis, x, 1.0, t)


def fm_flow(basis: Eigenbasis, t: float, x: Array) -> Array:
    """E[noise - x_0 | x_t], both from the posterior of jointly Gaussian variables."""
    whitened = -dense_score(basis, x, 1 - t, t)
    return t * whitened - (basis.mean.numpy() + (1 - t) * covariance_of(basis) @ whitened)


@dataclass(frozen=True)
class Case:
    path: NoisePath
    flow: Callable[[Eigenbasis, float, Array], Array]
    latest: float


CASES = [
    pytest.param(Case(VariancePreserving(), vp_flow, 1.0), id="variance preserving"),
    pytest.param(Case(VarianceExploding(), ve_flow, 80.0), id="variance exploding"),
    pytest.param(Case(FlowMatching(), fm_flow, 1.0), id="flow matching"),
]
fraction = st.floats(0.01, 1.0)


def integrate(case: Case, basis: Eigenbasis, x: Array, begin: float, end: float) -> Array:
    result = solve_ivp(lambda t, y: case.flow(basis, t, y), (begin, end), x, method="DOP853", rtol=1e-12, atol=1e-13)
    assert result.success, result.message
    return result.y[:, -1]


@pytest.mark.parametrize("case", CASES)
@given(basis=bases(), begin=fraction, end=fraction, seed=st.integers(0, 99))
def test_state_is_the_integral_of_the_probability_flow(
    case: Case, basis: Eigenbasis, begin: float, end: float, seed: int
) -> None:
    begin, end = begin * case.latest, end * case.latest
    source, target = case.path.level(begin), case.path.level(end)
    x = source.sigma * states_of(basis, seed, count=1)
    expected = integrate(case, basis, x.numpy().ravel(), begin, end)
    assert close(gaussian.state(basis, x, source, target), expected, 1e-8)


@pytest.mark.parametrize("case", CASES)
@given(basis=bases(), fraction=fraction, seed=st.integers(0, 99))
def test_velocity_is_the_right_hand_side_of_the_flow(case: Case, basis: Eigenbasis, fraction: float, seed: int) -> None:
    t = fraction * case.latest
    x = states_of(basis, seed, count=1)
    found = gaussian.velocity(basis, x, case.path.level(t), case.path.rate(t))
    assert close(found, case.flow(basis, t, x.numpy().ravel()), 1e-9)


@pytest.mark.parametrize("case", CASES)
@given(basis=bases(), fraction=st.floats(0.05, 0.95))
def test_velocity_is_the_time_derivative_of_state(case: Case, basis: Eigenbasis, fraction: float) -> None:
    t, delta = fraction * case.latest, 1e-5 * case.latest * fraction
    x, here = states_of(basis), case.path.level(t)
    after, before = (gaussian.state(basis, x, here, case.path.level(t + step)) for step in (delta, -delta))
    assert close((after - before) / (2 * delta), gaussian.velocity(basis, x, here, case.path.rate(t)), 1e-6)


@given(basis=bases(), level=level, rates=st.tuples(st.floats(-2, 2), st.floats(-2, 2)))
def test_velocity_combines_endpoint_and_noise_prediction(
    basis: Eigenbasis, level: NoiseLevel, rates: tuple[float, float]
) -> None:
    x = states_of(basis)
    endpoint = gaussian.endpoint(basis, x, level)
    noise = (x - level.alpha * endpoint) / level.sigma
    expected = rates[0] * endpoint + rates[1] * noise
    assert close(gaussian.velocity(basis, x, level, NoiseLevel(*rates)), expected, 1e-9)


@given(basis=bases(), source=level)
def test_state_at_the_data_is_the_limit_of_vanishing_noise(basis: Eigenbasis, source: NoiseLevel) -> None:
    x = states_of(basis)
    nearly = gaussian.state(basis, x, source, NoiseLevel(1.0, 1e-9))
    assert torch.allclose(gaussian.state(basis, x, source, DATA), nearly, rtol=1e-6, atol=1e-6)


# --- dense formulas --------------------------------------------------------------------------------------------------


@given(basis=bases(), level=level)
def test_score_is_the_gradient_of_the_dense_gaussian(basis: Eigenbasis, level: NoiseLevel) -> None:
    x = states_of(basis)
    expected = [dense_score(basis, row, level.alpha, level.sigma) for row in x.flatten(1).numpy()]
    assert close(gaussian.score(basis, x, level), np.array(expected), 1e-9)


@given(basis=bases(), alpha=st.floats(0.3, 1.0), sigma=st.floats(0.1, 5.0))
def test_endpoint_is_tweedies_formula_with_the_dense_score(basis: Eigenbasis, alpha: float, sigma: float) -> None:
    """Eq. 51."""
    x = states_of(basis)
    rows = x.flatten(1).numpy()
    expected = [(row + sigma**2 * dense_score(basis, row, alpha, sigma)) / alpha for row in rows]
    assert close(gaussian.endpoint(basis, x, NoiseLevel(alpha, sigma)), np.array(expected), 1e-9)


@given(basis=bases(), level=target)
def test_endpoint_lies_on_the_image_manifold(basis: Eigenbasis, level: NoiseLevel) -> None:
    shift = gaussian.endpoint(basis, states_of(basis), level).flatten(1) - basis.mean
    assert torch.allclose(shift @ basis.vectors @ basis.vectors.T, shift, atol=1e-12)


def test_endpoint_of_pure_noise_is_the_mean(basis: Eigenbasis) -> None:
    estimate = gaussian.endpoint(basis, states_of(basis), NoiseLevel(0.0, 1.0))
    assert torch.equal(estimate.flatten(1), basis.mean.expand(3, -1))


@given(basis=bases(), source=level)
def test_noise_filter_carries_noise_to_the_sample(basis: Eigenbasis, source: NoiseLevel) -> None:
    """Eq. 10."""
    x = states_of(basis)
    filtered = basis.mean + (x.flatten(1) - source.alpha * basis.mean) @ gaussian.noise_filter(basis, source).T
    assert close(gaussian.state(basis, x, source, DATA), filtered)


@given(basis=bases())
def test_noise_filter_is_the_square_root_of_the_covariance_for_pure_unit_noise(basis: Eigenbasis) -> None:
    filter_ = gaussian.noise_filter(basis, NoiseLevel(0.0, 1.0)).numpy()
    np.testing.assert_allclose(filter_ @ filter_, covariance_of(basis), atol=1e-10)


# --- the flow as a map -----------------------------------------------------------------------------------------------


def largest_gain(basis: Eigenbasis, source: NoiseLevel, target: NoiseLevel) -> float:
    """The largest gain between two levels: a rounding error at the first grows by as much."""
    gains = gaussian.psi(torch.cat([basis.variances, torch.zeros(1, dtype=torch.float64)]), source, target)
    return float(gains.max())


@given(basis=bases(), source=level, between=level, target=target)
def test_two_jumps_are_one(basis: Eigenbasis, source: NoiseLevel, between: NoiseLevel, target: NoiseLevel) -> None:
    x = states_of(basis)
    direct = gaussian.state(basis, x, source, target)
    detour = gaussian.state(basis, gaussian.state(basis, x, source, between), between, target)
    assert torch.allclose(detour, direct, rtol=1e-10, atol=1e-11 * (1 + largest_gain(basis, between, target)))


@given(basis=bases(), level=level)
def test_a_jump_to_where_one_stands_changes_nothing(basis: Eigenbasis, level: NoiseLevel) -> None:
    x = states_of(basis)
    assert close(gaussian.state(basis, x, level, level), x, 1e-12)


@given(basis=bases(), source=level, target=target)
def test_state_does_not_depend_on_the_shape_or_the_company_of_an_image(
    basis: Eigenbasis, source: NoiseLevel, target: NoiseLevel
) -> None:
    x = states_of(basis)
    together = gaussian.state(basis, x, source, target)
    alone = gaussian.state(basis, x[1:2].flatten(1), source, target)
    assert together.shape == x.shape
    assert close(alone, together[1], 1e-12)


@given(basis=bases(), level=level, seed=st.integers(0, 99))
def test_perturbation_gain_is_the_measured_growth_of_a_perturbation(
    basis: Eigenbasis, level: NoiseLevel, seed: int
) -> None:
    """Eq. 14, along every component at once."""
    x = states_of(basis, seed)
    coefficients = torch.from_numpy(np.random.default_rng(seed).standard_normal(basis.rank))
    kick = (basis.vectors @ coefficients).reshape(basis.image_shape)
    change = gaussian.state(basis, x + kick, level, DATA) - gaussian.state(basis, x, level, DATA)
    expected = gaussian.perturbation_gain(basis.variances, level) * coefficients
    assert torch.allclose(change.flatten(1) @ basis.vectors, expected.expand(3, -1), rtol=1e-9, atol=1e-9)


def test_perturbation_gain_of_the_paper() -> None:
    """Eq. 14: sqrt(lambda / (sigma^2 + lambda alpha^2))."""
    assert gaussian.perturbation_gain(3.0, NoiseLevel(0.6, 0.8)) == pytest.approx(np.sqrt(3 / (0.64 + 3 * 0.36)))


@given(level=level, seed=st.integers(0, 99))
def test_a_perturbation_off_the_manifold_vanishes(level: NoiseLevel, seed: int) -> None:
    basis = make_basis(6, [9.0, 1.0, 0.1], seed)
    x, kick = states_of(basis), states_of(basis, seed + 1).flatten(1)
    kick = (kick - kick @ basis.vectors @ basis.vectors.T).reshape(x.shape)
    moved = gaussian.state(basis, x + kick, level, DATA)
    assert kick.norm() > 0.1
    assert torch.allclose(moved, gaussian.state(basis, x, level, DATA), atol=1e-10)


# --- the endpoint estimate over time ---------------------------------------------------------------------------------


@given(basis=bases(), source=level, target=target)
def test_xi_is_the_coefficient_of_the_endpoint_estimate(
    basis: Eigenbasis, source: NoiseLevel, target: NoiseLevel
) -> None:
    """Eq. 13: from c_k at the source to the endpoint estimate at the target."""
    x = states_of(basis)
    start = (x.flatten(1) - source.alpha * basis.mean) @ basis.vectors
    estimate = gaussian.endpoint(basis, gaussian.state(basis, x, source, target), target)
    found = (estimate.flatten(1) - basis.mean) @ basis.vectors
    assert torch.allclose(found, gaussian.xi(basis.variances, source, target) * start, rtol=1e-9, atol=1e-8)


@given(variance=st.floats(1e-3, 100.0), source=level, target=target)
def test_xi_is_equation_13(variance: float, source: NoiseLevel, target: NoiseLevel) -> None:
    root = (target.alpha**2 * variance + target.sigma**2) * (source.alpha**2 * variance + source.sigma**2)
    assert gaussian.xi(variance, source, target) == pytest.approx(target.alpha * variance / np.sqrt(root), rel=1e-12)


@pytest.mark.parametrize("case", CASES)
@given(variance=variance, fraction=st.floats(0.05, 0.95))
def test_xi_rate_is_the_derivative_of_xi(case: Case, variance: float, fraction: float) -> None:
    t, delta = fraction * case.latest, 1e-5 * case.latest * fraction
    source = case.path.level(case.latest)
    after, before = (gaussian.xi(variance, source, case.path.level(t + step)) for step in (delta, -delta))
    found = gaussian.xi_rate(variance, source, case.path.level(t), case.path.rate(t))
    assert found == pytest.approx((after - before) / (2 * delta), rel=1e-5, abs=1e-7)


def test_a_component_without_variance_never_leaves_the_mean() -> None:
    assert gaussian.xi(0.0, NoiseLevel(0.1, 0.9), DATA) == 0.0
    assert gaussian.xi_rate(0.0, NoiseLevel(0.1, 0.9), DATA, NoiseLevel(-1.0, 1.0)) == 0.0


# --- critical times --------------------------------------------------------------------------------------------------


@given(variance=st.floats(1e-3, 100.0))
def test_at_the_critical_ratio_noise_and_signal_contribute_equally(variance: float) -> None:
    level = vp_level(gaussian.critical_ratio(variance))
    assert level.sigma**2 == pytest.approx(level.alpha**2 * variance)


@given(steps=st.integers(2, 40), fraction=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5))
def test_critical_step_interpolates_the_ratio_geometrically(steps: int, fraction: list[float]) -> None:
    ratio = np.geomspace(100.0, 0.01, steps + 1)
    wanted = 100.0 * 1e-4 ** np.array(fraction)
    np.testing.assert_allclose(
        gaussian.critical_step(wanted**2, ratio), steps * np.array(fraction), rtol=1e-9, atol=1e-8
    )


def test_critical_step_counts_steps_of_infinite_ratio_and_leaves_out_the_data() -> None:
    ratio = np.array([np.inf, 10.0, 1.0, 0.1, 0.0])
    np.testing.assert_allclose(gaussian.critical_step(np.array([10.0**2, 1.0, 0.01]), ratio), [1.0, 2.0, 3.0])


def test_critical_step_is_nan_where_the_grid_never_goes() -> None:
    found = gaussian.critical_step(np.array([1e6, 1.0, 1e-6]), np.array([10.0, 1.0, 0.1, 0.0]))
    np.testing.assert_array_equal(np.isnan(found), [True, False, True])


# --- refusals and types ----------------------------------------------------------------------------------------------


def test_a_source_without_noise_is_refused(basis: Eigenbasis) -> None:
    with pytest.raises(ValueError, match="cannot start from sigma = 0"):
        gaussian.state(basis, states_of(basis), DATA, NoiseLevel(0.5, 0.5))


@pytest.mark.parametrize("shape", [(2, 15), (2, 1, 4, 5), (2, 3, 4, 4)])
def test_images_of_another_size_are_refused(basis: Eigenbasis, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="do not fit a basis of 16 pixels"):
        gaussian.state(basis, torch.zeros(shape), NoiseLevel(0.1, 0.9), DATA)


SOURCE, TARGET = NoiseLevel(0.1, 0.9), NoiseLevel(0.8, 0.6)
OPERATIONS: dict[str, Callable[[Eigenbasis, Tensor], Tensor]] = {
    "state": lambda basis, x: gaussian.state(basis, x, SOURCE, TARGET),
    "endpoint": lambda basis, x: gaussian.endpoint(basis, x, TARGET),
    "score": lambda basis, x: gaussian.score(basis, x, TARGET),
    "velocity": lambda basis, x: gaussian.velocity(basis, x, TARGET, NoiseLevel(-1.0, 1.0)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_images_in_float32_stay_so_and_are_computed_in_float64(basis: Eigenbasis, name: str) -> None:
    x = states_of(basis).float()
    found = OPERATIONS[name](basis, x)
    assert found.dtype == torch.float32
    assert torch.equal(found, OPERATIONS[name](basis, x.double()).float())


@pytest.mark.parametrize("gain", [gaussian.psi, gaussian.xi])
def test_gains_take_numbers_arrays_and_tensors_alike(gain: Callable[..., object]) -> None:
    values = np.array([4.0, 0.5, 0.0])
    from_array, from_tensor = gain(values, SOURCE, TARGET), gain(torch.from_numpy(values), SOURCE, TARGET)
    from_numbers = [gain(float(value), SOURCE, TARGET) for value in values]
    assert isinstance(from_array, np.ndarray) and isinstance(from_tensor, Tensor)
    np.testing.assert_allclose(from_array, from_numbers, rtol=1e-14)
    np.testing.assert_allclose(from_tensor.numpy(), from_numbers, rtol=1e-14)


@pytest.mark.parametrize("level", [vp_level(3.0), NoiseLevel(1.0, 2.0), NoiseLevel(0.1, 0.9)], ids=str)
def test_coloured_noise_has_the_marginal_s_mean_and_covariance(level: NoiseLevel) -> None:
    """The map of the noise is linear, so that its columns tell the covariance."""
    basis = make_basis(7, [4.0, 1.0, 0.1], 0)
    complete = basis.vectors @ torch.diag(basis.variances) @ basis.vectors.T
    centre = gaussian.coloured_noise(basis, torch.zeros(1, 7, dtype=torch.float64), level)
    columns = gaussian.coloured_noise(basis, torch.eye(7, dtype=torch.float64), level) - centre
    torch.testing.assert_close(centre[0], level.alpha * basis.mean)
    expected = level.alpha**2 * complete + level.sigma**2 * torch.eye(7, dtype=torch.float64)
    torch.testing.assert_close(columns.T @ columns, expected)


def test_from_coloured_noise_the_flow_ends_with_the_data_s_covariance() -> None:
    """From white noise it does not, where alpha is not 0 at the start."""
    basis, first = make_basis(7, [4.0, 1.0, 0.1], 0), vp_level(3.0)
    noise = torch.eye(7, dtype=torch.float64)

    def covariance(start: Tensor, centre: Tensor) -> Tensor:
        columns = gaussian.state(basis, start, first, DATA) - gaussian.state(basis, centre, first, DATA)
        return basis.vectors.T @ columns.T @ columns @ basis.vectors

    coloured = [gaussian.coloured_noise(basis, one, first) for one in (noise, 0 * noise[:1])]
    torch.testing.assert_close(covariance(*coloured), torch.diag(basis.variances))
    white = covariance(noise, 0 * noise[:1]).diagonal()
    torch.testing.assert_close(white, basis.variances / gaussian.marginal_variance(basis.variances, first))
