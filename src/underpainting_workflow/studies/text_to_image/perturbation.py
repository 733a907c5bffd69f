"""Models of perturbed trajectories of latents, and of the distance between images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote
from underpainting_workflow.studies.base import Model, Place
from underpainting_workflow.studies.text_to_image.sampling import Scale


class PixelDistance(Model):
    """Root mean square difference of pixels."""

    name: Literal["pixels"]

    @property
    def weights(self) -> None:
        """It needs no weights."""


class AttributeDistance(Model):
    """Distance in the features of the study's classifier of attributes."""

    name: Literal["attributes"]

    @property
    def weights(self) -> None:
        """The workflow trains them."""


class LpipsDistance(Model):
    """LPIPS with SqueezeNet (Zhang et al. 2018), as the paper; needs the package `lpips`."""

    name: Literal["lpips"]
    weights: Place = Field(
        description="File of torchvision's SqueezeNet 1.1: `squeezenet1_1-b8a52dc0.pth` or safetensors."
    )


_PAPER = (2, 3, 5, 6)  # Fig. 5 D, 19, 20
Distance = Annotated[PixelDistance | AttributeDistance | LpipsDistance, Field(discriminator="name")]


class LatentPerturbation(Model):
    """Perturbations of the main sampler's trajectories, time x strength, along their own components and at random."""

    components: tuple[Annotated[int, Field(ge=1, le=64)], ...] | None = Field(
        None,
        min_length=1,
        description="Principal components of the centred noise predictions, counted from 1; 2, 3, 5, 6 if not given.",
    )
    random: int = Field(1, ge=1, le=64, description="Number of random directions of each trajectory.")
    times: int = Field(9, ge=3, le=50, description="Number of times, evenly spaced between noise and image.")
    strengths: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.04, 0.08, 0.12, 0.16),
        min_length=1,
        max_length=8,
        description="Sizes, of both signs, in units of the norm of the noise; 0.04 to 0.16 are the paper's 5 to 20.",
    )
    guidance: tuple[Scale, ...] | None = Field(
        None, min_length=1, description="Scales of guidance; the lowest and the main one if not given."
    )
    prompts: int = Field(4, ge=1, description="Number of prompts, the first ones.")
    seeds: int = Field(4, ge=2, description="Number of seeds of each prompt, the first ones.")

    @field_validator("components", "strengths")
    @classmethod
    def _ascending(cls, values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is not None and list(values) != sorted(set(values)):
            raise InputError(Problem(f"{quote(list(values))} is not ascending", "sort it, each value once"))
        return values

    def numbers(self, sampler_steps: int) -> list[int]:
        """Return the components of a sampler's trajectories, from 0: those given, or those of the paper that exist."""
        usual = [number for number in _PAPER if number < sampler_steps] or list(range(1, sampler_steps))
        return [number - 1 for number in self.components or usual]

    def steps(self, sampler_steps: int) -> list[int]:
        """Return the perturbed steps of a sampler, from 1 to the last but one."""
        times = range(1, self.times + 1)
        return sorted({max(1, round(number * sampler_steps / (self.times + 1))) for number in times} - {sampler_steps})
