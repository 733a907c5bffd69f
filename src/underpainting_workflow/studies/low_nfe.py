"""Models of the sweep at low NFE: every sampler at every number of network calls, on every grid and after each jump."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote, shorten
from underpainting.noise.grid_names import COVARIANCE, GRIDS, TIME
from underpainting.samplers import registry
from underpainting.teleport.registry import JUMPS, NO_JUMP, JumpKind
from underpainting_workflow.studies.base import Model, ascending
from underpainting_workflow.studies.sampling import SamplerName, Seeded

if TYPE_CHECKING:
    GridName = str
    JumpName = str
else:
    GridName = Literal[tuple(GRIDS)]
    JumpName = Literal[tuple(JUMPS)]
Percent = Annotated[int, Field(ge=1, le=99)]
_RANKED = " or ".join(name for name, kind in JUMPS.items() if kind.ranked)


class JumpChoice(Model):
    """A kind of jump, and how far it jumps."""

    name: JumpName = Field(description="; ".join(f"{name}: {kind.text}" for name, kind in JUMPS.items()) + ".")
    skipped_percent: tuple[Percent, ...] = Field(
        min_length=1, description="How far to jump: skipped percentages of the network's own time."
    )
    rank: int | None = Field(None, ge=1, description=f"Number of components; needed by {_RANKED}, used by it alone.")

    @property
    def kind(self) -> JumpKind:
        """The kind of jump: the model whose flow it follows, and the artifacts that it needs."""
        return JUMPS[self.name]

    @property
    def id(self) -> str:
        """Name in paths and tables, e.g. `gaussian`, `lowrank16`."""
        return f"{self.name}{self.rank or ''}"

    @property
    def label(self) -> str:
        """Name in figures, e.g. `low rank (16)`."""
        return f"{self.kind.label} ({self.rank})" if self.rank else self.kind.label

    @field_validator("skipped_percent")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise InputError(Problem(f"{quote(list(value))} lists a percentage twice", "list each percentage once"))
        return tuple(sorted(value))

    @model_validator(mode="after")
    def _rank_given(self) -> JumpChoice:
        if self.kind.ranked != (self.rank is not None):
            problem = "this key is missing" if self.rank is None else f"nothing but {_RANKED} uses it"
            remedy = "add it, the number of components" if self.rank is None else "remove it"
            raise InputError(Problem(problem, remedy, "rank"))
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Serialize the parameters of a job, without a rank where there is none."""
        return {key: value for key, value in values(self).items() if value is not None}


class Run(NamedTuple):
    """A sampler with its number of steps, on a grid, after a jump: a job per shard."""

    sampler_name: SamplerName
    steps: int
    grid: GridName
    jump: str


class LowNfeConfig(Seeded):
    """Image quality at low NFE (the design "re-grid"), without a jump and after each jump."""

    samplers: tuple[SamplerName, ...] = Field(min_length=1, description="The samplers, in any order.")
    grids: tuple[GridName, ...] = Field(
        (TIME,),
        min_length=1,
        description="The grids on which the steps are spread, in any order. A jump is followed by one of them alone, the first "
        f"in the order below; a relative sampler takes {COVARIANCE} alone. "
        + "; ".join(f"{name}: {text}" for name, text in GRIDS.items())
        + ".",
    )
    nfe: tuple[int, ...] = Field(
        (5, 6, 8, 10, 12, 15, 20),
        min_length=1,
        description="Network calls per image. A sampler takes the most steps that need no more; the table has the calls counted.",
    )
    reference: int | None = Field(
        50,
        ge=1,
        description="Network calls of a plain run, on the first grid without a jump, that the others are compared with; none if "
        "null.",
    )
    jumps: tuple[JumpChoice, ...] = Field(min_length=1, description="The jumps, beside none, in any order.")
    seeds: int = Field(1000, ge=2, le=10**7, description="Images per row of the table.")

    @field_validator("nfe")
    @classmethod
    def _positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if wrong := [calls for calls in value if calls < 1]:
            raise InputError(Problem(f"{quote(wrong)} are no numbers of network calls", "give numbers of 1 or more"))
        return ascending(value, "number of network calls")

    @field_validator("jumps")
    @classmethod
    def _once(cls, value: tuple[JumpChoice, ...]) -> tuple[JumpChoice, ...]:
        ids = [jump.id for jump in value]
        if doubles := sorted({entry for entry in ids if ids.count(entry) > 1}):
            problem = f"{shorten(', '.join(doubles))} is listed twice"
            raise InputError(Problem(problem, "put all its percentages into one entry"))
        return tuple(sorted(value, key=lambda jump: (list(JUMPS).index(jump.name), jump.rank or 0)))

    @field_validator("samplers")
    @classmethod
    def _samplers_once(cls, value: tuple[SamplerName, ...]) -> tuple[SamplerName, ...]:
        if len(set(value)) < len(value):
            raise InputError(Problem("a sampler is listed twice", "list each sampler once"))
        return tuple(sorted(value, key=list(registry.SAMPLERS).index))

    @field_validator("grids")
    @classmethod
    def _grids_once(cls, value: tuple[GridName, ...]) -> tuple[GridName, ...]:
        if len(set(value)) < len(value):
            raise InputError(Problem("a grid is listed twice", "list each grid once"))
        return tuple(sorted(value, key=list(GRIDS).index))

    def grids_of(self, sampler: SamplerName) -> tuple[GridName, ...]:
        """Return the grids on which a sampler runs; on the first its plain run, and all runs after a jump."""
        return (COVARIANCE,) if registry.SAMPLERS[sampler].relative else self.grids

    def steps(self, sampler: SamplerName) -> list[int]:
        """Return the numbers of steps of a sampler, ascending; each once, even if several numbers of calls allow it."""
        return sorted({registry.steps_within(sampler, calls) for calls in self.nfe})

    def reference_steps(self, sampler: SamplerName) -> int | None:
        """Return the number of steps of a sampler's plain run."""
        return registry.steps_within(sampler, self.reference) if self.reference else None

    def jump(self, name: str) -> JumpChoice:
        """Return a jump by its id."""
        return next(jump for jump in self.jumps if jump.id == name)

    def skipped_percent(self, name: str) -> tuple[int, ...]:
        """Return the skipped percentages of a jump; (0,) without a jump."""
        return (0,) if name == NO_JUMP else self.jump(name).skipped_percent

    def within(self, sampler: SamplerName, numbers: Iterable[int]) -> list[int]:
        """Return the largest swept number of steps within each number of calls; the smallest if none is within any."""
        swept = self.steps(sampler)
        paid = [[steps for steps in swept if registry.calls(sampler, steps) <= most] for most in numbers]
        return list(dict.fromkeys(steps[-1] for steps in paid if steps)) or swept[:1]

    def runs(self) -> list[Run]:
        """Return every run of every sampler, each once."""
        return [run for name in self.samplers for run in self.runs_of(name)]

    def runs_of(self, sampler: SamplerName) -> list[Run]:
        """Return every run of a sampler, each once; the plain one is last unless it is swept."""
        grids, plain = self.grids_of(sampler), self.reference_steps(sampler)
        where = [*product(grids, [NO_JUMP]), *((grids[0], jump.id) for jump in self.jumps)]
        swept = [Run(sampler, steps, *place) for steps in self.steps(sampler) for place in where]
        return list(dict.fromkeys([*swept, *([Run(sampler, plain, grids[0], NO_JUMP)] if plain else [])]))
