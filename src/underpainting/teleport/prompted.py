r"""Ways to make latents under prompts with fewer network calls, for comparison at equal calls.

    plain       a sampler of N - k steps, guided at all of them
    interval    a sampler of N steps, without guidance at the first k (Kynkaanniemi et al. 2024): what an unguided jump over them
                leaves out, but with their network calls
    jump        a sampler of N steps, of which a jump with the Gaussian of each latent's prompt replaces the first k
    relative    the relative sampler of N - k steps with these Gaussians (`samplers.relative`)

The first, third and last take the same number of network calls. A guided jump follows the flow of the prompt's Gaussian under
guidance of its own, with the Gaussian of all latents as that of the empty prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers.prompted import PromptedDenoiser
from underpainting.denoisers.protocol import CountingDenoiser
from underpainting.noise.levels import NoiseLevel
from underpainting.samplers.relative import ClassBases
from underpainting.samplers.walk import Sampler, last, sample
from underpainting.teleport import hybrid_sampler
from underpainting.teleport.jumps import ClassJump, GuidedJump, Jump

Kind = Literal["plain", "interval", "jump", "relative"]


@dataclass(frozen=True)
class Approach:
    """A way to make latents.

    Attributes:
        kind: see above.
        sampler: a key of `SAMPLERS`; for the kind relative the one beside which it stands, which is not used.
        steps: N.
        skipped_steps: k, fewer than N.
        jump_guidance: scale of guidance of the jump; 1 is the closed form of the prompt's own Gaussian.
    """

    kind: Kind
    sampler: str
    steps: int
    skipped_steps: int
    jump_guidance: float = 1.0


class PromptBases(NamedTuple):
    """Gaussians of latents.

    Attributes:
        all_latents: of all latents.
        prompts: of those under each prompt.
    """

    all_latents: Eigenbasis
    prompts: Sequence[Eigenbasis]


class PromptBatch(NamedTuple):
    """Initial noise with a prompt for each latent.

    Attributes:
        noise: standard normal, shape (sample, channel, height, width).
        prompts: number of the prompt of each latent, shape (sample,).
        denoiser: of these prompts, with their guidance.
    """

    noise: Tensor
    prompts: Sequence[int]
    denoiser: PromptedDenoiser


class Made(NamedTuple):
    """Latents at sigma = 0, shape (sample, channel, height, width), and the network calls that each took."""

    latents: Tensor
    calls: int


class PreparedApproach:
    """An approach on a network's noise schedule.

    Args:
        approach: what to do.
        schedule: diffusers scheduler of the network.
        bases: Gaussians of the latents; for jumps and relative samplers.

    Raises:
        ValueError: fewer than one step remains, or a jump or relative sampler has no Gaussians.
    """

    def __init__(self, approach: Approach, schedule: Any, bases: PromptBases | None = None) -> None:
        if not 0 <= approach.skipped_steps < approach.steps:
            raise ValueError(f"{approach.skipped_steps} of {approach.steps} steps cannot be skipped: one must remain")
        if bases is None and approach.kind in ("jump", "relative"):
            raise ValueError(f"the kind {approach.kind} needs the Gaussians of the latents")
        self._approach, self._bases = approach, bases
        remaining = approach.steps - approach.skipped_steps
        if approach.kind == "relative" and bases is not None:
            self._sampler = Sampler("relative", remaining, schedule, bases.all_latents)
        else:
            steps = remaining if approach.kind == "plain" else approach.steps
            self._sampler = Sampler(approach.sampler, steps, schedule)

    @property
    def start(self) -> NoiseLevel:
        """Level of the first network call."""
        return self._sampler.grid[self._approach.skipped_steps if self._approach.kind == "jump" else 0]

    def calls(self, scale: float) -> int:
        """Count the network calls of each latent under guidance of a scale."""
        begin = self._approach.skipped_steps if self._approach.kind == "jump" else 0
        unguided = self._approach.skipped_steps if self._approach.kind == "interval" else 0
        return unguided + (self._sampler.calls(begin) - unguided) * (1 if scale in (0.0, 1.0) else 2)

    def make(self, batch: PromptBatch) -> Made:
        """Make the latents of a batch."""
        denoiser = CountingDenoiser(self._denoiser(batch.denoiser))
        latents = self._latents(batch, denoiser)
        return Made(latents, denoiser.calls)

    def _denoiser(self, denoiser: PromptedDenoiser) -> PromptedDenoiser:
        if self._approach.kind != "interval" or denoiser.guidance.scale == 1:
            return denoiser
        highest = self._sampler.grid[self._approach.skipped_steps].ratio
        return denoiser.with_guidance(replace(denoiser.guidance, interval=(0.0, highest)))

    def _latents(self, batch: PromptBatch, denoiser: CountingDenoiser) -> Tensor:
        if self._approach.kind == "jump":
            jump, skipped = self._jump(batch), self._approach.skipped_steps
            return last(hybrid_sampler.walk(jump, self._sampler, denoiser, batch.noise, skipped)).state
        sampler = self._relative(batch) if self._approach.kind == "relative" else self._sampler
        return sample(sampler, denoiser, sampler.start(batch.noise))

    def _jump(self, batch: PromptBatch) -> Jump:
        assert self._bases is not None
        if self._approach.jump_guidance == 1:
            return ClassJump(self._bases.prompts, batch.prompts)
        negative, scale = self._bases.all_latents, self._approach.jump_guidance
        return GuidedJump(self._bases.prompts, negative, batch.prompts, scale)

    def _relative(self, batch: PromptBatch) -> Sampler:
        """Return the sampler with the Gaussian of each latent of the batch, on the grid that all batches share."""
        assert self._bases is not None
        of_batch = ClassBases(self._bases.all_latents, self._bases.prompts, torch.as_tensor(batch.prompts))
        return Sampler.on("relative", self._sampler.grid, of_batch, self._sampler.origin)
