r"""Noise levels at which Euler's and DDIM's steps lose least on Gaussian data.

With r = sigma / alpha the two samplers take the same steps. From r to r', on Gaussian data, they multiply the component of
variance lambda of x / alpha by (r r' + lambda) / (r^2 + lambda), the exact flow by sqrt((r'^2 + lambda) / (r^2 + lambda)). The
ratio of the two is the cosine of a difference of angles,

    cos(phi - phi'),      phi = arctan(r / sqrt(lambda))

so images that N steps make of exact states at the first level have standard deviations P_k sqrt(lambda_k), with

    P_k = cos(phi_k1 - phi_k2) cos(phi_k2 - phi_k3) ... cos(phi_kN - 0)        loss = sum_k lambda_k (1 - P_k)^2

The loss is the expected squared distance, summed over the pixels, between the sampler's image and that of the exact flow from
the same noise; it is also the squared Wasserstein distance between the images and the data. A component without variance
loses nothing. No cosine exceeds 1, so the errors of the steps add up and cannot cancel. Those of samplers of a higher order
can, and the grid that is best for Gaussian data is then fitted to that, which need not hold for a network.

Imports numpy alone, so that a command takes less than a second.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Objective = Callable[[FloatArray], tuple[float, FloatArray]]

SAMPLERS = ("euler", "ddim")
"""Names of the samplers of which this is the loss."""
_SAME = 0.02  # variances whose logarithms differ by less are merged
_ITERATIONS, _TOLERANCE = 500, 1e-7
_ARMIJO = 1e-4


def loss(variances: ArrayLike, ratios: ArrayLike) -> float:
    """Compute the expected squared distance between an image of Euler's or DDIM's steps and that of the exact flow.

    Args:
        variances: lambda, shape (component,), in squared image units.
        ratios: sigma / alpha of each level, decreasing to 0, shape (step,).

    Returns:
        the sum over pixels, in squared image units.
    """
    kept = _positive(variances)
    return _loss(kept, np.ones(len(kept)), np.asarray(ratios, np.float64))[0]


def optimal_ratios(variances: ArrayLike, steps: int, sigma_max: float, sigma_min: float) -> FloatArray:
    """Find the levels of `steps` steps of Euler or DDIM with the least `loss`.

    Args:
        variances: lambda, shape (component,), in squared image units.
        steps: number of steps N.
        sigma_max: sigma / alpha of the first level.
        sigma_min: sigma / alpha above which all levels but the end lie: the least noisy level of the network's training.

    Returns:
        sigma / alpha of each level, strictly decreasing from `sigma_max` to 0, shape (N + 1,).

    Raises:
        ValueError: no step, no component with variance, a variance that is no number, or sigma_min not between 0 and
            sigma_max.
    """
    if steps < 1 or not 0 < sigma_min < sigma_max < np.inf:
        raise ValueError(f"a grid needs a step and 0 < sigma_min < sigma_max, got {steps}, {sigma_min}, {sigma_max}")
    merged, counts = _merge(_positive(variances))
    grids = _Grids(sigma_max, sigma_min)

    def objective(shares: FloatArray) -> tuple[float, FloatArray]:
        value, slope = _loss(merged, counts, grids.ratios(shares))
        return float(np.log(value)), grids.slope(shares, slope) / value

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


def _loss(variances: FloatArray, counts: FloatArray, ratios: FloatArray) -> tuple[float, FloatArray]:
    """Compute the loss and its derivatives by the logarithms of the levels between the first and the end."""
    r = ratios[:, None]
    length, product = r * r + variances, r[:-1] * r[1:] + variances
    kept = np.prod(product / np.sqrt(length[:-1] * length[1:]), 0)
    inner = r[1:-1]
    rate = inner * (r[:-2] / product[:-1] + r[2:] / product[1:] - 2 * inner / length[1:-1])  # of log P
    weight = counts * variances * (1 - kept)
    return float(weight @ (1 - kept)), -2 * rate @ (weight * kept)


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
