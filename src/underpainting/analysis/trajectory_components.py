r"""Principal components of one trajectory, and how much it oscillates (Sec. 6.2, B.6, B.8.2, Fig. 5, 18, 24).

The components of a trajectory's points (states, their differences, endpoint estimates or noise predictions) are directions along
the image manifold that a single sampling finds. With points p_s, s = 1, ..., S,

    p_s - mean(p) = sum_k a_sk v_k,     v_k unit vectors by decreasing variance of a_sk

The sign of v_k is that of the last point's coordinate: a_Sk >= 0.

Oscillation is measured on the steps d_s of a trajectory in the plane of x_0 and x_T, by von Neumann's ratio

    sum_s ||d_s+1 - d_s||^2 / sum_s ||d_s||^2

which is close to 0 for a smooth trajectory, 2 (less 2 / S) for steps in random order about zero, and 4 for steps that alternate.

J. von Neumann, "Distribution of the ratio of the mean square successive difference to the variance", Ann. Math. Stat. 12, 367
(1941); here the steps are not centred, since a trajectory goes somewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from underpainting.analysis.geometry import plane_coordinates

FloatArray = NDArray[np.float64]


class Components(NamedTuple):
    """Principal components of the points of one trajectory.

    Attributes:
        vectors: unit vectors by decreasing variance, shape (component, pixel).
        deviations: standard deviation of the points along each, shape (component,).
    """

    vectors: FloatArray
    deviations: FloatArray


def components(points: FloatArray, count: int) -> Components:
    """Compute the first principal components of a trajectory's points, centred at their mean.

    Args:
        points: shape (step, pixel).
        count: number of components.

    Raises:
        ValueError: the points do not span as many directions.
    """
    points = np.asarray(points, np.float64)
    centred = points - points.mean(0)
    _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
    rank = int((singular > 1e-9 * np.linalg.norm(points)).sum())
    if count > rank:
        raise ValueError(f"{count} components are requested, but the {len(points)} points span {rank} directions only")
    signs = np.where(vectors[:count] @ centred[-1] < 0, -1.0, 1.0)
    return Components(signs[:, None] * vectors[:count], singular[:count] / len(points) ** 0.5)


def scaled_differences(states: FloatArray) -> FloatArray:
    """Compute k (x_{t-1} - x_t), with the norm of x_0, so that a decoder makes images of them (Fig. 1 A, middle row).

    Args:
        states: shape (step, pixel), from noise to image.

    Returns:
        shape (step, pixel), the last difference twice; 0 where a state does not move.
    """
    steps = np.diff(np.asarray(states, np.float64), axis=0)
    sizes = np.linalg.norm(steps, axis=1, keepdims=True)
    scaled = steps * np.linalg.norm(states[-1]) / np.where(sizes > 0, sizes, 1.0)
    return np.concatenate([scaled, scaled[-1:]])


def moved_along(final: FloatArray, vectors: FloatArray, strengths: ArrayLike) -> FloatArray:
    """Move a final state along unit vectors: x_0 + strength ||x_0|| v (Fig. 5 A, C, 18).

    Args:
        final: x_0, shape (pixel,).
        vectors: shape (direction, pixel).
        strengths: in units of the norm of x_0, shape (strength,).

    Returns:
        shape (direction, strength, pixel).
    """
    sizes = np.asarray(strengths, np.float64) * np.linalg.norm(final)
    return np.asarray(final + sizes[:, None] * vectors[:, None])


def plane_steps(states: FloatArray) -> FloatArray:
    """Compute the differences of successive states in the plane of x_0 and x_T (Fig. 24, middle).

    Args:
        states: shape (step, pixel), from noise to image.

    Returns:
        shape (step - 1, 2), the first axis along x_T.
    """
    return np.diff(plane_coordinates(np.asarray(states, np.float64)), axis=0)


def oscillation(states: FloatArray) -> float:
    """Compute von Neumann's ratio of a trajectory's steps in the plane of x_0 and x_T.

    Args:
        states: shape (step, pixel), from noise to image, at least three of them.

    Returns:
        from 0 (smooth) to 4 (steps that alternate); 0 for a trajectory that does not move.
    """
    steps = plane_steps(states)
    total = np.square(steps).sum()
    return float(np.square(np.diff(steps, axis=0)).sum() / total) if total > 0 else 0.0


def reversed_path(states: FloatArray) -> float:
    """Compute the fraction of the path in the plane of x_0 and x_T that runs against the net movement.

    Args:
        states: shape (step, pixel), from noise to image.

    Returns:
        from 0 (both coordinates move one way) to 1/2 (back and forth); 0 for a trajectory that does not move.
    """
    steps = plane_steps(states)
    path = np.abs(steps).sum()
    return float((1 - np.abs(steps.sum(0)).sum() / path) / 2) if path > 0 else 0.0
