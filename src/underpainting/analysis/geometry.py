r"""The shape of trajectories: nearly a rotation in a plane (Sec. 3, Eq. 7, Table 2, Fig. 10).

For a trajectory x_t with ends x_T (noise) and x_0 (image), the residual of an approximation a_t is

    residual = sum_t ||x_t - a_t||^2 / sum_t ||x_t||^2

over all of its steps (Table 2: "the squared norm of the error vector divided by the squared norm"). Principal components are
those of the trajectory's own points, centred at their mean.

The paper leaves two definitions in two places; both are measured. The caption's count for Table 2:

    top2                outside the top two principal components, over the squared norm (caption)
    top2_variance       the same over the variance about the trajectory's mean (Sec. 3: "variance explained")
    rotation_caption    alpha_t x_0 + sqrt(1 - alpha_t^2) x_T (caption; Eq. 7)
    rotation            a_t x_0 + b_t x_T with the weights of `theory.rotation`, which allow for the image in x_T (alpha_T > 0)

Nulls are what the same measures give for models that know nothing of the claim: a random walk, another seed's image, the
straight line, and a rotation that is nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from underpainting.noise.levels import NoiseGrid
from underpainting.theory.rotation import weights

FloatArray = NDArray[np.float64]
_ROUNDING = 1e-26  # part of the squared norm below which points do not move


class Residuals(NamedTuple):
    """How much of a batch of trajectories each approximation leaves over.

    Attributes:
        top2: outside the top two principal components, over the squared norm, shape (sample,).
        top2_variance: the same over the variance about the trajectory's mean, shape (sample,); 0 for a state that stands still.
        plane: outside the plane of x_0 and x_T, shape (sample,).
        rotation: off `rotation`, shape (sample,).
        rotation_caption: off `rotation_of_caption`, shape (sample,).
        plane_step: `plane` step by step, relative to that step's norm, shape (sample, step).
        rotation_step: `rotation`, likewise.
        rotation_peak: largest squared distance from `rotation` over ||x_T||^2, shape (sample,) (bounded by Eq. 11).
    """

    top2: FloatArray
    top2_variance: FloatArray
    plane: FloatArray
    rotation: FloatArray
    rotation_caption: FloatArray
    plane_step: FloatArray
    rotation_step: FloatArray
    rotation_peak: FloatArray


class Nulls(NamedTuple):
    """What null models leave over in place of the trajectories, each of shape (sample,).

    Attributes:
        top2: a random walk with the same step lengths, outside its own top two components, over its squared norm.
        plane: of the states, outside the plane of x_T and another trajectory's x_0.
        rotation: of the states, off the straight line from x_T to x_0, its point nearest to each state.
        rotation_peak: largest squared distance from that line over ||x_T||^2.
        dim_state: components of the random walk for 99.9 % of its variance.
        dim_difference_gap: of a pure rotation, components of its differences less those of its states.
        dim_noise_gap: of a pure rotation, components of its noise predictions less those of its differences.
    """

    top2: FloatArray
    plane: FloatArray
    rotation: FloatArray
    rotation_peak: FloatArray
    dim_state: NDArray[np.int64]
    dim_difference_gap: NDArray[np.int64]
    dim_noise_gap: NDArray[np.int64]


def rotation(states: FloatArray, grid: NoiseGrid) -> FloatArray:
    """Eq. 7 with the grid's own scales: a_t x_0 + b_t x_T, the weights those of `underpainting.theory.rotation`.

    For alpha_T = 0 and a variance-preserving path this is alpha_t x_0 + sqrt(1 - alpha_t^2) x_T.

    Args:
        states: shape (sample, step, pixel).
        grid: the levels of the steps.
    """
    data_weight, noise_weight = weights(grid.alpha, grid.sigma, grid[0])
    return data_weight[:, None] * states[:, -1:] + noise_weight[:, None] * states[:, :1]


def rotation_of_caption(states: FloatArray, grid: NoiseGrid) -> FloatArray:
    """alpha_t x_0 + sqrt(1 - alpha_t^2) x_T, as the caption of Table 2 has it for variance-preserving paths.

    The caption takes x_T for noise of unit size. On any path: alpha_t x_0 + sigma_t x_T / sqrt(alpha_T^2 + sigma_T^2), that is
    the caption's on a variance-preserving path, and x_0 + sigma_t x_T / sqrt(1 + sigma_T^2) on a variance-exploding one.

    Args:
        states: shape (sample, step, pixel).
        grid: the levels of the steps.
    """
    noise_weight = grid.sigma / np.hypot(*grid[0])
    return grid.alpha[:, None] * states[:, -1:] + noise_weight[:, None] * states[:, :1]


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
        shape (sample, component) with min(step, pixel) components, increasing to 1; 1 for points that move by rounding alone.
    """
    centred = points - points.mean(1, keepdims=True)
    small = min(centred.shape[1:])
    swapped = centred.transpose(0, 2, 1)
    gram = centred @ swapped if small == centred.shape[1] else swapped @ centred
    values = np.clip(np.linalg.eigvalsh(gram)[:, ::-1], 0, None)
    total = values.sum(1, keepdims=True)
    moving = total > _ROUNDING * np.square(points).sum((1, 2))[:, None]
    return np.where(moving, np.cumsum(values, 1) / np.where(moving, total, 1), 1.0)


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
    """The three residuals of Table 2, in both definitions where the paper leaves two.

    Args:
        states: shape (sample, step, pixel), from noise to image.
        grid: the levels of the steps.
    """
    norms = np.square(states).sum(2)
    off_plane = np.square(states - plane(states)).sum(2)
    off_rotation = np.square(states - rotation(states, grid)).sum(2)
    off_caption = np.square(states - rotation_of_caption(states, grid)).sum((1, 2))
    total = norms.sum(1)
    relative, of_variance = _outside_top2(states)
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


def _outside_top2(states: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What is outside the top two components, over the squared norm and over the variance."""
    moving = np.square(states - states.mean(1, keepdims=True)).sum((1, 2))
    outside = 1.0 - explained_variance(states)[:, min(1, min(states.shape[1:]) - 1)]
    return outside * moving / np.square(states).sum((1, 2)), outside


def nulls(states: FloatArray, others: FloatArray, grid: NoiseGrid, seeds: Iterable[int]) -> Nulls:
    """The null models of a batch of trajectories.

    Args:
        states: shape (sample, step, pixel), from noise to image.
        others: an image of another trajectory for each, shape (sample, pixel).
        grid: the levels of the steps.
        seeds: of the trajectories; a walk depends on its seed and its step lengths alone.
    """
    walks = np.stack(
        [random_walk(one, np.random.default_rng((seed, 2))) for one, seed in zip(states, seeds, strict=True)]
    )
    total = np.square(states).sum((1, 2))
    off_chord = chord_distance(states)
    gaps = pure_rotation_gaps(states, grid)
    return Nulls(
        _outside_top2(walks)[0],
        1.0 - _within(states, others) / total,
        off_chord.sum(1) / total,
        off_chord.max(1) / np.square(states[:, 0]).sum(1),
        dimension(explained_variance(walks)),
        *gaps,
    )


def random_walk(states: FloatArray, random: np.random.Generator) -> FloatArray:
    """A walk from the same start with the same step lengths, each step in a direction drawn at random in pixel space.

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
    """Squared distance of each state from the straight line between x_T and x_0, at its nearest point, shape (sample, step)."""
    start, chord = states[:, :1], (states[:, -1] - states[:, 0])[:, :, None]
    length = np.square(chord).sum((1, 2))[:, None]
    along = ((states - start) @ chord)[:, :, 0]
    place = np.clip(along / np.where(length > 0, length, 1.0), 0, 1)
    squares = np.square(states - start).sum(2) - 2 * place * along + place**2 * length
    return np.asarray(np.clip(squares, 0, None))


def pure_rotation_gaps(states: FloatArray, grid: NoiseGrid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Dimensions of a trajectory that does nothing but `rotation`, its noise predictions pointing at x_0 at every step.

    Args:
        states: whose ends it has, shape (sample, step, pixel).
        grid: the levels of the steps.

    Returns:
        dimensions of differences less those of states, and of noise predictions less those of differences, shape (sample,).
    """
    spanning = states[:, [0, -1]]
    ends = spanning @ np.linalg.qr(spanning.transpose(0, 2, 1))[0]  # x_T and x_0 in coordinates of their plane
    turned = rotation(ends, grid)
    noise = noise_predictions(turned, np.repeat(ends[:, -1:], len(grid), 1), grid)
    state, difference, predicted = (
        dimension(explained_variance(points)) for points in (turned, np.diff(turned, axis=1), noise)
    )
    return difference - state, predicted - difference


def _within(states: FloatArray, others: FloatArray) -> FloatArray:
    """Squared norm of the states within the plane of x_T and another image, summed over steps, shape (sample,)."""
    orthonormal = np.linalg.qr(np.stack([states[:, 0], others], 2))[0]
    return np.asarray(np.square(states @ orthonormal).sum((1, 2)))


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
