r"""Squared errors of analytic models against real trajectories (Sec. 5, Fig. 4 A-D, 12-14, 16).

    state error      mean over pixels of (x_t^model - x_t)^2
    endpoint error   mean over pixels of (x0_hat^model - x0_hat)^2
    component error  (u_k . (x_0^model - x_0))^2

Every model starts from each trajectory's own initial state, so that only the denoiser differs. The Gaussian follows its closed
form; the other models follow the probability flow, integrated on the sampler's own grid. The isotropic Gaussian is the null
model: it shows what the covariance explains. Errors are kept for each seed, so that intervals can be computed over seeds.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import Denoiser
from underpainting.noise.levels import NoiseGrid, NoiseLevel
from underpainting.theory.flow import Trajectory


class ClosedForm(Denoiser, Protocol):
    """A denoiser whose probability flow needs no integration."""

    def state(self, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
        """Carry states, shape (sample, channel, height, width), from one noise level to another."""
        ...


def closed_form_trajectory(theory: ClosedForm, initial: Tensor, grid: NoiseGrid) -> Trajectory:
    """Compute the closed form from step 0 to every step of a grid (Eq. 9, 13).

    Args:
        theory: of the training data.
        initial: states at step 0, shape (sample, channel, height, width).
        grid: the sampler's noise levels.
    """
    states = [initial if step == 0 else theory.state(initial, grid[0], grid[step]) for step in range(len(grid))]
    endpoints = [theory(state, *level) for state, level in zip(states, grid, strict=True)]
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
