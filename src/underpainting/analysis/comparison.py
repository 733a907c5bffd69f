r"""Squared errors of analytic models against real trajectories (Sec. 5, Fig. 4 A-D, 12-14, 16).

    state error      mean over pixels of (x_t^model - x_t)^2
    endpoint error   mean over pixels of (x0_hat^model - x0_hat)^2
    component error  (u_k . (x_0^model - x_0))^2

Every model starts from each trajectory's own initial state, so that only the denoiser differs. The Gaussian follows its closed
form; the other models follow the probability flow, integrated on the sampler's own grid. The isotropic Gaussian is the null
model: it shows what the covariance explains. Errors are kept for each seed, so that intervals can be computed over seeds.
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


def gaussian_trajectory(basis: Eigenbasis, initial: Tensor, grid: NoiseGrid) -> Trajectory:
    """Compute the Gaussian closed form from step 0 to every step of a grid (Eq. 9, 13).

    Args:
        basis: eigenbasis of the training data.
        initial: states at step 0, shape (sample, channel, height, width).
        grid: the sampler's noise levels.
    """
    states = [
        initial if step == 0 else gaussian.state(basis, initial, grid[0], grid[step]) for step in range(len(grid))
    ]
    endpoints = [gaussian.endpoint(basis, state, level) for state, level in zip(states, grid, strict=True)]
    return Trajectory(torch.stack(states, 1), torch.stack(endpoints, 1))


class SquaredErrors(NamedTuple):
    """Squared errors of a predicted trajectory.

    Attributes:
        state: of the state, mean over pixels, shape (sample, step).
        endpoint: of the endpoint estimate, mean over pixels, shape (sample, step).
        component: of the final image along each component, shape (sample, component).
    """

    state: Tensor
    endpoint: Tensor
    component: Tensor


def squared_errors(basis: Eigenbasis, prediction: Trajectory, states: Tensor, endpoints: Tensor) -> SquaredErrors:
    """Compute the squared errors of a prediction against real trajectories.

    Args:
        basis: eigenbasis of the training data.
        prediction: predicted states and endpoint estimates.
        states: real states, shape (sample, step, channel, height, width).
        endpoints: real endpoint estimates, same shape.
    """
    final = (prediction.state[:, -1] - states[:, -1]).flatten(1).to(basis.mean.dtype)
    return SquaredErrors(
        (prediction.state - states).double().square().flatten(2).mean(2),
        (prediction.endpoint - endpoints).double().square().flatten(2).mean(2),
        (final @ basis.vectors).square(),
    )


def isotropic_squared_errors(basis: Eigenbasis, states: Tensor, endpoints: Tensor, grid: NoiseGrid) -> SquaredErrors:
    """Compute the squared errors of the isotropic Gaussian's closed form from the trajectories' initial states.

    Args:
        basis: eigenbasis of the training data; its mean, total variance and components are used.
        states: real states, shape (sample, step, channel, height, width).
        endpoints: real endpoint estimates, same shape.
        grid: the sampler's noise levels.
    """
    model = Isotropic.of(basis)
    state_errors: list[Tensor] = []
    endpoint_errors: list[Tensor] = []
    state = states[:, 0]
    for step, level in enumerate(grid):
        state = isotropic.state(model, states[:, 0], grid[0], level) if step else state
        endpoint = isotropic.endpoint(model, state, level)
        state_errors.append((state - states[:, step]).double().square().flatten(1).mean(1))
        endpoint_errors.append((endpoint - endpoints[:, step]).double().square().flatten(1).mean(1))
    final = (state - states[:, -1]).flatten(1).to(basis.mean.dtype)
    return SquaredErrors(
        torch.stack(state_errors, 1), torch.stack(endpoint_errors, 1), (final @ basis.vectors).square()
    )
