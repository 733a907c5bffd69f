"""Models of the sampling of latents: samplers, guidance, prompts and seeds."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field, field_validator

from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote
from underpainting_workflow.studies.base import Model
from underpainting_workflow.studies.sampling import SamplerChoice, distinct

Prompt = Annotated[str, Field(max_length=1000)]
"""A text that describes the image; empty for no description."""
Scale = Annotated[float, Field(ge=1, le=100)]
"""A scale of classifier-free guidance; 1 is the prompt's own estimate, with one network call."""


def scale_name(scale: float) -> str:
    """Return the name of a guidance scale in paths: g1, g7.5."""
    return f"g{scale:g}"


def ascending_scales(scales: tuple[float, ...]) -> tuple[float, ...]:
    """Return scales of guidance if they are sorted, each once.

    Raises:
        InputError: they are not.
    """
    if list(scales) != sorted(set(scales)):
        raise InputError(Problem(f"{quote(list(scales))} is not ascending", "sort it, each scale once"))
    return scales


class Run(NamedTuple):
    """A sampler with a guidance scale."""

    sampler: SamplerChoice
    guidance: float


class LatentTrajectories(Model):
    """Sampler trajectories of latents, of every prompt and seed, with every state and endpoint estimate."""

    samplers: tuple[SamplerChoice, ...] = Field(
        min_length=1, description="The samplers; the first one is the main one."
    )
    guidance: tuple[Scale, ...] = Field(
        (1.0, 3.0, 7.5), min_length=1, description="Scales of guidance; every sampler runs with each."
    )
    main_guidance: Scale | None = Field(
        None, description="The scale of single examples and of Table 2; the largest up to 7.5 if not given."
    )
    seeds: int = Field(
        8, ge=2, le=10**5, description="Number of images per prompt; image i has the seed first_seed + i."
    )
    first_seed: int = Field(100, ge=0, le=2**31, description="The first seed.")
    batch_size: int = Field(
        64, ge=1, description="Latents per network call; does not change the result beyond rounding."
    )

    @field_validator("samplers")
    @classmethod
    def _distinct(cls, samplers: tuple[SamplerChoice, ...]) -> tuple[SamplerChoice, ...]:
        for choice in samplers:
            marked = choice.clip_sample or choice.coloured_start
            if marked or choice.kind.relative or choice.kind.stochastic:
                problem = f"{choice.id} is not for trajectories of latents"
                remedy = "use a deterministic sampler, without clip_sample and coloured_start"
                raise InputError(Problem(problem, remedy))
        return distinct(samplers)

    @field_validator("guidance")
    @classmethod
    def _ascending(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        return ascending_scales(scales)

    @property
    def main(self) -> Run:
        """The run of single examples and of Table 2."""
        usual = [scale for scale in self.guidance if scale <= 7.5] or [self.guidance[0]]
        return Run(self.samplers[0], usual[-1] if self.main_guidance is None else self.main_guidance)

    @property
    def runs(self) -> list[Run]:
        """Every sampler with every scale."""
        return [Run(sampler, scale) for sampler in self.samplers for scale in self.guidance]

    @property
    def seed_range(self) -> range:
        """The seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)
