r"""Theory against a sampler: how far analytic models follow real trajectories (Sec. 5, Fig. 4 A-D, 12-14, 16).

Every model starts from each trajectory's own initial state, so that nothing but the denoiser differs: the Gaussian by its
closed form, the others by the probability flow, integrated on the sampler's own grid. The isotropic Gaussian is the null model of
what the Gaussian's covariance explains.
Errors are squared and averaged over pixels; a mean over seeds comes later, so that intervals can be had.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise.levels import NoiseGrid
from underpainting.theory import gaussian, isotropic
from underpainting.theory.flow import Trajectory
from underpainting.theory.isotropic import Isotropic


def predict(basis: Eigenbasis, initial: Tensor, grid: NoiseGrid) -> Trajectory:
    """The closed form from step 0 to every step of a grid (Eq. 9, 13).

    Args:
        basis: of the training data.
        initial: states at step 0, shape (sample, channel, height, width).
        grid: the sampler's levels.
    """
    states = [
        initial if step == 0 else gaussian.state(basis, initial, grid[0], grid[step]) for step in range(len(grid))
    ]
    endpoints = [gaussian.endpoint(basis, state, level) for state, level in zip(states, grid, strict=True)]
    return Trajectory(torch.stack(states, 1), torch.stack(endpoints, 1))


class Errors(NamedTuple):
    """Squared errors of a prediction.

    Attributes:
        state: mean over pixels, shape (sample, step).
        endpoint: mean over pixels, shape (sample, step).
        component: final image along each component, shape (sample, component).
    """

    state: Tensor
    endpoint: Tensor
    component: Tensor


def errors(basis: Eigenbasis, prediction: Trajectory, states: Tensor, endpoints: Tensor) -> Errors:
    """Squared errors against real trajectories, both of shape (sample, step, channel, height, width)."""
    final = (prediction.state[:, -1] - states[:, -1]).flatten(1).to(basis.mean.dtype)
    return Errors(
        (prediction.state - states).double().square().flatten(2).mean(2),
        (prediction.endpoint - endpoints).double().square().flatten(2).mean(2),
        (final @ basis.vectors).square(),
    )


def isotropic_errors(basis: Eigenbasis, states: Tensor, endpoints: Tensor, grid: NoiseGrid) -> Errors:
    """Squared errors of the isotropic Gaussian's closed form from the trajectories' initial states, step by step.

    Args:
        basis: of the training data, for the mean, the total variance and the components.
        states, endpoints: of real trajectories, shape (sample, step, channel, height, width).
        grid: the sampler's levels.
    """
    model = Isotropic.of(basis)
    state: list[Tensor] = []
    along: list[Tensor] = []
    moved = states[:, 0]
    for step, level in enumerate(grid):
        moved = isotropic.state(model, states[:, 0], grid[0], level) if step else moved
        estimate = isotropic.endpoint(model, moved, level)
        for found, ours, theirs in ((state, moved, states), (along, estimate, endpoints)):
            found.append((ours - theirs[:, step]).double().square().flatten(1).mean(1))
    final = (moved - states[:, -1]).flatten(1).to(basis.mean.dtype)
    return Errors(torch.stack(state, 1), torch.stack(along, 1), (final @ basis.vectors).square())
