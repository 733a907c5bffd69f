r"""When features emerge: each component's place in the endpoint estimate, measured and predicted (Sec. 4.2, App. H).

With e_k(t) = u_k . (x0_hat(x_t) - mu), the slope of a component over seeds says how much of its final value is there at t:

    b_k(t) = sum e_k(t) e_k(0) / sum e_k(0)^2        from about 0 (noise) to 1 (image)

For Gaussian data e_k(t) = xi(t, lambda_k) c_k(T), so that with the noise-to-signal ratio r = sigma / alpha

    b_k(t) = xi(t) / xi(0) = alpha sqrt(lambda_k) / sqrt(alpha^2 lambda_k + sigma^2) = 1 / sqrt(1 + r^2 / lambda_k)

which is 1 / sqrt(2) at r = sqrt(lambda_k): there the component emerges, the larger variances first. Natural images have their
variance at low spatial frequencies, so this order is one from coarse to fine; `power_spectrum` says whether a basis has it.

Slopes are ratios of means over seeds, so shards need only be put side by side, and intervals come from `statistics.of_means`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from underpainting.analysis import statistics
from underpainting.analysis.statistics import Interval
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise.levels import NoiseGrid, NoiseLevel
from underpainting.theory import gaussian
from underpainting.theory.gaussian import Values

FloatArray = NDArray[np.float64]
THRESHOLD = 0.5**0.5
_CHUNK = 2**22


class Emergence(NamedTuple):
    """When components emerge.

    Attributes:
        log_ratio: log(sigma / alpha) there, shape (component,).
        step: fractional step of the grid, shape (component,).
    """

    log_ratio: FloatArray
    step: FloatArray


class Spectrum(NamedTuple):
    """Power of each component's image over radial spatial frequencies, summed over channels.

    Attributes:
        frequency: centre of each ring, in cycles per pixel, shape (frequency,).
        power: share of each component's power in each ring, sums to 1, shape (component, frequency).
        mean_frequency: each component's frequency, weighted by power, in cycles per pixel, shape (component,).
        variance: the data's variance in each ring, as far as the basis holds it, shape (frequency,).
    """

    frequency: FloatArray
    power: FloatArray
    mean_frequency: FloatArray
    variance: FloatArray


def revealed(variance: Values, level: NoiseLevel) -> Values:
    """Share of a state's coefficient (u_k . x_t) / alpha_t - u_k . mu that the endpoint estimate shows (Eq. 60-62).

    alpha^2 lambda / (alpha^2 lambda + sigma^2): near 0 while noise is above signal (Eq. 61), near 1 when below (Eq. 62).
    """
    return level.alpha * gaussian.endpoint_gain(variance, level)


def theory_slope(variance: Values, level: NoiseLevel) -> Values:
    """xi(t) / xi(0): the slope b_k for Gaussian data, the square root of what is revealed; 0 without variance."""
    return revealed(variance, level) ** 0.5


def products(coefficients: FloatArray) -> FloatArray:
    """e_k(t) e_k(0), whose means over seeds give the slopes.

    Args:
        coefficients: `basis.coefficients` of the endpoint estimates, shape (sample, step, component), the image last.

    Returns:
        same shape.
    """
    coefficients = np.asarray(coefficients, np.float64)
    if coefficients.ndim != 3:
        raise ValueError(f"coefficients have the axes sample, step, component; got shape {coefficients.shape}")
    result: FloatArray = coefficients * coefficients[:, -1:]
    return result


def slopes_of_mean(mean: FloatArray) -> FloatArray:
    """Slopes from the mean of `products` over seeds, both of shape (step, component); NaN where the image never varies."""
    final = mean[-1]
    result: FloatArray = mean / np.where(final > 0, final, np.nan)
    return result


def slopes(coefficients: FloatArray) -> FloatArray:
    """b_k(t), shape (step, component), from coefficients of shape (sample, step, component)."""
    return slopes_of_mean(products(coefficients).mean(0))


def crossing(slopes: FloatArray, ratio: FloatArray, threshold: float = THRESHOLD) -> Emergence:
    """Where each slope crosses the threshold for good, interpolated linearly in log(sigma / alpha).

    Args:
        slopes: shape (step, component).
        ratio: sigma / alpha of the grid, decreasing, shape (step,); 0 or infinite at the ends is allowed.
        threshold: 1 / sqrt(2) where a component emerges.

    Returns:
        both NaN for a slope that is never below or ends below; where one of the two levels has no finite logarithm (the last
        step, to sigma = 0) the step alone is given.

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


def predicted(variances: FloatArray, grid: NoiseGrid) -> Emergence:
    """When theory lets each component emerge on a grid; the step is NaN where the grid does not reach the ratio.

    Args:
        variances: lambda, shape (component,); without variance both are NaN.
        grid: the sampler's levels.
    """
    variances = _positive(variances)
    return Emergence(
        np.log(gaussian.critical_ratio(variances)), gaussian.critical_step(variances, noise_to_signal(grid))
    )


def critical_period(
    variances: FloatArray, grid: NoiseGrid, begin: float = 0.1, end: float = 0.9
) -> tuple[FloatArray, FloatArray]:
    """The (fractional) steps between which theory's slope goes from `begin` to `end` (Fig. 3 C).

    The slope is b at the ratio sqrt(lambda (1 / b^2 - 1)), so the period has the same length in log(sigma / alpha) for all.

    Args:
        variances: lambda, shape (component,).
        grid: the sampler's levels.

    Returns:
        two arrays of shape (component,); NaN beyond the grid's finite levels, and without variance.

    Raises:
        ValueError: not 0 < begin < end < 1.
    """
    if not 0 < begin < end < 1:
        raise ValueError(f"a critical period goes from one slope to a larger one within (0, 1), got {begin} and {end}")
    variances, ratio = _positive(variances), noise_to_signal(grid)
    first, second = (gaussian.critical_step(variances * (slope**-2 - 1), ratio) for slope in (begin, end))
    return first, second


def measured_steps(
    coefficients: FloatArray, grid: NoiseGrid, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """The steps at which components emerge in trajectories, with intervals by resampling the seeds.

    Args:
        coefficients: shape (sample, step, component).
        grid: the sampler's levels.
        level, resamples, seed: as in `statistics.of_means`.
    """
    ratio = noise_to_signal(grid)
    return statistics.of_means(
        products(coefficients),
        lambda mean: crossing(slopes_of_mean(mean), ratio).step,
        level=level,
        resamples=resamples,
        seed=seed,
    )


def order(
    coefficients: FloatArray,
    variances: FloatArray,
    grid: NoiseGrid,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Rank correlation of measured with predicted emergence, 1 for the predicted order; seeds are resampled.

    Components without variance, and those that never cross, are left out.

    Args:
        coefficients: shape (sample, step, component).
        variances: lambda, shape (component,); theory's order is theirs, the largest first.
        grid: the sampler's levels.
        level, resamples, seed: as in `statistics.of_means`.
    """
    ratio = noise_to_signal(grid)
    return statistics.rank_correlation_interval(
        products(coefficients),
        lambda mean: crossing(slopes_of_mean(mean), ratio).step,
        -_positive(variances),
        level=level,
        resamples=resamples,
        seed=seed,
    )


def mean_ratio(
    coefficients: FloatArray,
    variances: FloatArray,
    grid: NoiseGrid,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Geometric mean over components of measured over predicted sigma / alpha at emergence, 1 by theory; seeds are resampled.

    The mean is taken within each resample, over the components that cross there; those without variance are left out.

    Args:
        coefficients: shape (sample, step, component).
        variances: lambda, shape (component,).
        grid: the sampler's levels.
        level, resamples, seed: as in `statistics.of_means`.

    Returns:
        numbers; NaN where no component crosses.
    """
    ratio, expected = noise_to_signal(grid), np.log(gaussian.critical_ratio(_positive(variances)))

    def mean_log(mean: FloatArray) -> FloatArray:
        excess = crossing(slopes_of_mean(mean), ratio).log_ratio - expected
        found = excess[np.isfinite(excess)]
        return np.asarray(found.mean() if len(found) else np.nan)

    logs = statistics.of_means(products(coefficients), mean_log, level=level, resamples=resamples, seed=seed)
    estimate, low, high = (np.asarray(np.exp(value)) for value in logs[:3])
    return Interval(estimate, low, high, logs.n)


def flat_image(basis: Eigenbasis) -> FloatArray:
    """An image of the mean image's mean brightness in each channel, shape (pixel,): the null model of the mean image."""
    mean = basis.mean.reshape(basis.image_shape)
    return np.asarray(mean.mean((1, 2), keepdim=True).expand_as(mean).flatten().numpy())


def noise_to_signal(grid: NoiseGrid) -> FloatArray:
    """sigma / alpha of a grid, infinite for pure noise, shape (step,)."""
    return np.array([level.ratio for level in grid])


def _positive(variances: FloatArray) -> FloatArray:
    variances = np.asarray(variances, np.float64)
    return np.where(variances > 0, variances, np.nan)


def power_spectrum(basis: Eigenbasis) -> Spectrum:
    """Spatial frequencies of a basis: does large variance mean coarse features?

    A ring holds the frequencies nearest to a whole number of cycles per longer side; corners of the square reach beyond one half
    cycle per pixel. The mean frequency is taken before the rings.
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
    whole = np.concatenate(power) if power else np.zeros((0, ring.max() + 1))
    return Spectrum(
        np.arange(ring.max() + 1) / side,
        whole,
        np.concatenate(mean) if mean else np.zeros(0),
        basis.variances.numpy() @ whole,
    )
