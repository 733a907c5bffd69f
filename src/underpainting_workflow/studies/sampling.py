"""Models of a study's sampling: samplers, trajectories, and the teleport sweep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote, shorten
from underpainting.samplers.registry import CLIPPING, SAMPLERS, SamplerKind
from underpainting_workflow.studies.base import Model, Place, ascending

if TYPE_CHECKING:
    SamplerName = str
else:
    SamplerName = Literal[tuple(SAMPLERS)]
Spacing = Literal["linspace", "leading", "trailing"]


class SamplerChoice(Model):
    """A sampler with its number of steps."""

    name: SamplerName = Field(description="The sampler.")
    steps: int = Field(ge=1, le=1000, description="Number of steps.")
    timestep_spacing: Spacing | None = Field(
        None,
        description="How diffusers spreads the steps; its class's own default if not given, whatever the network's folder says "
        "(docs/pipeline.md).",
    )
    clip_sample: bool = Field(
        False,
        strict=True,
        description=f"Clip endpoint estimates to the image range at every step; {CLIPPING} can. What the network's folder says "
        "does not count; its copy below `results/` says what the main sampler of `trajectories` does.",
    )
    coloured_start: bool = Field(
        False,
        strict=True,
        description="Start with x_T from N(alpha_T mu, alpha_T^2 Sigma + sigma_T^2 I), of the data's mean and eigenbasis, in "
        "place of white noise; in `trajectories` alone.",
    )

    @field_validator("timestep_spacing")
    @classmethod
    def _can_spread(cls, value: Spacing | None, info: ValidationInfo) -> Spacing | None:
        name = info.data.get("name")
        if value and name and SAMPLERS[name].relative:
            raise InputError(Problem(f"{name} takes its levels from the eigenbasis, not from diffusers", "remove it"))
        return value

    @field_validator("clip_sample")
    @classmethod
    def _can_clip(cls, value: bool, info: ValidationInfo) -> bool:
        name = info.data.get("name")
        if value and name and not SAMPLERS[name].clips:
            problem = f"{SAMPLERS[name].label} cannot clip"
            raise InputError(Problem(problem, f"remove it, or take one of {CLIPPING}"))
        return value

    @model_serializer(mode="wrap")
    def _without_defaults(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Serialize the parameters of a job, without what is off, as before these keys existed."""
        return {key: value for key, value in values(self).items() if value is not False}

    @property
    def kind(self) -> SamplerKind:
        """The kind of sampler, which determines how it is run."""
        return SAMPLERS[self.name]

    @property
    def needs_basis(self) -> bool:
        """Whether trajectories of the sampler need the eigenbasis of the data."""
        return self.kind.relative or self.coloured_start

    @property
    def id(self) -> str:
        """Name in paths and tables, e.g. `ddim-50`, `ddim-50-trailing-clipped`."""
        return "-".join([self.name, str(self.steps), *self._marks])

    @property
    def _marks(self) -> list[str]:
        marks = {"clipped": self.clip_sample, "coloured": self.coloured_start}
        return [*filter(None, [self.timestep_spacing]), *(mark for mark, on in marks.items() if on)]

    def misfit(self, times: int) -> Problem | None:
        """Return the problem of these steps over `times` discrete times in diffusers, if there is one."""
        spacing, stride = self.timestep_spacing, times // self.steps
        if self.kind.repeats and self.steps == times and spacing != "trailing":
            return Problem(f"{self.id} over {times} times: its grid would visit a time twice", "lower its steps")
        if not self.kind.strides or spacing in (None, "leading"):
            return None
        if times % self.steps == 0 if spacing == "trailing" else self.steps in (1, times):
            return None
        moves = f"diffusers' {self.kind.label} moves by {stride} times at each step, the spacing {spacing} does not"
        remedy = f"use the spacing leading, or trailing with steps that divide {times}"
        return Problem(f"{self.id} over {times} times: {moves}", remedy)

    @property
    def label(self) -> str:
        """Name in figures, e.g. `DDIM, 50 steps`."""
        return ", ".join([self.kind.label, f"{self.steps} steps", *self._marks])


def distinct(samplers: tuple[SamplerChoice, ...]) -> tuple[SamplerChoice, ...]:
    """Return the samplers if each is listed once."""
    ids = [sampler.id for sampler in samplers]
    if doubles := {entry for entry in ids if ids.count(entry) > 1}:
        problem = f"{shorten(', '.join(sorted(doubles)))} is listed twice"
        raise InputError(Problem(problem, "list each sampler once"))
    return samplers


class Seeded(Model):
    """A range of seeds, divided into shards."""

    seeds: int = Field(ge=1, le=10**7, description="Number of images; image i has the seed first_seed + i.")
    first_seed: int = Field(0, ge=0, le=2**31, description="The first seed.")
    shard_size: int = Field(1024, ge=1, description="Images per job and file; more seeds add shards.")
    batch_size: int = Field(
        256, ge=1, description="Images per network call; does not change the result beyond rounding."
    )

    @property
    def seed_range(self) -> range:
        """The seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)

    @property
    def shards(self) -> list[tuple[int, int]]:
        """The (first, stop) seed of every shard."""
        stop = self.first_seed + self.seeds
        return [(first, min(first + self.shard_size, stop)) for first in range(self.first_seed, stop, self.shard_size)]


class TrajectoriesConfig(Seeded):
    """Sampler trajectories with every state and endpoint estimate; the theory describes deterministic samplers."""

    samplers: tuple[SamplerChoice, ...] = Field(min_length=1, description="The samplers; theory is compared with each.")
    seeds: int = Field(256, ge=2, le=10**6, description="Number of trajectories per sampler.")

    @field_validator("samplers")
    @classmethod
    def _once(cls, value: tuple[SamplerChoice, ...]) -> tuple[SamplerChoice, ...]:
        if stochastic := [choice.id for choice in value if choice.kind.stochastic]:
            problem = f"{shorten(', '.join(stochastic))} adds noise on its way"
            raise InputError(Problem(problem, "theory describes deterministic samplers: remove it"))
        return distinct(value)


class ClassifierExtractor(Model):
    """Features of a small classifier that the workflow trains on the study's labels: FD (classifier), never FID."""

    name: Literal["classifier"]
    width: int = Field(32, ge=4, description="Channels of the first layer.")
    features: int = Field(
        64, ge=2, description="Length of the feature vector; by default less where half of `dataset.limit` is no more."
    )
    epochs: int = Field(20, ge=1, description="Passes through the data.")
    seed: int = Field(0, ge=0, description="Random seed of the weights and batches.")
    labels: Literal["dataset", "mixture"] = Field(
        "dataset", description="Labels to learn: those of the data set or, where it has none, the mixture's clusters."
    )


class InceptionExtractor(Model):
    """Features of torch-fidelity's Inception v3 (original weights, converted by torch-fidelity): FID."""

    features: ClassVar[int] = 2048
    name: Literal["inception-v3-compat"]
    weights: Place | None = Field(None, description="Path of the weights; torch-fidelity's cache if not given.")


class AutoencoderConfig(Model):
    """Features without labels: the code of a small autoencoder that the workflow trains on the study's images."""

    width: int = Field(16, ge=4, multiple_of=2, description="Channels of the first layer.")
    features: int = Field(
        32, ge=2, description="Length of the code; by default no more than the features of the study's extractor."
    )
    epochs: int = Field(20, ge=1, description="Passes through the data.")
    seed: int = Field(0, ge=0, description="Random seed of the weights and batches.")


class SolutionConfig(Model):
    """The network's probability flow, solved with many steps from the same noise as the first images of the sweep."""

    seeds: int = Field(64, ge=2, description="Images; by default fewer where the sweep has fewer.")
    steps: int = Field(
        200,
        ge=2,
        le=1000,
        description="Steps of Heun's method, on the grid of Karras et al. (2022), two calls each; after a jump, the "
        "fraction of them that the jump leaves.",
    )

    def steps_after(self, skipped_fraction: float) -> int:
        """Return the number of steps after a jump over a fraction of the network's time, in [0, 1)."""
        return max(2, math.ceil(round(self.steps * (1 - skipped_fraction), 6)))  # 0.45 of 200 is 90, not a little more


Extractor = Annotated[ClassifierExtractor | InceptionExtractor, Field(discriminator="name")]


class TeleportConfig(Seeded):
    """The sweep over skipped steps: image quality when a jump replaces the first steps."""

    samplers: tuple[SamplerChoice, ...] = Field(
        min_length=1, description="The samplers to start after the jump; no relative ones."
    )
    skipped_steps: tuple[int, ...] = Field(
        min_length=1, description="Numbers of steps that a jump replaces; 0 is the sampler without a jump."
    )
    seeds: int = Field(2000, ge=2, le=10**7, description="Images per sampler and number of skipped steps.")
    extractor: Extractor = Field(description="Where features come from.")
    autoencoder: AutoencoderConfig = Field(
        default_factory=AutoencoderConfig, description="Where the second set of features comes from."
    )
    solution: SolutionConfig = Field(
        default_factory=SolutionConfig,
        description="The network's own images, from the same noise, with which others are compared.",
    )
    null_seeds: int = Field(
        500,
        ge=2,
        le=10**7,
        description="Images per sampler and number of skipped steps after the jump of the null model, an isotropic Gaussian; "
        "by default two for each feature where these are more, and fewer where the sweep has fewer.",
    )
    kid_subset_size: int = Field(
        1000,
        ge=2,
        description="Images per subset of the kernel distance (KID); by default fewer where there are fewer seeds or images.",
    )
    kid_subsets: int = Field(100, ge=1, description="Subsets over which the kernel distance is averaged.")
    neighbourhood: int = Field(
        3, ge=1, description="Neighbours in precision and recall; by default fewer where there are fewer seeds."
    )
    neighbours_among: int = Field(
        10_000, ge=10, description="Images of each set, at most, among which these neighbours are searched."
    )
    resamples: int = Field(
        200,
        ge=20,
        description="Resamples of the seeds for the intervals of the Frechet distance; slow with 2,048 features.",
    )

    @field_validator("samplers")
    @classmethod
    def _can_be_swept(cls, value: tuple[SamplerChoice, ...]) -> tuple[SamplerChoice, ...]:
        if relative := [choice.id for choice in value if choice.kind.relative]:
            problem = f"{shorten(', '.join(relative))} follows the Gaussian to its first call: no step is left to skip"
            raise InputError(Problem(problem, "remove it here, and list it in low_nfe.samplers"))
        if coloured := [choice.id for choice in value if choice.coloured_start]:
            problem = f"{shorten(', '.join(coloured))} would be compared with the network's images from white noise"
            raise InputError(Problem(problem, "remove coloured_start here, and set it in trajectories.samplers"))
        return distinct(value)

    @property
    def null(self) -> TeleportConfig:
        """The same sweep with as many seeds as the null model has."""
        return self.model_copy(update={"seeds": self.null_seeds})

    @field_validator("skipped_steps")
    @classmethod
    def _sorted(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if negative := [steps for steps in value if steps < 0]:
            problem = f"a number of skipped steps cannot be negative, but {quote(negative)} is"
            raise InputError(Problem(problem, "give numbers of steps, 0 or more"))
        return ascending(value, "number of skipped steps")

    @model_validator(mode="after")
    def _a_step_remains(self) -> TeleportConfig:
        for sampler in self.samplers:
            if too_many := [steps for steps in self.skipped_steps if steps >= sampler.steps]:
                problem = f"{quote(too_many)} leave no step of {sampler.id}'s {sampler.steps}"
                raise InputError(Problem(problem, f"keep every number below {sampler.steps}", "skipped_steps"))
        self.default_to(
            kid_subset_size=min(1000, self.seeds),
            null_seeds=min(max(500, 2 * self.extractor.features), self.seeds),
        )
        self.default_to(neighbourhood=min(3, self.null_seeds - 1, self.seeds - 1))
        self.solution.default_to(seeds=min(64, self.seeds))
        for key, count in {"null_seeds": self.null_seeds, "solution.seeds": self.solution.seeds}.items():
            if count > self.seeds:
                raise InputError(Problem(f"{count} exceed the {self.seeds} seeds of the sweep", "lower it", key))
        if self.neighbourhood >= self.null_seeds:
            problem = f"{self.neighbourhood} neighbours are not among {self.null_seeds} seeds"
            of_null = "" if self.null_seeds == self.seeds else " of the null model"
            raise InputError(Problem(f"{problem}{of_null}", "lower it", "neighbourhood"))
        if self.kid_subset_size > self.seeds:
            problem = f"{self.kid_subset_size} exceeds the {self.seeds} seeds"
            raise InputError(Problem(problem, "lower it or raise teleport.seeds", "kid_subset_size"))
        return self
