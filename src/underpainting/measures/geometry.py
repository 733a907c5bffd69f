r"""The shape of trajectories: nearly a rotation in a plane (Sec. 3, Eq. 7, Table 2, Fig. 10).

For a trajectory x_t with ends x_T (noise) and x_0 (image), the residual of an approximation a_t is

    residual = sum_t ||x_t - a_t||^2 / sum_t ||x_t||^2

over all of its steps (Table 2: "the squared norm of the error vector divided by the squared norm"). Principal components are
those of the trajectory's own points, centred at their mean; the variance outside the top two is measured about it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from underpainting.noise import NoiseGrid
from underpainting.theory.rotation import weights

FloatArray = NDArray[np.float64]


class Residuals(NamedTuple):
    """How much of a batch of trajectories each approximation leaves over.

    Attributes:
        top2: outside the top two principal components, shape (sample,).
        plane: outside the plane of x_0 and x_T, shape (sample,).
        rotation: outside alpha_t x_0 + sigma_t x_T, shape (sample,).
        plane_step: the second, step by step, relative to that step's norm, shape (sample, step).
        rotation_step: the third, likewise.
        rotation_peak: largest squared distance from the rotation over ||x_T||^2, shape (sample,) (bounded by Eq. 11).
    """

    top2: FloatArray
    plane: FloatArray
    rotation: FloatArray
    plane_step: FloatArray
    rotation_step: FloatArray
    rotation_peak: FloatArray


def rotation(states: FloatArray, grid: NoiseGrid) -> FloatArray:
    """Eq. 7 with the grid's own scales: a_t x_0 + b_t x_T, the weights those of `underpainting.theory.rotation`.

    For alpha_T = 0 and a variance-preserving path this is alpha_t x_0 + sqrt(1 - alpha_t^2) x_T.

    Args:
        states: shape (sample, step, pixel).
        grid: the levels of the steps.
    """
    data_weight, noise_weight = weights(grid.alpha, grid.sigma, grid[0])
    return data_weight[:, None] * states[:, -1:] + noise_weight[:, None] * states[:, :1]


def plane(states: FloatArray) -> FloatArray:
    """Projection of every state onto the plane of x_0 and x_T, shape (sample, step, pixel)."""
    spanning = states[:, [0, -1]].transpose(0, 2, 1)
    orthonormal = np.linalg.qr(spanning)[0]
    coordinates: FloatArray = states @ orthonormal
    return coordinates @ orthonormal.transpose(0, 2, 1)


def explained_variance(points: FloatArray) -> FloatArray:
    """Cumulative fraction of variance of the principal components of each trajectory's points.

    Args:
        points: states, their differences or noise predictions, shape (sample, step, pixel).

    Returns:
        shape (sample, component) with min(step, pixel) components, increasing to 1; 1 for points that do not move.
    """
    centred = points - points.mean(1, keepdims=True)
    small = min(centred.shape[1:])
    swapped = centred.transpose(0, 2, 1)
    gram = centred @ swapped if small == centred.shape[1] else swapped @ centred
    values = np.clip(np.linalg.eigvalsh(gram)[:, ::-1], 0, None)
    total = values.sum(1, keepdims=True)
    return np.where(total > 0, np.cumsum(values, 1) / np.where(total > 0, total, 1), 1.0)


def dimension(explained: FloatArray, fraction: float = 0.999) -> NDArray[np.int64]:
    """Number of components needed to reach a fraction of the variance (Table 2), from `explained_variance`."""
    return (explained < fraction * (1 - 1e-12)).sum(1) + 1


def noise_predictions(states: FloatArray, endpoints: FloatArray, grid: NoiseGrid) -> FloatArray:
    """eps_hat = (x_t - alpha_t x0_hat) / sigma_t at every step with noise (Eq. 6).

    Args:
        states: shape (sample, step, pixel).
        endpoints: likewise.
        grid: the levels of the steps.

    Returns:
        shape (sample, steps with sigma > 0, pixel).
    """
    noisy = grid.sigma > 0
    return (states - grid.alpha[:, None] * endpoints)[:, noisy] / grid.sigma[noisy, None]


def residuals(states: FloatArray, grid: NoiseGrid) -> Residuals:
    """The three residuals of Table 2.

    Args:
        states: shape (sample, step, pixel), from noise to image.
        grid: the levels of the steps.
    """
    norms = np.square(states).sum(2)
    off_plane = np.square(states - plane(states)).sum(2)
    off_rotation = np.square(states - rotation(states, grid)).sum(2)
    total = norms.sum(1)
    moving = np.square(states - states.mean(1, keepdims=True)).sum((1, 2))
    outside = 1.0 - explained_variance(states)[:, min(1, min(states.shape[1:]) - 1)]
    return Residuals(
        outside * moving / total,
        off_plane.sum(1) / total,
        off_rotation.sum(1) / total,
        off_plane / norms,
        off_rotation / norms,
        off_rotation.max(1) / norms[:, 0],
    )


def plane_coordinates(states: FloatArray) -> FloatArray:
    """Coordinates of a trajectory in the plane of its ends, the first axis along x_T (Fig. 1 B).

    Args:
        states: shape (step, pixel).

    Returns:
        shape (step, 2); x_0 has a non-negative second coordinate.
    """
    first = states[0] / np.linalg.norm(states[0])
    rest = states[-1] - (states[-1] @ first) * first
    size = np.linalg.norm(rest)
    second = rest / size if size > 0 else np.zeros_like(rest)
    return np.stack([states @ first, states @ second], 1)
