r"""Noise levels at which the steps of Euler, DDIM and Heun lose least on Gaussian data.

With r = sigma / alpha a sampler that is linear in the state multiplies the component of variance lambda of x / alpha, from r to
r', by a gain G on Gaussian data. With h = r' - r, a = r / (r^2 + lambda) and b = r' / (r'^2 + lambda) it is

    Euler, DDIM    G = 1 + h a = (r r' + lambda) / (r^2 + lambda)
    Heun           G = 1 + h (a + b + h a b) / 2, and Euler's in the last step, to r' = 0

where the exact flow has sqrt((r'^2 + lambda) / (r^2 + lambda)). N steps from exact states at r_1 lose

    loss = sum_k (sqrt(lambda_k) - sqrt(r_1^2 + lambda_k) G_k1 G_k2 ... G_kN)^2

the expected squared distance, summed over the pixels, between the sampler's image and that of the exact flow from the same
noise; with gains above 0 it is also the squared Wasserstein distance between the images and the data. A component without
variance loses nothing.

Euler's gain over the exact one is the cosine of a difference of the angles arctan(r / sqrt(lambda)): it never exceeds 1, so the
errors of its steps add up. Heun's partly cancel; a network's need not, least of all in three or
four steps. Multistep samplers are left out for that reason.

Imports numpy alone, so that a command takes less than a second.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Objective = Callable[[FloatArray], tuple[float, FloatArray]]

SAMPLERS = ("euler", "ddim", "heun")
"""Names of the samplers whose loss this is."""
_SAME = 0.02  # variances whose logarithms differ by less are merged
_ITERATIONS, _TOLERANCE = 500, 1e-7
_ARMIJO = 1e-4
_NEGLIGIBLE = 1e-12  # a loss, as a fraction of the variance


def loss(variances: ArrayLike, ratios: ArrayLike, sampler: str = "euler") -> float:
    """Compute the expected squared distance between a sampler's image and that of the exact flow on Gaussian data.

    Args:
        variances: lambda, shape (component,), in squared image units.
        ratios: sigma / alpha of each level, decreasing to 0, shape (step,).
        sampler: one of `SAMPLERS`.

    Returns:
        the sum over pixels, in squared image units.
    """
    kept = _positive(variances)
    return _loss(kept, np.ones(len(kept)), np.asarray(ratios, np.float64), sampler)[0]


def optimal_ratios(
    variances: ArrayLike, steps: int, sigma_max: float, sigma_min: float, sampler: str = "euler"
) -> FloatArray:
    """Find the levels of a sampler's steps with the least `loss`.

    Args:
        variances: lambda, shape (component,), in squared image units.
        steps: number of steps N.
        sigma_max: sigma / alpha of the first level.
        sigma_min: sigma / alpha above which all levels but the end lie: the least noisy level of the network's training.
        sampler: one of `SAMPLERS`.

    Returns:
        sigma / alpha of each level, strictly decreasing from `sigma_max` to 0, shape (N + 1,).

    Raises:
        ValueError: no step, no component with variance, a variance that is no number, or sigma_min not between 0 and
            sigma_max.
    """
    if steps < 1 or not 0 < sigma_min < sigma_max < np.inf:
        raise ValueError(f"a grid needs a step and 0 < sigma_min < sigma_max, got {steps}, {sigma_min}, {sigma_max}")
    merged, counts = _merge(_positive(variances))
    grids, floor = _Grids(sigma_max, sigma_min), _NEGLIGIBLE * float(counts @ merged)

    def objective(shares: FloatArray) -> tuple[float, FloatArray]:
        value, slope = _loss(merged, counts, grids.ratios(shares), sampler)
        return float(np.log(value + floor)), grids.slope(shares, slope) / (value + floor)

    return grids.ratios(_minimise(objective, np.zeros(steps)))


def _positive(variances: ArrayLike) -> FloatArray:
    """Return the variances above 0."""
    found = np.asarray(variances, np.float64).ravel()
    if not (np.isfinite(found).all() and (found >= 0).all() and found.any()):
        raise ValueError("variances must be finite and not negative, and at least one above 0")
    return found[found > 0]


def _merge(variances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Merge variances that are nearly the same, and return the mean and number of each group."""
    _, group, counts = np.unique(np.round(np.log(variances) / _SAME), return_inverse=True, return_counts=True)
    return np.bincount(group, variances) / counts, counts.astype(np.float64)


def _loss(variances: FloatArray, counts: FloatArray, ratios: FloatArray, sampler: str) -> tuple[float, FloatArray]:
    """Compute the loss and its derivatives by the logarithms of the levels between the first and the end."""
    start, end = ratios[:-1, None], ratios[1:, None]
    gain, by_start, by_end = _euler(start, end, variances)
    if sampler == "heun":
        corrected = _heun(start[:-1], end[:-1], variances)
        for values, better in zip((gain, by_start, by_end), corrected, strict=True):
            values[:-1] = better
    made = np.prod(gain, 0) * np.sqrt(ratios[0] ** 2 + variances)
    missed = np.sqrt(variances) - made
    gain = np.where(gain == 0, np.finfo(float).tiny, gain)
    rate = start[1:] * (by_end[:-1] / gain[:-1] + by_start[1:] / gain[1:])  # of log made
    return float(counts @ missed**2), -2 * rate @ (counts * missed * made)


def _euler(start: FloatArray, end: FloatArray, variances: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute the gains of Euler's steps and their derivatives by the levels at start and end, shape (step, component)."""
    total = start**2 + variances
    gain = (start * end + variances) / total
    return gain, (end - 2 * start * gain) / total, start / total


def _heun(start: FloatArray, end: FloatArray, variances: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute the gains of Heun's corrected steps and their derivatives, as `_euler`."""
    h, (a, a_rate), (b, b_rate) = end - start, _slope(start, variances), _slope(end, variances)
    sum_ = (a + b + h * a * b) / 2
    by_start = h * (a_rate - a * b + h * a_rate * b) / 2 - sum_
    by_end = h * (b_rate + a * b + h * a * b_rate) / 2 + sum_
    return 1 + h * sum_, by_start, by_end


def _slope(ratio: FloatArray, variances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute r / (r^2 + lambda), the slope of the flow over its state, and its derivative by r."""
    total = ratio**2 + variances
    return ratio / total, (variances - ratio**2) / total**2


class _Grids:
    """Strictly decreasing grids, by unbounded parameters: shares of the logarithmic range, as softmax of N numbers.

    The last share is what remains between the last level and sigma_min.
    """

    def __init__(self, sigma_max: float, sigma_min: float) -> None:
        self._first, self._range = sigma_max, np.log(sigma_max / sigma_min)

    def ratios(self, parameters: FloatArray) -> FloatArray:
        """Return sigma / alpha of the levels, the end at 0 included."""
        fallen = np.append(0.0, np.cumsum(_softmax(parameters))[:-1])
        return np.append(self._first * np.exp(-self._range * fallen), 0.0)

    def slope(self, parameters: FloatArray, by_level: FloatArray) -> FloatArray:
        """Return derivatives by the parameters from those by the logarithms of the inner levels."""
        shares = _softmax(parameters)
        by_share = np.append(-self._range * np.cumsum(by_level[::-1])[::-1], 0.0)
        return shares * (by_share - by_share @ shares)


def _softmax(parameters: FloatArray) -> FloatArray:
    powers = np.exp(parameters - parameters.max())
    return powers / powers.sum()


def _minimise(objective: Objective, start: FloatArray) -> FloatArray:
    """Minimise a function with its gradient by the method of Broyden, Fletcher, Goldfarb and Shanno."""
    place, (value, slope) = start, objective(start)
    inverse = np.eye(len(start))
    for _ in range(_ITERATIONS):
        if np.abs(slope).max() < _TOLERANCE:
            break
        move, reached, steeper = _search(objective, place, value, slope, -inverse @ slope)
        inverse = _updated(inverse, move, steeper - slope)
        place, value, slope = place + move, reached, steeper
        if not move.any():
            break
    return place


def _search(
    objective: Objective, place: FloatArray, value: float, slope: FloatArray, move: FloatArray
) -> tuple[FloatArray, float, FloatArray]:
    """Halve a move until the function falls enough; return it with the value and gradient there, or no move at all."""
    move = move / max(1.0, float(np.abs(move).max()) / 2)
    while np.abs(move).max() > 1e-12:
        reached, steeper = objective(place + move)
        if reached <= value + _ARMIJO * float(slope @ move):
            return move, reached, steeper
        move = move / 2
    return np.zeros_like(move), value, slope


def _updated(inverse: FloatArray, move: FloatArray, change: FloatArray) -> FloatArray:
    """Update the estimate of the inverse Hessian; without positive curvature it is kept."""
    curvature = float(move @ change)
    if curvature <= 1e-14:
        return inverse
    left = np.eye(len(move)) - np.outer(move, change) / curvature
    return left @ inverse @ left.T + np.outer(move, move) / curvature
