r"""Emergence times of eigen-components in the endpoint estimate, measured and predicted (Sec. 4.2, App. H).

With e_k(t) = u_k . (x0_hat(x_t) - mu), the regression slope of e_k(t) on its final value e_k(0), over seeds, is

    b_k(t) = sum e_k(t) e_k(0) / sum e_k(0)^2        from about 0 (noise) to 1 (image)

For Gaussian data e_k(t) = xi(t, lambda_k) c_k(T), so that with the noise-to-signal ratio r = sigma / alpha

    b_k(t) = xi(t) / xi(0) = alpha sqrt(lambda_k) / sqrt(alpha^2 lambda_k + sigma^2) = 1 / sqrt(1 + r^2 / lambda_k)

which is 1 / sqrt(2) at r = sqrt(lambda_k): the emergence of component k. Larger variances emerge first. Natural images have most
variance at low spatial frequencies, so they emerge from coarse to fine; `power_spectrum` tests this for a basis.

Slopes are ratios of means over seeds, so `statistics.confidence_interval` gives their intervals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from underpainting.analysis import statistics
from underpainting.analysis.statistics import DEFAULT_RESAMPLING, Interval, Resampling
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise.levels import NoiseGrid, NoiseLevel
from underpainting.theory import gaussian
from underpainting.theory.gaussian import Values

FloatArray = NDArray[np.float64]
THRESHOLD = 0.5**0.5
_CHUNK = 2**22


class Emergence(NamedTuple):
    """Noise level and sampler step at which each component emerges.

    Attributes:
        log_ratio: log(sigma / alpha) at emergence, shape (component,).
        step: fractional step of the grid at emergence, shape (component,).
    """

    log_ratio: FloatArray
    step: FloatArray


class Spectrum(NamedTuple):
    """Radial power spectrum of each component's image, summed over channels.

    Attributes:
        frequency: centre of each frequency ring, in cycles per pixel, shape (frequency,).
        power: fraction of each component's power in each ring, sums to 1, shape (component, frequency).
        mean_frequency: power-weighted mean frequency of each component, in cycles per pixel, shape (component,).
        variance: data variance in each ring that the basis holds, shape (frequency,).
    """

    frequency: FloatArray
    power: FloatArray
    mean_frequency: FloatArray
    variance: FloatArray


def wiener_gain(variance: Values, level: NoiseLevel) -> Values:
    """Compute the gain from a state's coefficient (u_k . x_t) / alpha_t - u_k . mu to the endpoint estimate's (Eq. 60-62).

    It is alpha^2 lambda / (alpha^2 lambda + sigma^2): near 0 while noise exceeds signal (Eq. 61), near 1 afterwards (Eq. 62).
    """
    return level.alpha * gaussian.endpoint_gain(variance, level)


def gaussian_slope(variance: Values, level: NoiseLevel) -> Values:
    """Compute the slope b_k = xi(t) / xi(0) for Gaussian data, the square root of `wiener_gain`; 0 without variance."""
    return wiener_gain(variance, level) ** 0.5


def slope_products(coefficients: FloatArray) -> FloatArray:
    """Compute e_k(t) e_k(0), whose means over seeds give the slopes.

    Args:
        coefficients: `Eigenbasis.coefficients` of the endpoint estimates, shape (sample, step, component), the final image last.

    Returns:
        same shape.
    """
    coefficients = np.asarray(coefficients, np.float64)
    if coefficients.ndim != 3:
        raise ValueError(f"coefficients have the axes sample, step, component; got shape {coefficients.shape}")
    result: FloatArray = coefficients * coefficients[:, -1:]
    return result


def slopes_from_products(mean: FloatArray) -> FloatArray:
    """Compute slopes from the mean of `slope_products` over seeds, both (step, component); NaN where the image never varies."""
    final = mean[-1]
    result: FloatArray = mean / np.where(final > 0, final, np.nan)
    return result


def slopes(coefficients: FloatArray) -> FloatArray:
    """Compute the slopes b_k(t), shape (step, component), from coefficients of shape (sample, step, component)."""
    return slopes_from_products(slope_products(coefficients).mean(0))


def find_crossings(slopes: FloatArray, ratio: FloatArray, threshold: float = THRESHOLD) -> Emergence:
    """Find where each slope last crosses the threshold upwards, by linear interpolation in log(sigma / alpha).

    Args:
        slopes: shape (step, component).
        ratio: sigma / alpha of the grid, decreasing, shape (step,); 0 or infinite at the ends is allowed.
        threshold: slope at which a component counts as emerged; 1 / sqrt(2) by definition.

    Returns:
        both fields NaN for a slope that is never below the threshold or ends below it; `log_ratio` alone is NaN where one of
        the two levels has no finite logarithm (the last step, to sigma = 0).

    Raises:
        ValueError: the shapes do not fit.
    """
    slopes, ratio = np.asarray(slopes, np.float64), np.asarray(ratio, np.float64)
    if slopes.ndim != 2 or ratio.shape != slopes.shape[:1]:
        raise ValueError(f"slopes of shape {slopes.shape} do not fit a grid of shape {ratio.shape}")
    below = slopes < threshold
    last = len(ratio) - 1 - below[::-1].argmax(0)
    found = below.any(0) & (last < len(ratio) - 1) & np.isfinite(slopes).all(0)
    before = np.where(found, last, 0)
    column = np.arange(slopes.shape[1])
    start, end = slopes[before, column], slopes[np.minimum(before + 1, len(ratio) - 1), column]
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = np.where(found, (threshold - start) / (end - start), np.nan)
        log = np.log(ratio)
        log[~np.isfinite(log)] = np.nan
    after = np.minimum(before + 1, len(ratio) - 1)
    return Emergence(log[before] + fraction * (log[after] - log[before]), before + fraction)


def critical_period(
    variances: FloatArray, grid: NoiseGrid, begin: float = 0.1, end: float = 0.9
) -> tuple[FloatArray, FloatArray]:
    """Compute the (fractional) steps at which the Gaussian slope reaches `begin` and `end` (Fig. 3 C).

    The slope is b at the ratio sqrt(lambda (1 / b^2 - 1)), so all periods are equally long in log(sigma / alpha).

    Args:
        variances: lambda, shape (component,).
        grid: the sampler's noise levels.
        begin, end: slopes at which the period begins and ends.

    Returns:
        two arrays of shape (component,); NaN beyond the grid's finite levels and for zero variance.

    Raises:
        ValueError: not 0 < begin < end < 1.
    """
    if not 0 < begin < end < 1:
        raise ValueError(f"a critical period goes from one slope to a larger one within (0, 1), got {begin} and {end}")
    variances, ratio = _positive(variances), noise_to_signal(grid)
    first, second = (gaussian.critical_step(variances * (slope**-2 - 1), ratio) for slope in (begin, end))
    return first, second


def measured_emergence_steps(
    coefficients: FloatArray, grid: NoiseGrid, resampling: Resampling = DEFAULT_RESAMPLING
) -> Interval:
    """Measure the steps at which components emerge in trajectories, with confidence intervals over seeds.

    Args:
        coefficients: shape (sample, step, component).
        grid: the sampler's noise levels.
        resampling: how the seeds are resampled.

    Returns:
        fractional steps, shape (component,).
    """
    ratio = noise_to_signal(grid)
    return statistics.confidence_interval(
        slope_products(coefficients), lambda mean: find_crossings(slopes_from_products(mean), ratio).step, resampling
    )


def order_correlation(
    coefficients: FloatArray, variances: FloatArray, grid: NoiseGrid, resampling: Resampling = DEFAULT_RESAMPLING
) -> Interval:
    """Compute the rank correlation of measured with predicted emergence, with its interval over seeds; 1 by theory.

    Components without variance, and those that never cross the threshold, are left out.

    Args:
        coefficients: shape (sample, step, component).
        variances: lambda, shape (component,); theory predicts that the largest emerges first.
        grid: the sampler's noise levels.
        resampling: how the seeds are resampled.
    """
    ratio = noise_to_signal(grid)
    return statistics.rank_correlation_interval(
        slope_products(coefficients),
        lambda mean: find_crossings(slopes_from_products(mean), ratio).step,
        -_positive(variances),
        resampling,
    )


def mean_emergence_ratio(
    coefficients: FloatArray, variances: FloatArray, grid: NoiseGrid, resampling: Resampling = DEFAULT_RESAMPLING
) -> Interval:
    """Compute the geometric mean over components of measured over predicted sigma / alpha at emergence; 1 by theory.

    The mean is taken within each resample, over the components that cross the threshold there. Components without variance are
    left out.

    Args:
        coefficients: shape (sample, step, component).
        variances: lambda, shape (component,).
        grid: the sampler's noise levels.
        resampling: how the seeds are resampled.

    Returns:
        a number with its interval; NaN where no component crosses the threshold.
    """
    ratio, predicted = noise_to_signal(grid), np.log(gaussian.critical_ratio(_positive(variances)))

    def mean_log_excess(mean: FloatArray) -> FloatArray:
        excess = find_crossings(slopes_from_products(mean), ratio).log_ratio - predicted
        finite = excess[np.isfinite(excess)]
        return np.asarray(finite.mean() if len(finite) else np.nan)

    logs = statistics.confidence_interval(slope_products(coefficients), mean_log_excess, resampling)
    estimate, low, high = (np.asarray(np.exp(value)) for value in logs[:3])
    return Interval(estimate, low, high, logs.n)


def uniform_mean_image(basis: Eigenbasis) -> FloatArray:
    """Build an image with the mean image's mean brightness in each channel, shape (pixel,): the null model of the mean image."""
    mean = basis.mean.reshape(basis.image_shape)
    return np.asarray(mean.mean((1, 2), keepdim=True).expand_as(mean).flatten().numpy())


def noise_to_signal(grid: NoiseGrid) -> FloatArray:
    """Return sigma / alpha of a grid, infinite for pure noise, shape (step,)."""
    return np.array([level.ratio for level in grid])


def _positive(variances: FloatArray) -> FloatArray:
    variances = np.asarray(variances, np.float64)
    return np.where(variances > 0, variances, np.nan)


def power_spectrum(basis: Eigenbasis) -> Spectrum:
    """Compute the radial power spectrum of every component of a basis.

    A ring holds the frequencies nearest to a whole number of cycles per longer side; corners of the square reach beyond one half
    cycle per pixel. The mean frequency is computed before frequencies are sorted into rings.
    """
    channels, height, width = basis.image_shape
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]).ravel()
    side = max(height, width)
    ring = np.rint(radius * side).astype(np.int64)
    membership = np.eye(ring.max() + 1)[ring]
    vectors = basis.vectors.T.numpy()
    power, mean = [], []
    for start in range(0, basis.rank, max(1, _CHUNK // basis.pixels)):
        images = vectors[start : start + max(1, _CHUNK // basis.pixels)].reshape(-1, channels, height, width)
        share = np.square(np.abs(np.fft.fft2(images))).sum(1).reshape(len(images), -1) / (height * width)
        power.append(share @ membership)
        mean.append(share @ radius)
    spectrum = np.concatenate(power) if power else np.zeros((0, ring.max() + 1))
    return Spectrum(
        np.arange(ring.max() + 1) / side,
        spectrum,
        np.concatenate(mean) if mean else np.zeros(0),
        basis.variances.numpy() @ spectrum,
    )
