"""Models of a text-to-image study's denoiser: a latent model in the layout of diffusers' StableDiffusionPipeline."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from underpainting_workflow.studies.base import Model, Place, Repository, Revision
from underpainting_workflow.studies.text_to_image.training import OwnModel


class HubModel(Model):
    """A latent text-to-image model of the Hugging Face Hub, at a pinned revision; safetensors only."""

    source: Literal["hub"]
    repository: Repository = Field(description="owner/name on the Hub.")
    revision: Revision = Field(description="The commit to use: 40 hexadecimal digits.")
    variant: Literal["", "fp16"] = Field("", description="Files to use: `fp16` for those in half precision.")

    @property
    def place(self) -> str:
        """Empty: the model has no path on this machine."""
        return ""

    def settings(self) -> dict[str, Any]:
        """Return the keys that the copy of the model depends on."""
        return self.model_dump()


class FolderModel(Model):
    """A folder that `save_pretrained` of a StableDiffusionPipeline wrote; safetensors only."""

    source: Literal["path"]
    path: Place = Field(description="The folder, relative to where snakemake runs; may begin with `{data}`.")
    variant: Literal["", "fp16"] = Field("", description="Files to use: `fp16` for those in half precision.")
    obtain: str = Field("", description="How to obtain the model; shown if it is missing.")

    @property
    def place(self) -> str:
        """The path of the model on this machine."""
        return self.path

    def settings(self) -> dict[str, Any]:
        """Return the keys that the copy of the model depends on besides the files."""
        return self.model_dump(exclude={"path", "obtain"})


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
