"""Models of the comparison of trainings with and without a Gaussian, at equal training steps."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote
from underpainting_workflow.studies.base import Model
from underpainting_workflow.studies.denoiser import OwnDenoiser, ResidualForm

Steps = Annotated[int, Field(ge=1)]


class ResidualConfig(Model):
    """The same network and recipe, trained plainly and on the Gaussian, for several lengths and seeds.

    Each length is a separate training, whose learning rate ends at zero.
    """

    forms: tuple[ResidualForm, ...] = Field(
        ("none", "velocity", "blend"),
        min_length=1,
        description="Values of `denoiser.training.residual`; `none` is plain training.",
    )
    training_steps: tuple[Steps, ...] = Field(
        min_length=1, description="Optimizer steps; each number is a training of its own."
    )
    seeds: int = Field(
        3,
        ge=1,
        description="Trainings of each form at each number of steps; their seeds count from `denoiser.training.seed`.",
    )
    images: int = Field(1000, ge=2, description="Images per network, from the noise of the first seeds of `teleport`.")

    @field_validator("forms", "training_steps")
    @classmethod
    def _once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(value)) < len(value):
            raise InputError(Problem(f"{quote(list(value))} lists one twice", "list each once"))
        return value

    @field_validator("training_steps")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(value))

    def training_seeds(self, denoiser: OwnDenoiser) -> range:
        """Return the seeds of the trainings."""
        return range(denoiser.training.seed, denoiser.training.seed + self.seeds)
