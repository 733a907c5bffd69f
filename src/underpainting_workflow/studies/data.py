"""Models of a study's data: where the images come from."""

from __future__ import annotations

import typing
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from underpainting.io.messages import shown
from underpainting_workflow.studies.base import Model, Place, pinned_revision
from underpainting_workflow.studies.introspection import tag_of


def _as_colour(value: Any) -> Any:
    return (value,) * 3 if isinstance(value, int) and not isinstance(value, bool) else value


Level = Annotated[int, Field(ge=0, le=255)]
Colour = Annotated[
    tuple[Level, Level, Level],
    BeforeValidator(_as_colour, json_schema_input_type=Level | tuple[Level, Level, Level]),
]
"""Red, green and blue; one number alone is a grey level."""


class DatasetBase(Model):
    """What every data source shares.

    Attributes:
        PLACE: the key that says where the data lie on this machine, if there is one.
    """

    PLACE: ClassVar[str | None] = None

    image_size: int = Field(ge=1, le=4096, description="Height and width of the images, in pixels.")
    channels: Literal[1, 3] = Field(description="1 for grey, 3 for RGB; images are converted.")
    resize: Literal["none", "crop", "pad"] = Field(
        "none",
        description="What to do with images of another size: refuse them (none), crop the centre square and resample it "
        "(crop), or pad smaller ones with the darkest value (pad).",
    )
    limit: int | None = Field(None, ge=1, description="Use only the first so many images.")
    obtain: str = Field("", description="How to get the data: told where they are missing.")

    @property
    def place(self) -> str:
        """Where the data lie on this machine; empty if they need no place."""
        return str(getattr(self, self.PLACE)) if self.PLACE else ""

    def settings(self) -> dict[str, Any]:
        """Which images, without where they lie: what the artifact depends on."""
        return self.model_dump(mode="json", exclude={"obtain"} | ({self.PLACE} if self.PLACE else set()))

    def reading(self) -> str:
        """Which values are read as black and white, in words."""
        return "0 as black and 255 as white"


class PictureDataset(DatasetBase):
    """What the sources of picture files share."""

    background: Colour | None = Field(
        None,
        description="What lies behind transparent pixels: a grey level, or [red, green, blue], 0 to 255; without it an image "
        "that is not opaque is refused.",
    )

    def settings(self) -> dict[str, Any]:
        """As of every source; a background that is not set is left out, so that what was made without it stays fresh."""
        return {key: value for key, value in super().settings().items() if key != "background" or value is not None}


class SklearnDataset(DatasetBase):
    """scikit-learn's handwritten digits; they come inside the package."""

    source: Literal["sklearn"]
    name: Literal["digits"] = Field("digits", description="The data set's name in scikit-learn.")

    def reading(self) -> str:
        """Which values are read as black and white, in words."""
        return "0 as black and 16 as white"


class TorchvisionDataset(DatasetBase):
    """A data set of torchvision."""

    PLACE: ClassVar[str | None] = "root"

    source: Literal["torchvision"]
    name: Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100", "SVHN"] = Field(
        description="The class in torchvision.datasets."
    )
    root: Place = Field(description="Folder where torchvision looks for the files; may begin with `{data}`.")
    split: Literal["train", "test"] = Field("train", description="Which part to use.")
    download: bool = Field(False, description="Let torchvision download what is missing there.")


class HuggingfaceDataset(PictureDataset):
    """A data set of the Hugging Face Hub, at a pinned revision; needs the extra `hub`."""

    source: Literal["huggingface"]
    repository: str = Field(description="owner/name on the Hub, or a local folder in the Hub's format.")
    revision: str = Field(description="The commit to use: 40 hexadecimal digits.")
    split: str = Field("train", description="Which split to use.")
    image_column: str = Field("image", description="Column with the images.")
    label_column: str | None = Field(None, description="Column with integer labels, if there are any.")

    @field_validator("revision")
    @classmethod
    def _pinned(cls, value: str) -> str:
        return pinned_revision(value)


class FolderDataset(PictureDataset):
    """A folder of image files; the names of its sub-folders, if it has any, are the classes."""

    PLACE: ClassVar[str | None] = "path"

    source: Literal["folder"]
    path: Place = Field(description="The folder, relative to where snakemake runs; may begin with `{data}`.")


class NpzDataset(DatasetBase):
    """An npz file with an array of images (sample, height, width[, channel])."""

    PLACE: ClassVar[str | None] = "path"

    source: Literal["npz"]
    path: Place = Field(description="The file, relative to where snakemake runs; may begin with `{data}`.")
    images_key: str = Field("images", description="Name of the array of images.")
    labels_key: str | None = Field(None, description="Name of the array of integer labels, if there is one.")
    value_range: tuple[float, float] | None = Field(
        None, description="Darkest and brightest value; [0, 255] for bytes, to be given for floats."
    )

    @field_validator("value_range")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[1] - value[0] < float("inf"):
            raise ValueError(f"{shown(list(value))} is no range | give [darkest, brightest] with darkest < brightest")
        return value

    def reading(self) -> str:
        """Which values are read as black and white, in words."""
        if self.value_range is None:
            return super().reading()
        return "{:g} as black and {:g} as white".format(*self.value_range)


Dataset = Annotated[
    SklearnDataset | TorchvisionDataset | HuggingfaceDataset | FolderDataset | NpzDataset, Field(discriminator="source")
]


def place_key(source: str) -> str:
    """The key that says where the data of a source lie; empty if they need no place."""
    members: tuple[type[DatasetBase], ...] = typing.get_args(typing.get_args(Dataset)[0])
    return next((member.PLACE or "" for member in members if tag_of(member) == source), "")
