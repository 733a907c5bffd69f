"""The text-to-image study as a typed model; a study file with `kind: text_to_image`.

The Snakefile imports this module, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote
from underpainting_workflow.studies.base import Model
from underpainting_workflow.studies.text_to_image.data import CaptionedImages
from underpainting_workflow.studies.text_to_image.denoiser import LatentDenoiser
from underpainting_workflow.studies.text_to_image.perturbation import (
    AttributeDistance,
    Distance,
    LatentPerturbation,
    LpipsDistance,
    PixelDistance,
)
from underpainting_workflow.studies.text_to_image.sampling import LatentTrajectories, Prompt
from underpainting_workflow.studies.text_to_image.teleport import GaussiansConfig, LatentTeleport
from underpainting_workflow.studies.text_to_image.training import AttributesConfig, OwnModel


class LatentFigures(Model):
    """Settings of the figures; they do not change an array."""

    prompt: int = Field(0, ge=0, description="The prompt of single examples: its place in `prompts`, from 0.")
    seed: int | None = Field(None, ge=0, description="The seed of single examples; the first one if not given.")
    dpi: int = Field(200, ge=50, le=600, description="Resolution of the PNG files.")


class TextToImageStudy(Model):
    """One study of a text-to-image model in latent space."""

    kind: Literal["text_to_image"] = Field(description="The kind of study.")
    title: str = Field(
        min_length=1, max_length=200, pattern=r"\S", description="Title in the report, shown as it is written."
    )
    description: str = Field(
        "", max_length=2000, description="One or two sentences for the report, shown as they are written."
    )
    dataset: CaptionedImages | None = Field(
        None, description="The images with captions on which the model was or will be trained, where they are at hand."
    )
    denoiser: LatentDenoiser = Field(description="The latent model.")
    attributes: AttributesConfig = Field(
        default_factory=AttributesConfig, description="The classifier of the attributes that captions name."
    )
    prompts: tuple[Prompt, ...] = Field(min_length=1, description="The prompts.")
    limit: int | None = Field(
        None, ge=2, description="Use the first so many prompts and seeds alone, for a cheap version of the study."
    )
    trajectories: LatentTrajectories = Field(description="Trajectories of latents.")
    perturbation: LatentPerturbation = Field(
        default_factory=LatentPerturbation, description="Perturbations of the trajectories."
    )
    distance: Distance | None = Field(
        None,
        description="Distance between images; of `attributes` where there is a dataset, else of `pixels`, if not given.",
    )
    gaussians: GaussiansConfig = Field(
        default_factory=GaussiansConfig, description="Gaussians of latents, where there is `teleport`."
    )
    teleport: LatentTeleport | None = Field(
        None, description="Jumps over the first steps, on images with captions; left out if not given."
    )
    paper: Literal["stable-diffusion-v1-5"] | None = Field(
        None, description="The paper's model whose printed values stand beside this study's."
    )
    figures: LatentFigures = Field(default_factory=LatentFigures, description="Figures.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Device of the networks; auto: CUDA if there is one."
    )
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        "float32", description="Number format of a network's calls while it samples; states keep theirs."
    )
    compile: bool = Field(False, description="Compile networks with torch.compile while they sample.")

    def compute(self) -> dict[str, Any]:
        """Return the settings of running networks that can change results: all but the device."""
        return self.model_dump(include={"precision", "compile"})

    @property
    def seed_shown(self) -> int:
        """The seed of single examples."""
        return self.trajectories.first_seed if self.figures.seed is None else self.figures.seed

    @property
    def distance_used(self) -> PixelDistance | AttributeDistance | LpipsDistance:
        """The distance between images."""
        if self.distance is not None:
            return self.distance
        return AttributeDistance(name="attributes") if self.dataset else PixelDistance(name="pixels")

    @model_validator(mode="after")
    def _has_data_to_train_on(self) -> TextToImageStudy:
        if isinstance(self.denoiser, OwnModel) and self.dataset is None:
            problem = "a model of this workflow is trained on painted digits"
            raise InputError(Problem(problem, "add dataset.source: painted_digits, or use source: path", "dataset"))
        return self

    @model_validator(mode="after")
    def _limited(self) -> TextToImageStudy:
        if self.limit:
            few = self.trajectories.model_copy(update={"seeds": min(self.limit, self.trajectories.seeds)})
            fewer = self.teleport.limited(self.limit) if self.teleport else None
            self.__dict__.update(prompts=self.prompts[: self.limit], trajectories=few, teleport=fewer)
        return self

    @model_validator(mode="after")
    def _can_be_judged(self) -> TextToImageStudy:
        if self.teleport is not None and self.dataset is None:
            remedy = "name the images that the model was trained on as dataset, or remove the section"
            raise InputError(Problem("jumps need real images with captions", remedy, "teleport"))
        return self

    @model_validator(mode="after")
    def _fits(self) -> TextToImageStudy:
        if len(set(self.prompts)) < len(self.prompts):
            raise InputError(Problem(f"{quote(list(self.prompts))} lists a prompt twice", "list each once", "prompts"))
        if self.figures.prompt >= len(self.prompts):
            problem = f"{self.figures.prompt} is no place in a list of {len(self.prompts)} prompts"
            raise InputError(Problem(problem, f"choose one from 0 to {len(self.prompts) - 1}", "figures.prompt"))
        if self.seed_shown not in (seeds := self.trajectories.seed_range):
            problem = f"{self.seed_shown} is not among the trajectories' seeds"
            raise InputError(Problem(problem, f"choose one from {seeds.start} to {seeds.stop - 1}", "figures.seed"))
        scale = self.trajectories.main_guidance
        if scale is not None and scale not in self.trajectories.guidance:
            problem = f"{scale:g} is not among the scales"
            raise InputError(Problem(problem, "add it to trajectories.guidance", "trajectories.main_guidance"))
        return self

    @model_validator(mode="after")
    def _can_be_perturbed(self) -> TextToImageStudy:
        for scale in set(self.perturbation.guidance or ()) - set(self.trajectories.guidance):
            problem = f"{scale:g} is not among the scales of the trajectories"
            raise InputError(Problem(problem, "add it to trajectories.guidance", "perturbation.guidance"))
        steps = self.trajectories.main.sampler.steps
        if steps < 3:
            problem = f"the trajectories of {self.trajectories.main.sampler.id} have no components"
            raise InputError(Problem(problem, "give the first sampler at least 3 steps", "trajectories.samplers"))
        if (most := max(self.perturbation.components or (1,))) >= steps:
            problem = f"component {most} does not exist: the main sampler has {steps} steps, so {steps - 1} components"
            raise InputError(Problem(problem, "choose smaller ones", "perturbation.components"))
        if self.distance_used.name == "attributes" and self.dataset is None:
            problem = "a classifier of attributes needs images with captions"
            raise InputError(Problem(problem, "add the dataset, or use pixels or lpips", "distance.name"))
        return self
