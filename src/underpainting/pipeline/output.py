"""Return values of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.utils.outputs import BaseOutput
from torch import Tensor

from underpainting.noise.levels import NoiseGrid
from underpainting.samplers.walk import Step


@dataclass(frozen=True)
class Trajectory:
    """Every state from the end of the jump to the images, in the network's range [-1, 1].

    Attributes:
        states: x_t, shape (sample, step, channel, height, width).
        endpoints: endpoint estimates x0_hat, same shape; at the last step the image itself.
        grid: (alpha, sigma) of the steps.
        first: step of the sampler at which it begins; 0 if its grid begins at the end of the jump.
    """

    states: Tensor
    endpoints: Tensor
    grid: NoiseGrid
    first: int

    @classmethod
    def of(cls, steps: list[Step]) -> Trajectory:
        """Collect the steps of a walk."""
        return cls(
            torch.stack([step.state for step in steps], 1).cpu(),
            torch.stack([step.endpoint for step in steps], 1).cpu(),
            NoiseGrid.of([step.level for step in steps]),
            steps[0].index,
        )


@dataclass
class TeleportPipelineOutput(BaseOutput):  # type: ignore[misc]  # diffusers has no types
    """Images, and the number of network calls, what was skipped, seeds and trajectory behind them.

    Attributes:
        images: a list of PIL images, or, in [0, 1] as in diffusers, an array (sample, height, width, channel) or a tensor
            (sample, channel, height, width).
        nfe: network calls per image, counted.
        skipped_steps: number of the sampler's steps that the jump replaced; 0 for the design `regrid`.
        skipped_fraction: of the steps; for the design `regrid` of the network's time.
        seeds: one per image; None if generators were given.
        trajectory: states and endpoint estimates, if requested.
    """

    images: Any
    nfe: int
    skipped_steps: int
    skipped_fraction: float
    seeds: list[int] | None = None
    trajectory: Trajectory | None = None
