r"""Grids of perturbations of one trajectory: time x strength along given directions (Sec. 6.2, B.7, Fig. 5 D, 19-22).

The state x_s of a trajectory is moved by K v along a unit vector v, and sampling goes on from there:

    x'_s = x_s + K v,     projection of the difference  v . (x'_t - x_t),     t = s, ..., N

The reference x_t is sampled again from the unperturbed x_s: a multistep sampler begins at s again in both. For Gaussian data the
projection is K times the gain of `perturbation.predict_gains`. The authors perturb along principal components of the centred
noise predictions of the same trajectory ("PC6 of U-Net output") and along a random direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from underpainting.denoisers import Denoiser
from underpainting.samplers.walk import Sampler

FloatArray = NDArray[np.float64]


class GridResponse(NamedTuple):
    """Response of a trajectory to perturbations of its state at one step s.

    Attributes:
        reference: final state without a perturbation, shape (channel, height, width).
        final: final states, shape (direction, strength, channel, height, width).
        projection: of the differences onto the direction at the steps s, ..., N, shape (direction, strength, step).
        distance: norm of the difference of the final states, shape (direction, strength).
    """

    reference: Tensor
    final: Tensor
    projection: FloatArray
    distance: FloatArray


def random_directions(count: int, pixels: int, seed: int) -> FloatArray:
    """Draw unit vectors uniformly, shape (direction, pixel); they depend on the seed alone."""
    drawn = np.random.default_rng((seed, 3)).standard_normal((count, pixels))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def perturb(
    sampler: Sampler,
    denoiser: Denoiser,
    state: Tensor,
    step: int,
    directions: FloatArray,
    strengths: Sequence[float],
    *,
    batch: int = 64,
) -> GridResponse:
    """Perturb one state along every direction at every strength and sample on.

    Args:
        sampler: goes on from `step`.
        denoiser: takes any number of states.
        state: of one trajectory at `step`, shape (channel, height, width).
        step: s, 0 <= s < N.
        directions: unit vectors, shape (direction, pixel).
        strengths: K, in units of the state, with sign.
        batch: states at a time.

    Raises:
        ValueError: there is no direction or strength, or the directions do not fit the state.
    """
    if not len(directions) or not len(strengths):
        raise ValueError("a grid of perturbations needs a direction and a strength at least")
    if directions.shape[1] != state.numel():
        raise ValueError(f"directions of {directions.shape[1]} values do not fit a state of shape {tuple(state.shape)}")
    vectors = torch.from_numpy(directions)
    shifts = torch.as_tensor(strengths, dtype=torch.float64)[None, :, None] * vectors[:, None]
    moved = torch.cat([torch.zeros(1, state.numel(), dtype=torch.float64), shifts.flatten(0, 1)])
    starts = (state.double().cpu() + moved.reshape(-1, *state.shape)).to(state.device, state.dtype)
    return _compared(_walks(sampler, denoiser, starts, step, batch), vectors, len(strengths))


def network_evaluations(sampler: Sampler, steps: Sequence[int], directions: int, strengths: int) -> int:
    """Count the denoiser evaluations (calls times states) of `perturb` for one trajectory at some steps."""
    return (1 + directions * strengths) * sum(sampler.calls(step) for step in steps)


def _walks(sampler: Sampler, denoiser: Denoiser, starts: Tensor, step: int, batch: int) -> Tensor:
    """Sample on from every start and return all states, shape (start, step, channel, height, width)."""
    return torch.cat(
        [
            torch.stack([walked.state.cpu() for walked in sampler.walk(denoiser, part, step)], 1)
            for part in starts.split(batch)
        ]
    )


def _compared(states: Tensor, vectors: Tensor, strengths: int) -> GridResponse:
    """Compare walks with the first of them, whose start is not perturbed."""
    grid = (len(vectors), strengths)
    differences = (states[1:] - states[:1]).double().flatten(2).unflatten(0, grid)
    return GridResponse(
        states[0, -1],
        states[1:, -1].unflatten(0, grid),
        torch.einsum("dktp,dp->dkt", differences, vectors).numpy(),
        differences[:, :, -1].norm(dim=2).numpy(),
    )
