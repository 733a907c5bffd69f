"""Models of a study's data: where the images come from."""

from __future__ import annotations

import math
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from underpainting.images.files import image_files
from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote
from underpainting_workflow.studies.base import Model, Place, Revision, members_of, tag_of

if TYPE_CHECKING:
    from underpainting.images.datasets import ImageFormat, Source

_MANY = 75_000  # images, where the study file does not determine their number
_SIZES = {"MNIST": 60_000, "FashionMNIST": 60_000, "KMNIST": 60_000, "CIFAR10": 50_000, "CIFAR100": 50_000}


def _as_colour(value: Any) -> Any:
    return (value,) * 3 if isinstance(value, int) and not isinstance(value, bool) else value


Level = Annotated[int, Field(ge=0, le=255)]
Colour = Annotated[
    tuple[Level, Level, Level],
    BeforeValidator(_as_colour, json_schema_input_type=Level | tuple[Level, Level, Level]),
]
"""Red, green and blue; a single number is a grey level."""


class DatasetBase(Model):
    """The keys of every data source; each source defines how it is opened, its files and its expected number of images.

    Attributes:
        PLACE: the key that names the path of the data on this machine, if there is one.
        STREAMED: whether images are read one by one, not all at once.
        LABELS: how to give labels to data that have none.
    """

    PLACE: ClassVar[str | None] = None
    STREAMED: ClassVar[bool] = False
    LABELS: ClassVar[str] = "set dataset.label_column"

    image_size: int = Field(ge=1, le=4096, description="Height and width of the images, in pixels.")
    channels: Literal[1, 3] = Field(description="Number of channels, 1 for grey or 3 for RGB; images are converted.")
    resize: Literal["none", "crop", "pad"] = Field(
        "none",
        description="What to do with images of another size: refuse them (none), crop the centre square and resample it "
        "(crop), or pad smaller ones with the darkest value (pad).",
    )
    limit: int | None = Field(None, ge=1, description="Number of images to use, the first ones; all if not given.")
    obtain: str = Field("", description="How to obtain the data; shown if they are missing.")

    @property
    def place(self) -> str:
        """The path of the data on this machine; empty if they need none."""
        return str(getattr(self, self.PLACE)) if self.PLACE else ""

    @property
    def format(self) -> ImageFormat:
        """The size and the number of channels that images are converted to."""
        from underpainting.images.datasets import ImageFormat

        return ImageFormat(self.image_size, self.channels, self.resize)

    def open(self) -> Source:
        """Open the source; only now import arrays and decoders.

        Raises:
            DataError: the data are missing or cannot be read.
        """
        from underpainting.images.datasets import DataError

        source = self._source()
        if not len(source):
            raise DataError("source", "the data set holds no image", "point to data with images")
        return source

    @abstractmethod
    def _source(self) -> Source:
        """Open the source, empty or not."""

    def files(self) -> list[str]:
        """List every file that is read; none for data from a package, the Hub or a download."""
        return []

    def inputs(self) -> list[str]:
        """List the inputs of the job that reads the data: the files, or a folder of possibly 100,000 files."""
        return self.files()

    def expected_images(self) -> int:
        """Return the number of images, or an upper bound where the study file does not determine it, before `limit`."""
        return _MANY

    def settings(self) -> dict[str, Any]:
        """Return the keys that the artifact depends on: those that select images, without their path."""
        return self.model_dump(mode="json", exclude={"obtain"} | ({self.PLACE} if self.PLACE else set()))

    def reading(self) -> str:
        """Describe which values are read as black and as white."""
        return "0 as black and 255 as white"


class PictureDataset(DatasetBase):
    """The keys of every source of picture files."""

    background: Colour | None = Field(
        None,
        description="Background of transparent pixels: a grey level, or [red, green, blue], 0 to 255; without it an image "
        "that is not opaque is refused.",
    )

    def settings(self) -> dict[str, Any]:
        """Return the keys that the artifact depends on; a background only if it is set, so that older artifacts stay fresh."""
        return {key: value for key, value in super().settings().items() if key != "background" or value is not None}


class SklearnDataset(DatasetBase):
    """scikit-learn's handwritten digits; they come inside the package."""

    source: Literal["sklearn"]
    name: Literal["digits"] = Field("digits", description="The data set's name in scikit-learn.")

    def _source(self) -> Source:
        from underpainting.images import datasets

        return datasets.digits()

    def expected_images(self) -> int:
        """Return the number of images, or an upper bound where it is unknown."""
        return 1797

    def reading(self) -> str:
        """Describe which values are read as black and as white."""
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

    def _source(self) -> Source:
        from underpainting.images import datasets

        return datasets.torchvision_images(self.name, self.root, self.split, self.download, self.obtain)

    def files(self) -> list[str]:
        """List every file that is read; none if torchvision downloads them."""
        if self.download:
            return []
        folder = Path(self.root)
        folder = folder / self.name if (folder / self.name).is_dir() else folder
        return [file.as_posix() for file in sorted(folder.rglob("*")) if file.is_file()]

    def expected_images(self) -> int:
        """Return the number of images, or an upper bound where it is unknown."""
        return _SIZES.get(self.name, _MANY)


class HuggingfaceDataset(PictureDataset):
    """A data set of the Hugging Face Hub, at a pinned revision; needs the extra `hub`."""

    STREAMED: ClassVar[bool] = True

    source: Literal["huggingface"]
    repository: str = Field(description="owner/name on the Hub, or a local folder in the Hub's format.")
    revision: Revision = Field(description="The commit to use: 40 hexadecimal digits.")
    split: str = Field("train", description="Which split to use.")
    image_column: str = Field("image", description="Column with the images.")
    label_column: str | None = Field(None, description="Column with integer labels, if there are any.")

    def _source(self) -> Source:
        from underpainting.images import datasets

        return datasets.hub_images(
            self.repository, self.revision, self.split, self.image_column, self.label_column, self.background
        )


class FolderDataset(PictureDataset):
    """A folder of image files; the names of its sub-folders, if it has any, are the classes."""

    PLACE: ClassVar[str | None] = "path"
    STREAMED: ClassVar[bool] = True
    LABELS: ClassVar[str] = "put the images into one sub-folder per class"

    source: Literal["folder"]
    path: Place = Field(description="The folder, relative to where snakemake runs; may begin with `{data}`.")

    def _source(self) -> Source:
        from underpainting.images import datasets

        return datasets.folder_images(self.path, self.background, self.obtain)

    def files(self) -> list[str]:
        """List every file that is read."""
        return [file.as_posix() for file in image_files(Path(self.path))]

    def inputs(self) -> list[str]:
        """List the inputs of the job that reads the data: the folder."""
        return [self.path]

    def expected_images(self) -> int:
        """Return the number of images, or an upper bound where it is unknown."""
        folder = Path(self.path)
        return max(1, len(image_files(folder))) if folder.is_dir() else _MANY


class NpzDataset(DatasetBase):
    """An npz file with an array of images (sample, height, width[, channel])."""

    PLACE: ClassVar[str | None] = "path"
    LABELS: ClassVar[str] = "set dataset.labels_key"

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
            remedy = "give [darkest, brightest] with darkest < brightest"
            raise InputError(Problem(f"{quote(list(value))} is no range", remedy))
        return value

    def _source(self) -> Source:
        from underpainting.images import datasets

        return datasets.npz_images(
            self.path, self.images_key, self.labels_key, self.value_range, self.limit, self.obtain
        )

    def files(self) -> list[str]:
        """List every file that is read."""
        return [self.path]

    def expected_images(self) -> int:
        """Estimate an upper bound of the number of images; the file may be compressed."""
        file = Path(self.path)
        values = self.channels * self.image_size**2
        return math.ceil(1.5 * file.stat().st_size / values) if file.is_file() else _MANY

    def reading(self) -> str:
        """Describe which values are read as black and as white."""
        if self.value_range is None:
            return super().reading()
        return "{:g} as black and {:g} as white".format(*self.value_range)


Dataset = Annotated[
    SklearnDataset | TorchvisionDataset | HuggingfaceDataset | FolderDataset | NpzDataset, Field(discriminator="source")
]


def place_key(source: str) -> str:
    """Return the key that names the path of a source's data; empty if it has none."""
    places = {tag_of(member): getattr(member, "PLACE", None) or "" for member in members_of(Dataset)}
    return places.get(source, "")
