"""Models of a text-to-image study's denoiser: a latent model in the layout of diffusers' StableDiffusionPipeline."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from underpainting_workflow.studies.base import Place
from underpainting_workflow.studies.denoiser import HubDenoiser, PathDenoiser
from underpainting_workflow.studies.text_to_image.training import OwnModel

Variant = Annotated[Literal["", "fp16"], Field(description="Files to use: `fp16` for those in half precision.")]


class HubModel(HubDenoiser):
    """A latent text-to-image model of the Hugging Face Hub, at a pinned revision; safetensors only."""

    variant: Variant = ""


class FolderModel(PathDenoiser):
    """A folder that `save_pretrained` of a StableDiffusionPipeline wrote; safetensors only."""

    variant: Variant = ""


class TrainedModel(OwnModel):
    """A latent model trained by the workflow on the study's data set."""

    source: Literal["train"]
    folder: Place | None = Field(
        None, description="Not used here; the folder in which `source: reference` finds the model."
    )

    @property
    def place(self) -> str:
        """Empty: the model is trained."""
        return ""


class ShippedModel(OwnModel):
    """A latent model that ships with the repository; `source: train` trains it again with the same keys."""

    source: Literal["reference"]
    folder: Place = Field(description="The folder, relative to where snakemake runs; may begin with `{data}`.")

    @property
    def place(self) -> str:
        """The path of the model on this machine."""
        return self.folder

    def settings(self) -> dict[str, Any]:
        """Return the keys that the copy of the model depends on besides the files."""
        return {"source": self.source}


LatentDenoiser = Annotated[TrainedModel | ShippedModel | HubModel | FolderModel, Field(discriminator="source")]
