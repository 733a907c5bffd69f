"""Models of the Gaussians of latents, and of the sweep that jumps with them over the first steps of guided sampling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from underpainting.io.errors import InputError, Problem
from underpainting.samplers import registry
from underpainting_workflow.studies.base import Model, ascending
from underpainting_workflow.studies.sampling import AutoencoderConfig, SamplerChoice, distinct
from underpainting_workflow.studies.text_to_image.sampling import Prompt, Scale, ascending_scales

Gaussian = Literal["common", "prompt", "predicted"]
PLAIN, INTERVAL, JUMP, GUIDED, RELATIVE = "plain", "interval", "jump", "guided", "relative"


class GaussiansConfig(Model):
    """Gaussians of latents: of all, of those under a prompt shrunk towards all, and predicted from the text embedding."""

    captions: int = Field(2, ge=1, le=100, description="Captions drawn for each image.")
    left_out: float = Field(0.2, ge=0, lt=1, description="Probability with which a caption leaves out an attribute.")
    empty: float = Field(0.1, ge=0, lt=1, description="Probability of the empty caption.")
    held_out: float = Field(
        0.1, gt=0, le=0.5, description="Fraction of the images from which likelihoods are measured, and no Gaussian."
    )
    noise: float = Field(
        1.0, gt=0, le=100, description="Ratio sigma / alpha of the noise through which the likelihood sees the latents."
    )
    rank: int | None = Field(None, ge=1, description="Components to keep; all if not given.")
    seed: int = Field(0, ge=0, lt=2**31, description="Random seed of captions and held-out images.")


class LatentSolution(Model):
    """The network's own flow under each prompt and guidance, solved with many steps from the same noise."""

    seeds: int = Field(8, ge=2, description="Seeds of each prompt, the first ones.")
    steps: int = Field(30, ge=2, le=1000, description="Steps of Heun's method, two estimates each but the last.")


class Way(NamedTuple):
    """What is done at the first steps: `plain`, `interval`, or a jump or relative sampler with a kind of Gaussian.

    Attributes:
        kind: plain, interval, jump, guided (a jump with the guidance of the network) or relative.
        gaussian: kind of Gaussian; empty for the first two.
    """

    kind: str
    gaussian: str = ""

    @property
    def id(self) -> str:
        """Name in paths and tables: `plain`, `jump_predicted`."""
        return "_".join(filter(None, self))


class LatentTeleport(Model):
    """Jumps over the first steps of guided sampling, beside other ways at the same number of network calls."""

    known: tuple[Prompt, ...] = Field(min_length=2, description="Prompts of which the Gaussians know images.")
    left_out: tuple[Prompt, ...] = Field(
        (), description="Prompts whose images, all that agree with them, are left out of all Gaussians."
    )
    seeds: int = Field(8, ge=2, le=10**5, description="Images of each prompt; image i has the seed first_seed + i.")
    first_seed: int = Field(1000, ge=0, le=2**31, description="The first seed.")
    batch_size: int = Field(64, ge=1, description="Latents per network call; changes rounding alone.")
    guidance: tuple[Scale, ...] = Field((1.0, 3.0, 7.5), min_length=1, description="Scales of guidance.")
    samplers: tuple[SamplerChoice, ...] = Field(
        min_length=1, description="The samplers, all of one number of steps; the first one is the main one."
    )
    skipped_steps: tuple[int, ...] = Field(min_length=1, description="Numbers of steps that a jump replaces.")
    gaussians: tuple[Gaussian, ...] = Field(
        ("common", "prompt", "predicted"), min_length=1, description="Kinds of Gaussian."
    )
    guided_jumps: bool = Field(True, description="Whether there are jumps with the network's guidance, too.")
    relative: bool = Field(True, description="Whether there is the relative sampler, too.")
    solution: LatentSolution = Field(default_factory=LatentSolution, description="The network's own latents.")
    reference_images: int = Field(
        64, ge=2, description="Real images of each prompt, at most, with which Frechet distances compare."
    )
    autoencoder: AutoencoderConfig = Field(
        default_factory=AutoencoderConfig, description="Where the second set of features comes from."
    )
    resamples: int = Field(200, ge=20, description="Resamples for the intervals of the Frechet distance.")

    @field_validator("samplers")
    @classmethod
    def _can_be_swept(cls, samplers: tuple[SamplerChoice, ...]) -> tuple[SamplerChoice, ...]:
        for choice in samplers:
            if choice.kind.relative or choice.kind.stochastic or choice.clip_sample or choice.coloured_start:
                remedy = (
                    "list deterministic samplers without clip_sample and coloured_start; `relative` adds that sampler"
                )
                raise InputError(Problem(f"{choice.id} cannot be swept", remedy))
            if choice.steps != samplers[0].steps:
                problem = f"{choice.id} has other steps than {samplers[0].id}"
                raise InputError(Problem(problem, "give all samplers one number of steps"))
        return distinct(samplers)

    @field_validator("skipped_steps")
    @classmethod
    def _sorted(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if value and min(value) < 1:
            raise InputError(Problem(f"{min(value)} steps cannot be skipped", "give numbers of steps, 1 or more"))
        return ascending(value, "number of skipped steps")

    @field_validator("guidance")
    @classmethod
    def _ascending(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        return ascending_scales(scales)

    @model_validator(mode="after")
    def _fits(self) -> LatentTeleport:
        if self.skipped_steps[-1] >= self.steps:
            problem = f"{self.skipped_steps[-1]} leave none of the {self.steps} steps"
            raise InputError(Problem(problem, f"keep every number below {self.steps}", "skipped_steps"))
        self.solution.default_to(seeds=min(8, self.seeds))
        if self.solution.seeds > self.seeds:
            problem = f"{self.solution.seeds} exceed the {self.seeds} seeds of the sweep"
            raise InputError(Problem(problem, "lower it", "solution.seeds"))
        if len(set(self.prompts)) < len(self.prompts):
            raise InputError(Problem("a prompt is listed twice", "list each once", "known"))
        return self

    def limited(self, count: int) -> LatentTeleport:
        """Return the sweep with the first prompts of each group, and the first seeds, alone."""
        seeds = min(count, self.seeds)
        solution = self.solution.model_copy(update={"seeds": min(seeds, self.solution.seeds)})
        prompts = {"known": self.known[:count], "left_out": self.left_out[:count]}
        return self.model_copy(update={**prompts, "seeds": seeds, "solution": solution})

    @property
    def steps(self) -> int:
        """Number of steps of every sampler."""
        return self.samplers[0].steps

    @property
    def prompts(self) -> tuple[str, ...]:
        """All prompts, the known ones first."""
        return self.known + self.left_out

    @property
    def images(self) -> int:
        """Number of images of a run: prompts times seeds."""
        return len(self.prompts) * self.seeds

    def ways(self, sampler: SamplerChoice) -> list[Way]:
        """Return what is done beside a sampler; intervals, guided jumps and the relative sampler beside the main one alone."""
        jumps = [Way(JUMP, gaussian) for gaussian in self.gaussians]
        if sampler != self.samplers[0]:
            return [Way(PLAIN), *jumps]
        guided = [Way(GUIDED, gaussian) for gaussian in self.gaussians if self.guided_jumps and gaussian != "common"]
        relative = [Way(RELATIVE, gaussian) for gaussian in self.gaussians if self.relative]
        return [Way(PLAIN), Way(INTERVAL), *jumps, *guided, *relative]

    def runs(self) -> Iterator[tuple[float, SamplerChoice, Way]]:
        """Yield every scale, sampler and way; without guidance, guided jumps and intervals are nothing new."""
        for scale in self.guidance:
            for sampler in self.samplers:
                for way in self.ways(sampler):
                    if scale != 1 or way.kind not in (INTERVAL, GUIDED):
                        yield scale, sampler, way

    def skips(self, way: Way) -> list[int]:
        """Return the numbers of skipped steps of a way; a plain run with none is what all are compared with."""
        return [0, *self.skipped_steps] if way.kind == PLAIN else list(self.skipped_steps)

    def calls(self, sampler: str, way: Way, scale: float) -> int:
        """Return the network calls of a way, over all its numbers of skipped steps, for each image."""
        total = 0
        for skipped in self.skips(way):
            name = "relative" if way.kind == RELATIVE else sampler
            unguided = skipped if way.kind == INTERVAL else 0
            total += unguided + registry.calls(name, self.steps - skipped) * (1 if scale == 1 else 2)
        return total
