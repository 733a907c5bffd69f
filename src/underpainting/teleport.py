r"""Teleportation: jump over the first steps with the closed form, then hand over to any sampler (Sec. 6.1).

The state at step k is not integrated with the network but written down from the initial noise by Eq. 9, with
the mean and covariance of the training data; the sampler goes on from there. This is the paper's design "truncate":
the grid is the sampler's own, and its first k steps cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from underpainting import gaussian
from underpainting.denoisers import Denoiser
from underpainting.eigenbasis import Eigenbasis
from underpainting.sampling import Sampler, Step


def jump(basis: Eigenbasis, sampler: Sampler, noise: Tensor, skip: int) -> Tensor:
    """The Gaussian solution at step `skip` of a sampler's grid (Eq. 9).

    Args:
        basis: of the training data.
        sampler: whose grid is meant.
        noise: standard normal, shape (sample, channel, height, width).
        skip: number of steps to skip, 0 <= skip < steps; 0 gives the sampler's own start.

    Raises:
        ValueError: the sampler has not so many steps.
    """
    if not 0 <= skip < sampler.steps:
        raise ValueError(f"cannot skip {skip} of {sampler.steps} steps: at least one step must be left to the sampler")
    state = sampler.start(noise)
    return gaussian.state(basis, state, sampler.grid[0], sampler.grid[skip]) if skip else state


def walk(basis: Eigenbasis, sampler: Sampler, denoiser: Denoiser, noise: Tensor, skip: int) -> Iterator[Step]:
    """The steps of the hybrid sampler, from the jump's target to the image."""
    return sampler.walk(denoiser, jump(basis, sampler, noise, skip), skip)
