"""Emergence against least squares, root finding on the closed form, and images of known frequency."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from underpainting.analysis import emergence, statistics
from underpainting.analysis.statistics import Resampling
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise.levels import DATA, NoiseGrid, NoiseLevel, edm_grid, vp_level
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler
from underpainting.theory import gaussian
from underpainting.theory.gaussian import GaussianDenoiser

FINE = NoiseGrid.of([*(vp_level(ratio) for ratio in np.geomspace(150, 0.01, 800)), DATA])
positive = st.floats(1e-4, 1e3)


def coefficients_of(basis: Eigenbasis, grid: NoiseGrid, seeds: int = 20) -> np.ndarray:
    noise = initial_noise(range(seeds), basis.image_shape).double() * grid[0].sigma
    states = [gaussian.state(basis, noise, grid[0], level) for level in grid]
    endpoints = [gaussian.endpoint(basis, state, level) for state, level in zip(states, grid, strict=True)]
    return torch.stack([basis.coefficients(endpoint) for endpoint in endpoints], 1).numpy()


@given(positive, st.floats(0.05, 1), st.floats(0, 80))
def test_revealed_is_what_the_endpoint_estimate_shows(variance: float, alpha: float, sigma: float) -> None:
    level = NoiseLevel(alpha, sigma)
    basis = Eigenbasis(
        torch.tensor([0.7], dtype=torch.float64),
        torch.ones(1, 1, dtype=torch.float64),
        torch.tensor([variance], dtype=torch.float64),
        variance,
        (1, 1, 1),
    )
    state = torch.tensor([[2.0]], dtype=torch.float64)
    shown = (gaussian.endpoint(basis, state, level) - basis.mean) / (state / alpha - basis.mean)
    assert emergence.wiener_gain(variance, level) == pytest.approx(float(shown), rel=1e-9, abs=1e-12)


@given(positive)
def test_revealed_has_the_limits_of_the_paper(variance: float) -> None:
    root = variance**0.5
    assert emergence.wiener_gain(variance, NoiseLevel(1.0, 1e4 * root)) < 1e-7
    assert emergence.wiener_gain(variance, NoiseLevel(1.0, 1e-4 * root)) > 1 - 1e-7
    assert emergence.gaussian_slope(variance, NoiseLevel(0.3, 0.3 * root)) == pytest.approx(0.5**0.5, rel=1e-12)


def test_slopes_are_those_of_least_squares() -> None:
    random = np.random.default_rng(0)
    coefficients = random.standard_normal((12, 4, 3))
    found = emergence.slopes(coefficients)
    for step in range(4):
        for component in range(3):
            last, now = coefficients[:, -1, component], coefficients[:, step, component]
            assert found[step, component] == pytest.approx(np.linalg.lstsq(last[:, None], now, rcond=None)[0][0])
    assert np.allclose(found[-1], 1)


def test_closed_form_has_the_slope_of_theory(basis: Eigenbasis) -> None:
    found = emergence.slopes(coefficients_of(basis, FINE))
    expected = np.stack([emergence.gaussian_slope(basis.variances, level).numpy() for level in FINE])
    assert np.allclose(found, expected, atol=1e-10)
    direct = [
        gaussian.xi(basis.variances, FINE[0], level) / gaussian.xi(basis.variances, FINE[0], DATA) for level in FINE
    ]
    assert np.allclose(expected, torch.stack(direct).numpy(), atol=1e-12)


def test_components_emerge_where_predicted(basis: Eigenbasis) -> None:
    coefficients, ratio = coefficients_of(basis, FINE), emergence.noise_to_signal(FINE)
    found = emergence.find_crossings(emergence.slopes(coefficients), ratio)
    assert np.allclose(found.log_ratio, 0.5 * np.log(basis.variances.numpy()), atol=1e-4)
    assert np.allclose(found.step, gaussian.critical_step(basis.variances.numpy(), ratio), atol=0.01)
    interval = emergence.measured_emergence_steps(coefficients, FINE, resampling=Resampling(resamples=50))
    assert np.allclose(interval.low, found.step, atol=1e-6) and np.allclose(interval.high, found.step, atol=1e-6)


def test_a_real_sampler_has_nearly_the_predicted_steps(basis: Eigenbasis) -> None:
    sampler = Sampler("ddim", 100, DDIMScheduler())
    noise = initial_noise(range(16), basis.image_shape).double()
    walk = [step.endpoint for step in sampler.walk(GaussianDenoiser(basis), sampler.start(noise))]
    coefficients = torch.stack([basis.coefficients(endpoint) for endpoint in walk], 1).numpy()
    found = emergence.measured_emergence_steps(coefficients, sampler.grid, resampling=Resampling(resamples=20))
    predicted = gaussian.critical_step(basis.variances.numpy(), emergence.noise_to_signal(sampler.grid))
    assert np.abs(found.estimate - predicted).max() < 2
    order = emergence.order_correlation(
        coefficients, basis.variances.numpy(), sampler.grid, resampling=Resampling(resamples=20)
    )
    assert float(order.estimate) == pytest.approx(1) and float(order.low) == pytest.approx(1)


def noisy_coefficients(random: np.random.Generator, grid: NoiseGrid, variances: np.ndarray, seeds: int) -> np.ndarray:
    """Gaussian coefficients with the slopes of theory, and as much that the image does not have."""
    slopes = np.stack([emergence.gaussian_slope(variances, level) for level in grid])
    image, other = random.standard_normal((2, seeds, 1, len(variances))) * np.sqrt(variances)
    return slopes * image + 2 * slopes * (1 - slopes) * other


def test_geometric_mean_has_its_own_interval_and_covers() -> None:
    grid = NoiseGrid.of([*(vp_level(ratio) for ratio in np.geomspace(30, 0.05, 30)), DATA])
    variances, random = np.geomspace(20, 1, 6), np.random.default_rng(0)
    found = [
        emergence.mean_emergence_ratio(
            noisy_coefficients(random, grid, variances, 32),
            variances,
            grid,
            resampling=Resampling(resamples=100, seed=trial),
        )
        for trial in range(200)
    ]
    log_ratio = emergence.find_crossings(
        np.stack([emergence.gaussian_slope(variances, level) for level in grid]), emergence.noise_to_signal(grid)
    ).log_ratio
    truth = np.exp(np.mean(log_ratio - np.log(variances) / 2))
    assert truth == pytest.approx(1, abs=0.01)
    assert 0.9 < np.mean([one.low <= truth <= one.high for one in found]) < 0.99
    coefficients = noisy_coefficients(random, grid, variances, 32)
    products, ratio = emergence.slope_products(coefficients), emergence.noise_to_signal(grid)
    each = statistics.confidence_interval(
        products, lambda mean: emergence.find_crossings(emergence.slopes_from_products(mean), ratio).log_ratio
    )
    whole = emergence.mean_emergence_ratio(coefficients, variances, grid)
    assert float(whole.estimate) == pytest.approx(np.exp(np.mean(each.estimate - np.log(variances) / 2)))
    assert np.log(whole.high / whole.low) < 0.6 * np.mean(each.high - each.low)  # independent components: 6^-0.5


def test_geometric_mean_leaves_out_what_never_emerges(basis: Eigenbasis) -> None:
    coefficients, variances = coefficients_of(basis, FINE, seeds=8), basis.variances.numpy()
    extra = np.concatenate(
        [coefficients, np.zeros_like(coefficients[:, :, :1]), coefficients[:, -1:, :1] + 0 * coefficients[:, :, :1]], 2
    )
    found = emergence.mean_emergence_ratio(
        extra, np.append(variances, [0.0, 1.0]), FINE, resampling=Resampling(resamples=20)
    )
    alone = emergence.mean_emergence_ratio(coefficients, variances, FINE, resampling=Resampling(resamples=20))
    assert float(alone.estimate) == pytest.approx(1, abs=1e-3)
    assert [float(one) for one in found[:3]] == pytest.approx([float(one) for one in alone[:3]], rel=1e-12)
    nothing = emergence.mean_emergence_ratio(coefficients, 0 * variances, FINE, resampling=Resampling(resamples=20))
    assert np.isnan([float(one) for one in nothing[:3]]).all()


def test_a_crossing_is_the_last_one() -> None:
    ratio = np.array([np.inf, 10.0, 5.0, 2.0, 1.0, 0.0])
    slopes = np.array(
        [
            [0.0, 0.8, 0.0, 0.0, np.nan],
            [0.9, 0.8, 0.0, 0.0, np.nan],
            [0.2, 0.9, 0.0, 0.0, np.nan],
            [0.6, 0.9, 0.0, 0.0, np.nan],
            [1.2, 0.8, 0.5, 0.0, np.nan],
            [1.0, 1.0, 1.0, 0.1, np.nan],
        ]
    )
    found = emergence.find_crossings(slopes, ratio, 0.7)
    assert found.step[0] == pytest.approx(3 + 0.1 / 0.6)
    assert found.log_ratio[0] == pytest.approx(np.log(2) * (1 - 0.1 / 0.6))
    assert found.step[2] == pytest.approx(4.4) and np.isnan(found.log_ratio[2])
    assert np.isnan(found.step[[1, 3, 4]]).all() and np.isnan(found.log_ratio[[1, 3, 4]]).all()


@pytest.mark.parametrize("grid", [FINE, edm_grid(400)])
def test_critical_period_ends_where_the_slope_says(grid: NoiseGrid) -> None:
    variances = np.array([9.0, 1.0, 0.04])
    first, second = emergence.critical_period(variances, grid)
    logs = np.log(emergence.noise_to_signal(grid)[:-1])
    for variance, begin, end in zip(variances, first, second, strict=True):
        for slope, step in ((0.1, begin), (0.9, end)):

            def excess(log: float, variance: float = variance, slope: float = slope) -> float:
                return float(emergence.gaussian_slope(variance, vp_level(np.exp(log)))) - slope

            assert np.interp(step, np.arange(len(logs)), logs) == pytest.approx(brentq(excess, -9, 9), abs=1e-6)
    with pytest.raises(ValueError, match="within"):
        emergence.critical_period(variances, grid, 0.9, 0.1)


def test_order_tells_the_reverse_from_the_predicted(basis: Eigenbasis) -> None:
    coefficients = coefficients_of(basis, FINE, seeds=8)
    reverse = emergence.order_correlation(
        coefficients[:, :, ::-1], basis.variances.numpy(), FINE, resampling=Resampling(resamples=20)
    )
    assert float(reverse.estimate) == pytest.approx(-1)
    constant = np.concatenate([coefficients, np.zeros_like(coefficients[:, :, :1])], 2)
    kept = emergence.order_correlation(
        constant, np.append(basis.variances.numpy(), 0.0), FINE, resampling=Resampling(resamples=20)
    )
    assert float(kept.estimate) == pytest.approx(1)


@pytest.mark.filterwarnings("error")
def test_nothing_is_predicted_without_variance() -> None:
    variances = np.array([1.0, 0.0])
    for values in emergence.critical_period(variances, FINE):
        assert np.isfinite(values[0]) and np.isnan(values[1])


def wave(height: int, width: int, down: int, across: int, channels: int = 1) -> np.ndarray:
    """A unit vector: a plane wave of whole cycles, the same in all channels."""
    rows, columns = np.mgrid[:height, :width]
    image = np.cos(2 * np.pi * (down * rows / height + across * columns / width) + 0.3)
    image = np.stack([image] * channels)
    return (image / np.linalg.norm(image)).ravel()


def basis_of(vectors: list[np.ndarray], variances: list[float], shape: tuple[int, int, int]) -> Eigenbasis:
    return Eigenbasis(
        torch.zeros(len(vectors[0]), dtype=torch.float64),
        torch.from_numpy(np.stack(vectors, 1)),
        torch.tensor(variances, dtype=torch.float64),
        sum(variances),
        shape,
    )


def test_spectrum_of_waves_is_their_frequency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emergence, "_CHUNK", 2 * 3 * 16 * 12)
    cycles = [(0, 0), (1, 0), (0, 3), (3, 3), (6, 2)]
    variances = [5.0, 4.0, 3.0, 2.0, 1.0]
    found = emergence.power_spectrum(
        basis_of([wave(16, 12, *cycle, channels=3) for cycle in cycles], variances, (3, 16, 12))
    )
    for number, (down, across) in enumerate(cycles):
        frequency = np.hypot(down / 16, across / 12)
        assert found.mean_frequency[number] == pytest.approx(frequency, abs=1e-12)
        ring = int(np.rint(frequency * 16))
        assert found.power[number, ring] == pytest.approx(1, abs=1e-12) and found.frequency[ring] == ring / 16
    assert np.allclose(found.power.sum(1), 1) and found.variance.sum() == pytest.approx(15)
    assert found.variance[0] == pytest.approx(5) and found.variance[1] == pytest.approx(4)


def test_noise_has_power_in_proportion_to_the_rings() -> None:
    vectors = np.linalg.qr(np.random.default_rng(0).standard_normal((256, 256)))[0]
    found = emergence.power_spectrum(basis_of(list(vectors.T), [1.0] * 256, (1, 16, 16)))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(16), np.fft.fftfreq(16)))
    assert found.mean_frequency.mean() == pytest.approx(radius.mean(), rel=1e-12)
    assert np.allclose(found.variance, np.bincount(np.rint(radius * 16).astype(int).ravel()))


def test_slips_are_told() -> None:
    with pytest.raises(ValueError, match="sample, step, component"):
        emergence.slopes(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="do not fit a grid"):
        emergence.find_crossings(np.zeros((3, 4)), np.zeros(4))


def test_the_mean_ratio_is_one_for_gaussian_data_and_follows_another_prediction(basis: Eigenbasis) -> None:
    coefficients, variances = coefficients_of(basis, FINE), basis.variances.numpy()
    found = emergence.mean_emergence_ratio(coefficients, variances, FINE, resampling=Resampling(resamples=20))
    assert float(found.estimate) == pytest.approx(1, abs=1e-3)
    assert found.low <= found.estimate <= found.high
    assert float(
        emergence.mean_emergence_ratio(coefficients, 4 * variances, FINE, resampling=Resampling(resamples=20)).estimate
    ) == pytest.approx(0.5, abs=1e-3)


def test_a_flat_image_has_the_brightness_of_each_channel() -> None:
    mean = np.random.default_rng(0).standard_normal((3, 2, 4))
    basis = Eigenbasis(
        torch.from_numpy(mean.ravel()), torch.zeros(24, 0, dtype=torch.float64), torch.zeros(0), 1.0, (3, 2, 4)
    )
    flat = emergence.uniform_mean_image(basis).reshape(3, 2, 4)
    for channel in range(3):
        np.testing.assert_allclose(flat[channel], mean[channel].mean())
