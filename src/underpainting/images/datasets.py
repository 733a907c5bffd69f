r"""Sources of images: where a study's data come from, checked before any job starts.

Every source yields items (image, label, name): the image as a uint8 array (height, width[, channel]), the label an integer or
None, the name for messages. `prepare` brings an image to the study's size and channels. What is stored are bytes,
x = byte / 127.5 - 1; the artifact is read as float32 in [-1, 1].
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from underpainting.studies.data import (
    DatasetBase,
    FolderDataset,
    HuggingfaceDataset,
    NpzDataset,
    SklearnDataset,
    TorchvisionDataset,
)
from underpainting.studies.files.sources import IMAGE_SUFFIXES, image_files

Bytes = NDArray[np.uint8]
MISSING = (
    "correct it or put the data there: paths are relative to where snakemake runs, and {data} is the folder that --config "
    "data=FOLDER, UNDERPAINTING_DATA or `data` in config/config.yaml names"
)


class Item(NamedTuple):
    """One image of a source: pixels (height, width[, channel]) in bytes, label, and a name for messages."""

    pixels: Bytes
    label: int | None
    name: str


class Source(Protocol):
    """Images in a fixed order, read one after the other."""

    class_names: tuple[str, ...]

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Item]: ...


class DataError(ValueError):
    """Data that cannot be used: the key of the study file below `dataset`, the problem and the remedy."""

    def __init__(self, key: str, problem: str, remedy: str) -> None:
        self.key, self.problem, self.remedy = key, problem, remedy
        super().__init__(f"dataset.{key}: {problem}. Remedy: {remedy}.")


class ArraySource:
    """Images that are already in memory, as bytes."""

    def __init__(self, images: Bytes, labels: NDArray[Any] | None, class_names: Sequence[str], name: str) -> None:
        self._images, self._labels, self._name = images, labels, name
        self.class_names = tuple(class_names)

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[Item]:
        for index, pixels in enumerate(self._images):
            label = None if self._labels is None else int(self._labels[index])
            yield Item(pixels, label, f"{self._name}[{index}]")


class FolderSource:
    """Image files below a folder, in sorted order; sub-folders are classes."""

    def __init__(self, folder: Path) -> None:
        self._files = image_files(folder)
        parents = sorted({file.relative_to(folder).parts[0] for file in self._files if file.parent != folder})
        labelled = parents and all(file.parent != folder for file in self._files)
        self.class_names = tuple(parents) if labelled else ()
        self._folder = folder

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Item]:
        for file in self._files:
            label = self.class_names.index(file.relative_to(self._folder).parts[0]) if self.class_names else None
            yield Item(_read_image(file), label, str(file))


class IndexedSource:
    """A data set of torchvision or the Hub: `get(i)` gives a PIL image and a label."""

    def __init__(
        self, data: Any, class_names: Sequence[str], name: str, columns: tuple[str, str | None] | None
    ) -> None:
        self._data, self._name, self._columns = data, name, columns
        self.class_names = tuple(class_names)

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Item]:
        for index in range(len(self._data)):
            entry = self._data[index]
            if self._columns:
                picture, label = entry[self._columns[0]], entry[self._columns[1]] if self._columns[1] else None
            else:
                picture, label = entry
            yield Item(_pixels(picture), None if label is None else int(label), f"{self._name}[{index}]")


def _pixels(picture: Image.Image) -> Bytes:
    mode = "RGB" if picture.mode not in ("L", "1") else "L"
    return np.asarray(picture.convert(mode), np.uint8)


def _read_image(file: Path) -> Bytes:
    try:
        with Image.open(file) as picture:
            return _pixels(picture)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError("path", f"the image {file} is corrupt ({error})", "repair or remove that file") from error


def _open_sklearn(_: SklearnDataset) -> Source:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255.0 / 16.0)).astype(np.uint8)
    return ArraySource(images, digits.target, [str(name) for name in digits.target_names], "digits")


def _open_torchvision(config: TorchvisionDataset) -> Source:
    import torchvision

    root = Path(config.root)
    if not config.download and not root.is_dir():
        remedy = config.obtain or f"set dataset.download: true, or {MISSING}"
        raise DataError("root", f"there is no folder {root}", remedy)
    split = {"split": config.split} if config.name == "SVHN" else {"train": config.split == "train"}
    make = partial(getattr(torchvision.datasets, config.name), **split)
    try:
        with _unpacked(root, config.name) as place:
            data = make(place)
    except (RuntimeError, FileNotFoundError) as error:
        if not config.download:
            problem = f"torchvision finds no complete {config.name} below {root}"
            raise DataError("root", problem, "put the files there, or set dataset.download: true") from error
        data = _downloaded(make, root, config.name)
    return IndexedSource(data, getattr(data, "classes", [str(digit) for digit in range(10)]), config.name, None)


def _downloaded(make: Callable[..., Any], root: Path, name: str) -> Any:
    """A data set of torchvision of which it has to download something; files that are whole stay as they are."""
    try:
        return make(root, download=True)
    except (RuntimeError, OSError) as error:
        problem = f"torchvision cannot download what is missing of {name} to {root} ({error})"
        raise DataError("root", problem, "check the network, and that the folder may be written to") from error


@contextmanager
def _unpacked(root: Path, name: str) -> Iterator[Path]:
    """The root itself; where it holds the original idx files still compressed, a scratch root with their contents.

    torchvision would unpack them beside the originals, which may not be ours to write to; it reads them at once, whole.
    """
    packed = sorted((root / name / "raw").glob("*-ubyte.gz"))
    if not packed or all(file.with_suffix("").is_file() for file in packed):
        yield root
        return
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / name / "raw"
        raw.mkdir(parents=True)
        for file in packed:
            with gzip.open(file) as source, (raw / file.stem).open("wb") as target:
                shutil.copyfileobj(source, target)
        yield Path(scratch)


def _open_huggingface(config: HuggingfaceDataset) -> Source:
    try:
        from datasets import load_dataset
    except ImportError as error:
        remedy = "install the extra: pip install 'underpainting[hub]'"
        raise DataError("source", "the package `datasets` is not installed", remedy) from error
    try:
        data = load_dataset(config.repository, revision=config.revision, split=config.split)
    except Exception as error:  # the Hub client raises many kinds; all mean that the data cannot be had
        problem = f"{config.repository} at {config.revision} cannot be loaded ({type(error).__name__}: {error})"
        raise DataError("repository", problem, "check name, revision, split and network") from error
    for key, column in (("image_column", config.image_column), ("label_column", config.label_column)):
        if column is not None and column not in data.column_names:
            raise DataError(key, f"there is no column {column!r}", f"choose among {', '.join(data.column_names)}")
    feature = data.features[config.label_column] if config.label_column else None
    names = getattr(feature, "names", None) or []
    return IndexedSource(data, names, config.repository, (config.image_column, config.label_column))


def _open_folder(config: FolderDataset) -> Source:
    folder = Path(config.path)
    if not folder.is_dir():
        raise DataError("path", f"there is no folder {folder}", config.obtain or MISSING)
    source = FolderSource(folder)
    if not len(source):
        remedy = f"put images there; known endings are {', '.join(sorted(IMAGE_SUFFIXES))}"
        raise DataError("path", f"the folder {folder} holds no image", remedy)
    return source


def _open_npz(config: NpzDataset) -> Source:
    path = Path(config.path)
    if not path.is_file():
        raise DataError("path", f"there is no file {path}", config.obtain or MISSING)
    try:
        archive = np.load(path, allow_pickle=False)
        images = _npz_array(archive, config.images_key, "images_key")
        labels = _npz_array(archive, config.labels_key, "labels_key") if config.labels_key else None
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            "path", f"{path} is no readable npz file ({error})", "write it anew with numpy.savez"
        ) from error
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)):
        remedy = "store images as (sample, height, width[, 1 or 3 channels])"
        raise DataError("images_key", f"the array has shape {images.shape}", remedy)
    if labels is not None and (labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer)):
        problem = f"{labels.dtype} labels of shape {labels.shape} do not fit {len(images)} images"
        raise DataError("labels_key", problem, "store one integer per image")
    if labels is not None and len(labels) and labels.min() < 0:
        raise DataError("labels_key", "a label is negative", "number the classes from 0")
    names = [str(name) for name in archive["class_names"]] if "class_names" in archive.files else []
    if labels is not None and not names:
        names = [str(label) for label in range(int(labels.max(initial=-1)) + 1)]
    return ArraySource(_to_bytes(images, config.value_range, path), labels, names, path.name)


def _npz_array(archive: Any, name: str, key: str) -> NDArray[Any]:
    if name not in archive.files:
        raise DataError(key, f"there is no array {name!r}", f"choose among {', '.join(archive.files)}")
    return np.asarray(archive[name])


def _to_bytes(images: NDArray[Any], value_range: tuple[float, float] | None, path: Path) -> Bytes:
    if images.dtype == np.uint8 and value_range in (None, (0, 255)):
        return images
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
        if part.min() < low or part.max() > high:
            problem = f"{path} holds values from {images.min()} to {images.max()}, outside {[low, high]}"
            raise DataError("value_range", problem, "give the range that the values really have")
        result[start : start + 1024] = np.round((part - low) * (255.0 / (high - low)))
    return result


_OPENERS: dict[str, Any] = {
    "sklearn": _open_sklearn,
    "torchvision": _open_torchvision,
    "huggingface": _open_huggingface,
    "folder": _open_folder,
    "npz": _open_npz,
}


def open_source(config: DatasetBase) -> Source:
    """The source that a study's `dataset` describes.

    Raises:
        DataError: the data are missing or cannot be read.
    """
    source: Source = _OPENERS[config.source](config)  # type: ignore[attr-defined]
    if not len(source):
        raise DataError("source", "the data set holds no image", "point to data with images")
    return source


def prepare(item: Item, config: DatasetBase) -> Bytes:
    """An image in the study's size and channels, shape (channel, height, width).

    Raises:
        DataError: the image has another size and `resize` does not allow that.
    """
    size = config.image_size
    picture = Image.fromarray(item.pixels.squeeze(-1) if item.pixels.shape[2:] == (1,) else item.pixels)
    picture = picture.convert("L" if config.channels == 1 else "RGB")
    if picture.size != (size, size):
        picture = _resized(picture, item.name, config)
    pixels = np.asarray(picture, np.uint8)
    return pixels[None] if config.channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _resized(picture: Image.Image, name: str, config: DatasetBase) -> Image.Image:
    from PIL import ImageOps

    size, (width, height) = config.image_size, picture.size
    if config.resize == "crop":
        return ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    if config.resize == "pad" and max(width, height) <= size:
        canvas = Image.new(picture.mode, (size, size))
        canvas.paste(picture, ((size - width) // 2, (size - height) // 2))
        return canvas
    problem = f"{name} has {width} x {height} pixels, not {size} x {size}"
    remedy = (
        f"set dataset.image_size: {width}, or dataset.resize: crop" if width == height else "set dataset.resize: crop"
    )
    raise DataError("image_size", problem, f"{remedy}; pad only enlarges" if config.resize == "pad" else remedy)


def stream(source: Source, config: DatasetBase, size: int) -> Iterator[tuple[Bytes, NDArray[np.int64]]]:
    """Batches of prepared images (sample, channel, height, width) and labels (sample,); -1 where there is none."""
    images: list[Bytes] = []
    labels: list[int] = []
    for count, item in enumerate(source):
        if config.limit is not None and count >= config.limit:
            break
        images.append(prepare(item, config))
        labels.append(-1 if item.label is None else item.label)
        if len(images) == size:
            yield np.stack(images), np.array(labels)
            images, labels = [], []
    if images:
        yield np.stack(images), np.array(labels)
