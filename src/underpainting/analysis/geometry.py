r"""Geometry of trajectories: dimension, and distance from a plane and from a rotation (Sec. 3, Eq. 7, Table 2, Fig. 10).

For a trajectory x_t with ends x_T (noise) and x_0 (image), the residual of an approximation a_t is

    residual = sum_t ||x_t - a_t||^2 / sum_t ||x_t||^2

over all steps (Table 2: "the squared norm of the error vector divided by the squared norm"). Principal components are those of
the trajectory's points, centred at their mean.

The paper gives two definitions of two of the residuals; both are measured. Table 2 uses those of its caption:

    top2                outside the top two principal components, over the squared norm (caption)
    top2_variance       the same over the variance about the trajectory's mean (Sec. 3: "variance explained")
    rotation_caption    alpha_t x_0 + sqrt(1 - alpha_t^2) x_T (caption; Eq. 7)
    rotation            a_t x_0 + b_t x_T with the weights of `theory.rotation`, which account for the image in x_T (alpha_T > 0)

`null_residuals` gives the same measures for null models: a random walk, the image of another seed, the straight line from x_T to
x_0, and an exact rotation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from underpainting.noise.levels import NoiseGrid
from underpainting.theory.rotation import weights

FloatArray = NDArray[np.float64]
_ROUNDING = 1e-26  # fraction of the squared norm below which variance counts as rounding


class Residuals(NamedTuple):
    """Residuals of the approximations of a batch of trajectories.

    Attributes:
        top2: outside the top two principal components, over the squared norm, shape (sample,).
        top2_variance: the same over the variance about the trajectory's mean, shape (sample,); 0 for constant states.
        plane: outside the plane of x_0 and x_T, shape (sample,).
        rotation: of `rotation_states`, shape (sample,).
        rotation_caption: of `caption_rotation_states`, shape (sample,).
        plane_step: that of `project_onto_plane` for each step, relative to that step's norm, shape (sample, step).
        rotation_step: that of `rotation_states` for each step, likewise.
        rotation_peak: largest squared distance from `rotation_states` over ||x_T||^2, shape (sample,) (bounded by Eq. 11).
    """

    top2: FloatArray
    top2_variance: FloatArray
    plane: FloatArray
    rotation: FloatArray
    rotation_caption: FloatArray
    plane_step: FloatArray
    rotation_step: FloatArray
    rotation_peak: FloatArray


class NullResiduals(NamedTuple):
    """Residuals and dimensions of null models, each of shape (sample,).

    Attributes:
        top2: a random walk with the same step lengths, outside its own top two components, over its squared norm.
        plane: of the states, outside the plane of x_T and another trajectory's x_0.
        rotation: of the states, from the nearest point of the straight line from x_T to x_0.
        rotation_peak: largest squared distance from that line over ||x_T||^2.
        dim_state: components that hold 99.9 % of the random walk's variance.
        dim_difference_gap: of an exact rotation, dimension of its differences minus that of its states.
        dim_noise_gap: of an exact rotation, dimension of its noise predictions minus that of its differences.
    """

    top2: FloatArray
    plane: FloatArray
    rotation: FloatArray
    rotation_peak: FloatArray
    dim_state: NDArray[np.int64]
    dim_difference_gap: NDArray[np.int64]
    dim_noise_gap: NDArray[np.int64]


def rotation_states(states: FloatArray, grid: NoiseGrid) -> FloatArray:
    """Compute the rotation a_t x_0 + b_t x_T of Eq. 7 with the weights of `underpainting.theory.rotation`.

    For alpha_T = 0 and a variance-preserving path this is alpha_t x_0 + sqrt(1 - alpha_t^2) x_T.

    Args:
        states: shape (sample, step, pixel).
        grid: noise levels of the steps.
    """
    data_weight, noise_weight = weights(grid.alpha, grid.sigma, grid[0])
    return data_weight[:, None] * states[:, -1:] + noise_weight[:, None] * states[:, :1]


def caption_rotation_states(states: FloatArray, grid: NoiseGrid) -> FloatArray:
    """Compute the rotation of the caption of Table 2, alpha_t x_0 + sqrt(1 - alpha_t^2) x_T on variance-preserving paths.

    The caption treats x_T as noise of unit variance. On a general path it is alpha_t x_0 + sigma_t x_T / sqrt(alpha_T^2 +
    sigma_T^2): the caption's formula if variance preserving, x_0 + sigma_t x_T / sqrt(1 + sigma_T^2) if variance exploding.

    Args:
        states: shape (sample, step, pixel).
        grid: noise levels of the steps.
    """
    noise_weight = grid.sigma / np.hypot(*grid[0])
    return grid.alpha[:, None] * states[:, -1:] + noise_weight[:, None] * states[:, :1]


def project_onto_plane(states: FloatArray) -> FloatArray:
    """Project every state onto the plane of x_0 and x_T, shape (sample, step, pixel)."""
    spanning = states[:, [0, -1]].transpose(0, 2, 1)
    orthonormal = np.linalg.qr(spanning)[0]
    coordinates: FloatArray = states @ orthonormal
    return coordinates @ orthonormal.transpose(0, 2, 1)


def explained_variance(points: FloatArray) -> FloatArray:
    """Compute the cumulative fraction of variance of the principal components of each trajectory's points.

    Args:
        points: states, their differences or noise predictions, shape (sample, step, pixel).

    Returns:
        shape (sample, component) with min(step, pixel) components, increasing to 1; 1 for points that differ by rounding alone.
    """
    centred = points - points.mean(1, keepdims=True)
    small = min(centred.shape[1:])
    swapped = centred.transpose(0, 2, 1)
    gram = centred @ swapped if small == centred.shape[1] else swapped @ centred
    values = np.clip(np.linalg.eigvalsh(gram)[:, ::-1], 0, None)
    total = values.sum(1, keepdims=True)
    moving = total > _ROUNDING * np.square(points).sum((1, 2))[:, None]
    return np.where(moving, np.cumsum(values, 1) / np.where(moving, total, 1), 1.0)


def components_needed(explained: FloatArray, fraction: float = 0.999) -> NDArray[np.int64]:
    """Count the components needed to reach a fraction of the variance (Table 2), from `explained_variance`; shape (sample,)."""
    return (explained < fraction * (1 - 1e-12)).sum(1) + 1


def noise_predictions(states: FloatArray, endpoints: FloatArray, grid: NoiseGrid) -> FloatArray:
    """Compute eps_hat = (x_t - alpha_t x0_hat) / sigma_t at every step with noise (Eq. 6).

    Args:
        states: shape (sample, step, pixel).
        endpoints: likewise.
        grid: noise levels of the steps.

    Returns:
        shape (sample, steps with sigma > 0, pixel).
    """
    noisy = grid.sigma > 0
    return (states - grid.alpha[:, None] * endpoints)[:, noisy] / grid.sigma[noisy, None]


def residuals(states: FloatArray, grid: NoiseGrid) -> Residuals:
    """Compute the three residuals of Table 2, in both definitions where the paper gives two.

    Args:
        states: shape (sample, step, pixel), from noise to image.
        grid: noise levels of the steps.
    """
    norms = np.square(states).sum(2)
    off_plane = np.square(states - project_onto_plane(states)).sum(2)
    off_rotation = np.square(states - rotation_states(states, grid)).sum(2)
    off_caption = np.square(states - caption_rotation_states(states, grid)).sum((1, 2))
    total = norms.sum(1)
    relative, of_variance = _residual_of_top2(states)
    return Residuals(
        relative,
        of_variance,
        off_plane.sum(1) / total,
        off_rotation.sum(1) / total,
        off_caption / total,
        off_plane / norms,
        off_rotation / norms,
        off_rotation.max(1) / norms[:, 0],
    )


def _residual_of_top2(states: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute the residual of the top two components, over the squared norm and over the variance."""
    moving = np.square(states - states.mean(1, keepdims=True)).sum((1, 2))
    outside = 1.0 - explained_variance(states)[:, min(1, min(states.shape[1:]) - 1)]
    return outside * moving / np.square(states).sum((1, 2)), outside


def null_residuals(states: FloatArray, others: FloatArray, grid: NoiseGrid, seeds: Iterable[int]) -> NullResiduals:
    """Compute the residuals and dimensions of the null models of a batch of trajectories.

    Args:
        states: shape (sample, step, pixel), from noise to image.
        others: for each trajectory the image of another one, shape (sample, pixel).
        grid: noise levels of the steps.
        seeds: seed of each trajectory; a random walk depends on its seed and its step lengths alone.
    """
    walks = np.stack(
        [random_walk(one, np.random.default_rng((seed, 2))) for one, seed in zip(states, seeds, strict=True)]
    )
    total = np.square(states).sum((1, 2))
    off_chord = chord_distance(states)
    gaps = rotation_dimension_gaps(states, grid)
    return NullResiduals(
        _residual_of_top2(walks)[0],
        1.0 - _squared_norm_in_plane(states, others) / total,
        off_chord.sum(1) / total,
        off_chord.max(1) / np.square(states[:, 0]).sum(1),
        components_needed(explained_variance(walks)),
        *gaps,
    )


def random_walk(states: FloatArray, random: np.random.Generator) -> FloatArray:
    """Draw a random walk with the same start and step lengths, each step in a random direction of pixel space.

    The walk is given in coordinates of the space that it spans, the first axis along the start: of each direction, a normal
    vector in as many dimensions as there are pixels, only the length of the part outside the earlier ones' span is drawn
    (Bartlett 1933). Lengths and angles are distributed as those of a walk in pixel space.

    Args:
        states: of one trajectory, shape (step, pixel).
        random: where the directions come from.

    Returns:
        shape (step, axis) with min(step, pixel) axes.
    """
    steps, pixels = states.shape
    axes = min(steps, pixels)
    rows = np.arange(1, axes)
    directions = random.standard_normal((steps - 1, axes))
    directions[: axes - 1] = np.tril(directions[: axes - 1], k=0)
    directions[rows - 1, rows] = np.sqrt(random.chisquare(pixels - rows))
    lengths = np.linalg.norm(np.diff(states, axis=0), axis=1) / np.linalg.norm(directions, axis=1)
    start = np.zeros((1, axes))
    start[0, 0] = np.linalg.norm(states[0])
    return np.concatenate([start, start + np.cumsum(lengths[:, None] * directions, 0)])


def chord_distance(states: FloatArray) -> FloatArray:
    """Compute the squared distance of each state from the line segment between x_T and x_0, shape (sample, step)."""
    start, chord = states[:, :1], (states[:, -1] - states[:, 0])[:, :, None]
    length = np.square(chord).sum((1, 2))[:, None]
    along = ((states - start) @ chord)[:, :, 0]
    place = np.clip(along / np.where(length > 0, length, 1.0), 0, 1)
    squares = np.square(states - start).sum(2) - 2 * place * along + place**2 * length
    return np.asarray(np.clip(squares, 0, None))


def rotation_dimension_gaps(states: FloatArray, grid: NoiseGrid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Compute dimension gaps of exact rotations (`rotation_states`) with the same ends, whose endpoint estimate is always x_0.

    Args:
        states: trajectories that give the ends, shape (sample, step, pixel).
        grid: noise levels of the steps.

    Returns:
        dimension of differences minus that of states, and of noise predictions minus that of differences, shape (sample,).
    """
    spanning = states[:, [0, -1]]
    ends = spanning @ np.linalg.qr(spanning.transpose(0, 2, 1))[0]  # x_T and x_0 in coordinates of their plane
    turned = rotation_states(ends, grid)
    noise = noise_predictions(turned, np.repeat(ends[:, -1:], len(grid), 1), grid)
    state, difference, predicted = (
        components_needed(explained_variance(points)) for points in (turned, np.diff(turned, axis=1), noise)
    )
    return difference - state, predicted - difference


def _squared_norm_in_plane(states: FloatArray, others: FloatArray) -> FloatArray:
    """Compute the squared norm of the states in the plane of x_T and another image, summed over steps, shape (sample,)."""
    orthonormal = np.linalg.qr(np.stack([states[:, 0], others], 2))[0]
    return np.asarray(np.square(states @ orthonormal).sum((1, 2)))


def plane_coordinates(states: FloatArray) -> FloatArray:
    """Compute the coordinates of a trajectory in the plane of its ends, the first axis along x_T (Fig. 1 B).

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
