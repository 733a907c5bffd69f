"""What the pipeline gives back."""

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
    """Every state from the jump's target to the images, in the network's range [-1, 1].

    Attributes:
        states: x_t, shape (sample, step, channel, height, width).
        endpoints: endpoint estimates x0_hat, same shape; at the last step the image itself.
        grid: (alpha, sigma) of the steps.
        first: step of the sampler at which it begins; 0 where its grid begins at the jump's target.
    """

    states: Tensor
    endpoints: Tensor
    grid: NoiseGrid
    first: int

    @classmethod
    def of(cls, steps: list[Step]) -> Trajectory:
        """From the steps of a walk."""
        return cls(
            torch.stack([step.state for step in steps], 1).cpu(),
            torch.stack([step.endpoint for step in steps], 1).cpu(),
            NoiseGrid.of([step.level for step in steps]),
            steps[0].index,
        )


@dataclass
class TeleportPipelineOutput(BaseOutput):  # type: ignore[misc]  # diffusers has no types
    """Images, and what they took.

    Attributes:
        images: a list of PIL images; an array (sample, height, width, channel) or tensor (sample, channel, height, width) in
            [0, 1], as diffusers has them.
        nfe: network calls per image, counted.
        skip: steps that were skipped; for the design `regrid` the fraction of the network's time.
        seeds: one per image; None where generators were given.
        trajectory: states and endpoint estimates, if they were asked for.
    """

    images: Any
    nfe: int
    skip: int | float
    seeds: list[int] | None = None
    trajectory: Trajectory | None = None
