r"""Opens sources of images: an array, a folder, a data set of torchvision or of the Hub.

Every source yields items (image, label, name): the image as a uint8 array (height, width[, channel]), the label an
integer or None, the name for messages. Picture files are decoded as a viewer shows them (`decoding`); arrays have a
value range, read as black to white. `prepare` converts an image to a size and number of channels. Images are stored
as bytes, x = byte / 127.5 - 1, and read as float32 in [-1, 1].

Every error of a decoder is raised as a DataError that names the file.
"""

from __future__ import annotations

import gzip
import math
import operator
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from underpainting.images import decoding
from underpainting.images.decoding import Bytes, Colour
from underpainting.images.file_checks import PictureError
from underpainting.images.files import IMAGE_SUFFIXES, image_files
from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import describe_error, is_utf8, quote

MISSING = (
    "correct it or put the data there: paths are relative to where snakemake runs, and {data} is the folder that --config "
    "data=FOLDER, UNDERPAINTING_DATA or `data` in config/config.yaml names"
)


class Item(NamedTuple):
    """One image of a source: pixels (height, width[, channel]) in bytes, label, and a name for messages."""

    pixels: Bytes
    label: int | None
    name: str


@dataclass
class Values:
    """The values of a source that are read as black and white, and the smallest and largest value found so far."""

    black: float = 0.0
    white: float = 255.0
    least: float = math.inf
    most: float = -math.inf

    def add(self, values: NDArray[Any]) -> None:
        """Update the smallest and largest value found."""
        if values.size:
            self.least, self.most = min(self.least, float(values.min())), max(self.most, float(values.max()))

    def remark(self) -> str | None:
        """Return a warning if the values found span at most half of the range, else None."""
        if self.most - self.least > (self.white - self.black) / 2:
            return None
        return (
            f"the values found, {self.least:g} to {self.most:g}, span at most half of {self.black:g} to {self.white:g}, which "
            "is read as black to white. Remedy: if that is not meant, rescale the images, or set dataset.value_range for an "
            "npz file"
        )


class Source(Protocol):
    """Images in a fixed order, read one after the other."""

    class_names: tuple[str, ...]

    @property
    def values(self) -> Values | None:
        """Range and extremes of the values found; None where they are known to fill their range."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Item]: ...


class DataError(InputError):
    """Error for image data that cannot be used.

    Args:
        key: the key of the study file, below `dataset`.
        problem: what is wrong, with the name of the file.
        remedy: what to do.
    """

    def __init__(self, key: str, problem: str, remedy: str) -> None:
        super().__init__(Problem(problem, remedy, f"dataset.{key}"))


class ArraySource:
    """Images in memory, as bytes."""

    def __init__(
        self,
        images: Bytes,
        labels: NDArray[Any] | None,
        class_names: Sequence[str],
        name: str,
        values: Values | None = None,
    ) -> None:
        self._images, self._labels, self._name, self.values = images, labels, name, values
        self.class_names = tuple(class_names)

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[Item]:
        for index, pixels in enumerate(self._images):
            label = None if self._labels is None else int(self._labels[index])
            yield Item(pixels, label, f"{self._name}[{index}]")


class FolderSource:
    """Image files below a folder, in sorted order, or those of them that are named; sub-folders are classes."""

    def __init__(self, folder: Path, background: Colour | None = None, files: Sequence[Path] | None = None) -> None:
        self._files = image_files(folder) if files is None else files
        parents = sorted({file.relative_to(folder).parts[0] for file in self._files if file.parent != folder})
        labelled = parents and all(file.parent != folder for file in self._files)
        self.class_names = tuple(parents) if labelled else ()
        self._folder, self._background, self.values = folder, background, Values()

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Item]:
        for file in self._files:
            label = self.class_names.index(file.relative_to(self._folder).parts[0]) if self.class_names else None
            pixels = _shown(file, str(file), "path", self._background)
            self.values.add(pixels)
            yield Item(pixels, label, str(file))


class IndexedSource:
    """A data set of torchvision or the Hub: `entry(i)` gives a picture or its file, and a label.

    Args:
        entry: returns the image and label of an index.
        count: number of images.
        class_names: of the labels.
        name: of the data set, for messages.
        key: key of the study file that names the data, for messages.
        background: colour behind transparent pixels.
    """

    def __init__(
        self,
        entry: Callable[[int], tuple[Image.Image | Path | bytes, Any]],
        count: int,
        class_names: Sequence[str],
        name: str,
        key: str,
        background: Colour | None = None,
    ) -> None:
        self._entry, self._count, self._name, self._key, self._background = entry, count, name, key, background
        self.class_names, self.values = tuple(class_names), Values()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        for index in range(self._count):
            name = f"{self._name}[{index}]"
            with _refused(self._key, f"{name} cannot be read", "repair or remove it"):
                picture, label = self._entry(index)
            pixels = _shown(picture, name, self._key, self._background)
            self.values.add(pixels)
            yield Item(pixels, _label(label, name), name)


@contextmanager
def _refused(key: str, problem: str, remedy: str) -> Iterator[None]:
    """Raise every error of a library as a DataError, except MemoryError, which is no fault of the data."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:
        raise DataError(key, f"{problem} ({describe_error(error)})", remedy) from error


def _shown(picture: Image.Image | Path | bytes, name: str, key: str, background: Colour | None) -> Bytes:
    try:
        if isinstance(picture, Image.Image):
            return decoding.decode_image(picture, background)
        return decoding.read_image(picture, background)
    except PictureError as error:
        raise DataError(error.key or key, f"the image {name} {error.problem}", error.remedy) from error


def _label(label: Any, name: str) -> int | None:
    """Convert a label to an integer that fits int64; None stays None."""
    if label is None:
        return None
    with _refused("label_column", f"the label of {name} is no whole number below 2^63", "name a column of classes"):
        return int(np.int64(operator.index(label)))


def digits() -> Source:
    """Open scikit-learn's handwritten digits, which are part of that package."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.round(data.images * (255.0 / 16.0)).astype(np.uint8)
    return ArraySource(images, data.target, [str(name) for name in data.target_names], "digits")


def torchvision_images(
    name: str, root: str | Path, split: str = "train", download: bool = False, obtain: str = ""
) -> Source:
    """Open a data set of torchvision.

    Args:
        name: of its class in torchvision.datasets.
        root: folder where torchvision looks for the files.
        split: train or test.
        download: let torchvision download what is missing there.
        obtain: how to get the data, for the message where they are missing.

    Raises:
        DataError: the data are missing or damaged.
    """
    import torchvision

    root = Path(root)
    if not download and not root.is_dir():
        raise DataError("root", f"there is no folder {root}", obtain or f"set dataset.download: true, or {MISSING}")
    part = {"split": split} if name == "SVHN" else {"train": split == "train"}
    make = partial(getattr(torchvision.datasets, name), **part)
    try:
        with _unpacked(root, name) as place:
            data = make(place)
    except Exception as error:  # readers raise errors of many kinds if a file is missing or damaged
        if isinstance(error, MemoryError) or (isinstance(error, DataError) and not download):
            raise
        if not download:
            problem = f"torchvision finds no complete {name} below {root} ({describe_error(error)})"
            raise DataError("root", problem, "put the files there, or set dataset.download: true") from error
        data = _downloaded(make, root, name)
    names = getattr(data, "classes", [str(digit) for digit in range(10)])
    return IndexedSource(data.__getitem__, len(data), names, name, "root")


def _downloaded(make: Callable[..., Any], root: Path, name: str) -> Any:
    """Open a data set of torchvision after downloading its missing files; complete files are kept."""
    problem = f"torchvision cannot download what is missing of {name} to {root}"
    with _refused("root", problem, "check the network, and that the folder may be written to"):
        return make(root, download=True)


@contextmanager
def _unpacked(root: Path, name: str) -> Iterator[Path]:
    """Return the root, or, if its original idx files are compressed, a temporary root with their contents.

    torchvision would decompress them beside the originals, in a folder that may be read-only. It reads them
    completely when it opens the data set, so the temporary root can be removed then.
    """
    packed = sorted((root / name / "raw").glob("*-ubyte.gz"))
    if not packed or all(file.with_suffix("").is_file() for file in packed):
        yield root
        return
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / name / "raw"
        raw.mkdir(parents=True)
        for file in packed:
            with (
                _refused("root", f"{file} is damaged", "replace it"),
                gzip.open(file) as source,
                (raw / file.stem).open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
        yield Path(scratch)


def hub_images(
    repository: str,
    revision: str,
    split: str = "train",
    image_column: str = "image",
    label_column: str | None = None,
    background: Colour | None = None,
) -> Source:
    """Open a data set of the Hugging Face Hub.

    Args:
        repository: owner/name, or a local folder in the Hub's format.
        revision: the commit.
        split: name of the split.
        image_column: column of the images.
        label_column: column of integer labels, if any.
        background: colour behind transparent pixels; without it an image that is not opaque is refused.

    Raises:
        DataError: it cannot be loaded, or has other columns.
    """
    try:
        from datasets import Image as Pictures
        from datasets import load_dataset
    except ImportError as error:
        remedy = "install the extra: pip install 'underpainting[hub]'"
        raise DataError("source", "the package `datasets` is not installed", remedy) from error
    with _refused(
        "repository", f"{repository} at {revision} cannot be loaded", "check name, revision, split and network"
    ):
        data = load_dataset(repository, revision=revision, split=split)
    for key, column in (("image_column", image_column), ("label_column", label_column)):
        if column is not None and column not in data.column_names:
            raise DataError(key, f"there is no column {column!r}", f"choose among {', '.join(data.column_names)}")
    if not isinstance(data.features[image_column], Pictures):
        raise DataError("image_column", f"{image_column!r} holds no images", "choose a column of images")
    data = data.cast_column(image_column, Pictures(decode=False))  # undecoded, since `decoding` reads all files
    feature = data.features[label_column] if label_column else None
    entry = partial(_hub_entry, data, image_column, label_column)
    return IndexedSource(entry, len(data), getattr(feature, "names", None) or [], repository, "repository", background)


def _hub_entry(data: Any, image_column: str, label_column: str | None, index: int) -> tuple[Path | bytes, Any]:
    """Return an image file of the Hub, as bytes or as a path, and its label."""
    row = data[index]
    file = row[image_column]
    return Path(file["path"]) if file["bytes"] is None else file["bytes"], row[label_column] if label_column else None


def folder_images(folder: str | Path, background: Colour | None = None, obtain: str = "") -> Source:
    """Open a folder of image files; the names of its sub-folders, if it has any, are the classes.

    Args:
        folder: the folder.
        background: colour behind transparent pixels; without it an image that is not opaque is refused.
        obtain: how to get the data, for the message where they are missing.

    Raises:
        DataError: there is no such folder, it holds no image, or a file's name is not UTF-8.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError("path", f"there is no folder {folder}", obtain or MISSING)
    source = FolderSource(folder, background)
    if not len(source):
        remedy = f"put images there; known endings are {', '.join(sorted(IMAGE_SUFFIXES))}"
        raise DataError("path", f"the folder {folder} holds no image", remedy)
    if strange := [file.name for file in image_files(folder) if not is_utf8(str(file))]:
        raise DataError("path", f"the name of the image {quote(strange[0])} is not UTF-8", "rename that file")
    return source


def npz_images(
    path: str | Path,
    images_key: str = "images",
    labels_key: str | None = None,
    value_range: tuple[float, float] | None = None,
    limit: int | None = None,
    obtain: str = "",
) -> Source:
    """Open an npz file with an array of images (sample, height, width[, channel]).

    Args:
        path: the file.
        images_key: name of the array of images.
        labels_key: name of the array of integer labels, if any.
        value_range: darkest and brightest value; None for bytes.
        limit: read only this many images, the first ones.
        obtain: how to get the data, for the message where they are missing.

    Raises:
        DataError: the file is missing or damaged, or its arrays are of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("path", f"there is no file {path}", obtain or MISSING)
    images, labels, names = _npz_content(path, images_key, labels_key)
    shape = images.shape
    if len(shape) not in (3, 4) or 0 in shape[1:] or (len(shape) == 4 and shape[3] not in (1, 3)):
        remedy = "store images as (sample, height, width[, 1 or 3 channels])"
        raise DataError("images_key", f"the array has shape {shape}", remedy)
    if labels is not None:
        labels = _checked_labels(labels, len(images), len(names))
        names = names or [str(label) for label in range(int(labels.max(initial=-1)) + 1)]
        labels = labels[:limit]
    values = Values(*(value_range or (0.0, 255.0)))
    return ArraySource(_to_bytes(images[:limit], value_range, path, values), labels, names, path.name, values)


def _npz_content(
    path: Path, images_key: str, labels_key: str | None
) -> tuple[NDArray[Any], NDArray[Any] | None, list[str]]:
    """Read images, labels and names of classes from an npz file."""
    try:
        with (
            _refused("path", f"{path} is no readable npz file", "write it again with numpy.savez"),
            zipfile.ZipFile(path) as archive,
        ):
            images = _npz_array(archive, images_key, "images_key")
            labels = _npz_array(archive, labels_key, "labels_key") if labels_key else None
            named = "class_names.npy" in archive.namelist()
            names = _npz_array(archive, "class_names", "labels_key").tolist() if named else []
            return images, labels, [str(name) for name in names]
    except MemoryError as error:
        raise DataError(
            "path", f"{path} does not fit into memory ({describe_error(error)})", "store fewer images"
        ) from error


def _npz_array(archive: zipfile.ZipFile, name: str, key: str) -> NDArray[Any]:
    names = [member.removesuffix(".npy") for member in archive.namelist()]
    if name not in names:
        raise DataError(key, f"there is no array {name!r}", f"choose among {', '.join(names)}")
    with archive.open(f"{name}.npy") as member:
        values: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        member.read()  # the checksum is compared at the end
    return values


def _checked_labels(labels: NDArray[Any], images: int, names: int) -> NDArray[np.int64]:
    """Check that labels lie in [0, names), or [0, images) without names; return them as int64, shape (sample,)."""
    if labels.shape != (images,) or not np.issubdtype(labels.dtype, np.integer):
        problem = f"{labels.dtype} labels of shape {labels.shape} do not fit {images} images"
        raise DataError("labels_key", problem, "store one integer per image")
    if images and labels.min() < 0:
        raise DataError("labels_key", "a label is negative", "number the classes from 0")
    if images and labels.max() >= (names or images):
        classes = f"{names} classes" if names else f"classes of {images} images"
        remedy = "number the classes from 0 without gaps, or add the array class_names, one for each number"
        raise DataError("labels_key", f"the label {labels.max()} is none of the {classes}", remedy)
    return labels.astype(np.int64)


def _to_bytes(images: NDArray[Any], value_range: tuple[float, float] | None, path: Path, values: Values) -> Bytes:
    """Convert images to bytes, black 0 and white 255; update `values` with the values found."""
    if images.dtype == np.uint8 and value_range in (None, (0, 255)):
        values.add(images)
        return images
    if images.dtype.kind not in "biuf":
        raise DataError("images_key", f"{path} holds {images.dtype} values", "store images as real numbers")
    if value_range is None:
        remedy = "add dataset.value_range: [darkest, brightest]"
        raise DataError("value_range", f"{path} holds {images.dtype} values, whose range is not known", remedy)
    result = np.empty(images.shape, np.uint8)
    low, high = value_range
    for start in range(0, len(images), 1024):
        part = images[start : start + 1024].astype(np.float64)
        if not np.isfinite(part).all():
            bad = start + int(np.flatnonzero(~np.isfinite(part).reshape(len(part), -1).all(1))[0])
            raise DataError("path", f"image {bad} of {path} holds NaN or infinity", "remove or repair that image")
        values.add(part)
        if values.least < low or values.most > high:
            problem = f"{path} holds values from {images.min()} to {images.max()}, outside {[low, high]}"
            raise DataError("value_range", problem, "give the range that the values really have")
        result[start : start + 1024] = np.round((part - low) * (255.0 / (high - low)))
    return result


class ImageFormat(NamedTuple):
    """Format to which images are converted.

    Attributes:
        size: height and width, in pixels.
        channels: 1 for grey, 3 for RGB.
        resize: treatment of images of another size: none refuses them, crop resamples their centre square, pad centres
            smaller ones on black.
    """

    size: int
    channels: int
    resize: str = "none"


def prepare(item: Item, target: ImageFormat) -> Bytes:
    """Convert an image to a size and number of channels; return shape (channel, height, width).

    Raises:
        DataError: the image has another size and `resize` does not allow that.
    """
    size = target.size
    picture = Image.fromarray(item.pixels.squeeze(-1) if item.pixels.shape[2:] == (1,) else item.pixels)
    picture = picture.convert("L" if target.channels == 1 else "RGB")
    if picture.size != (size, size):
        picture = _resized(picture, item.name, target)
    pixels = np.asarray(picture, np.uint8)
    return pixels[None] if target.channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _resized(picture: Image.Image, name: str, target: ImageFormat) -> Image.Image:
    from PIL import ImageOps

    size, (width, height) = target.size, picture.size
    if target.resize == "crop":
        return ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    if target.resize == "pad" and max(width, height) <= size:
        canvas = Image.new(picture.mode, (size, size))
        canvas.paste(picture, ((size - width) // 2, (size - height) // 2))
        return canvas
    problem = f"{name} has {width} x {height} pixels, not {size} x {size}"
    remedy = (
        f"set dataset.image_size: {width}, or dataset.resize: crop" if width == height else "set dataset.resize: crop"
    )
    raise DataError("image_size", problem, f"{remedy}; pad only enlarges" if target.resize == "pad" else remedy)


def read_batches(
    source: Source, target: ImageFormat, size: int, limit: int | None = None
) -> Iterator[tuple[Bytes, NDArray[np.int64]]]:
    """Read a source in batches of prepared images.

    Args:
        source: the images.
        target: format to which they are converted.
        size: number of images in a batch.
        limit: read only this many images, the first ones.

    Yields:
        images, shape (sample, channel, height, width), and labels, shape (sample,), -1 where there is none.

    Raises:
        DataError: an image cannot be read, or has another size.
    """
    images: list[Bytes] = []
    labels: list[int] = []
    for item in islice(source, limit):
        images.append(prepare(item, target))
        labels.append(-1 if item.label is None else item.label)
        if len(images) == size:
            yield np.stack(images), np.array(labels)
            images, labels = [], []
    if images:
        yield np.stack(images), np.array(labels)
