"""Model of the planner, which estimates the best length of a jump from a few dozen network calls."""

from __future__ import annotations

from pydantic import Field, model_validator

from underpainting.io.errors import InputError, Problem
from underpainting_workflow.studies.base import Model


class PlannerConfig(Model):
    """Noisy training images, on which the network and the model of each jump are compared."""

    images: int = Field(48, ge=4, description="Training images; one network call for each at each level.")
    levels: int = Field(20, ge=3, description="Noise levels, evenly spaced in log(sigma / alpha).")
    noisiest: float = Field(
        40.0, gt=0, description="The highest sigma / alpha; above it the loss of a jump is negligible."
    )
    least: float = Field(0.1, gt=0, description="The lowest sigma / alpha.")
    max_loss: float = Field(
        0.02,
        gt=0,
        description="Tolerated loss of information beyond the minimum, for a longer jump, nats per image.",
    )
    seen: float = Field(
        1.0,
        gt=0,
        description="Standard deviation of the noise that hides finer errors of a sampler's own steps, image units.",
    )
    seed: int = Field(0, ge=0, description="Random seed of the images drawn and of their noise.")

    @model_validator(mode="after")
    def _descends(self) -> PlannerConfig:
        if self.least >= self.noisiest:
            if "least" in self.model_fields_set:
                problem = f"{self.least} is not below the noisiest level, {self.noisiest}"
                raise InputError(Problem(problem, "lower it", "least"))
            problem = f"{self.noisiest} is not above the last level, {self.least}"
            raise InputError(Problem(problem, "raise it", "noisiest"))
        return self
