r"""Computes a basis without a workflow, from a source of images or from samples of a network.

Samples serve where the training images are not available; their basis includes the network's errors. Images are read,
or generated, once and kept as bytes in a file of the system's temporary folder, since the estimates read them several
times.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from underpainting.basis import eigenbasis, moments
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.stored import StoredBasis
from underpainting.images import datasets
from underpainting.images.datasets import DataError
from underpainting.images.decoding import Bytes
from underpainting.io import artifacts

log = logging.getLogger(__name__)

Method = Literal["auto", "dense", "gram", "randomized"]
Labelled = tuple[Bytes, NDArray[np.int64]]
DENSE_PIXELS = 4096  # a covariance of 128 MiB
GRAM_VALUES = 2**28  # images of 2 GiB in float64
RANDOMIZED_RANK = 256


@dataclass(frozen=True)
class Spool:
    """Images on disk, with their labels and digest.

    Attributes:
        images: bytes, shape (sample, channel, height, width).
        labels: shape (sample,), -1 where there is none.
        digest: SHA-256 of the bytes.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    digest: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape[1:]

    @property
    def pixels(self) -> int:
        return prod(self.shape)

    def batches(self, label: int | None = None) -> Iterator[NDArray[np.float32]]:
        """Yield flattened images in [-1, 1], shape (sample, pixel), of one class or of all."""
        chosen = np.arange(len(self.images)) if label is None else np.flatnonzero(self.labels == label)
        size = artifacts.at_once(self.pixels)
        for start in range(0, len(chosen), size):
            part = self.images[chosen[start : start + size]]
            yield part.reshape(len(part), -1).astype(np.float32) / np.float32(127.5) - np.float32(1)


@contextmanager
def spool_images(parts: Iterable[Labelled], shape: tuple[int, ...]) -> Iterator[Spool]:
    """Keep a stream of images and labels in a temporary file, removed when the context ends.

    Args:
        parts: images as bytes, shape (sample, channel, height, width), and labels, shape (sample,).
        shape: (channel, height, width).
    """
    labels, total = [np.empty(0, np.int64)], hashlib.sha256()
    with tempfile.TemporaryFile() as file:
        for images, of_images in parts:
            content = np.ascontiguousarray(images).tobytes()
            total.update(content)
            file.write(content)
            labels.append(of_images)
        file.flush()
        every_label = np.concatenate(labels)
        yield Spool(np.memmap(file, np.uint8, "r", shape=(len(every_label), *shape)), every_label, total.hexdigest())


def choose_method(method: Method, pixels: int, count: int) -> Literal["dense", "gram", "randomized"]:
    """Return the method that `auto` selects: `gram` for few images, `dense` for few pixels, else `randomized`."""
    if method != "auto":
        return method
    if count < pixels and count * pixels <= GRAM_VALUES:
        return "gram"
    return "dense" if pixels <= DENSE_PIXELS else "randomized"


def estimate(spool: Spool, method: Method = "auto", rank: int | None = None, seed: int = 0) -> Eigenbasis:
    """Compute the eigenbasis of images, as the workflow does.

    Args:
        spool: the images.
        method: see `eigenbasis`; `auto` selects one by the number and size of the images.
        rank: components to keep; all if not given, but at most 256 by the randomized method.
        seed: of the randomized method.

    Raises:
        ValueError: the rank exceeds what the images can have.
    """
    count = len(spool.images)
    way = choose_method(method, spool.pixels, count)
    if way == "dense":
        basis = _dense(spool)
    elif way == "gram":
        basis = eigenbasis.gram(np.concatenate(list(spool.batches())).astype(np.float64), spool.shape, rank)
    else:
        spread = moments.moments_of_batches(spool.batches(), spool.pixels, diagonal=True)
        most = rank or min(RANDOMIZED_RANK, count - 1)
        basis = eigenbasis.randomized(
            spool.batches, spread.mean, spread.total_variance, count, spool.shape, most, seed=seed
        )
    return eigenbasis.truncate(basis, rank=rank)


def _dense(spool: Spool, label: int | None = None) -> Eigenbasis:
    found = moments.moments_of_batches(spool.batches(label), spool.pixels)
    return eigenbasis.dense(found.mean, found.covariance(), spool.shape)


def bases_of_classes(spool: Spool, classes: int, rank: int) -> list[Eigenbasis]:
    """Compute the basis of each class, with `rank` components each.

    Raises:
        ValueError: the images have no classes, a class has no image, or they are too large for a covariance matrix.
    """
    if not classes or (spool.labels < 0).any():
        raise ValueError("the images have no classes; put those of each class into a sub-folder, or leave classes out")
    if spool.pixels > DENSE_PIXELS:
        raise ValueError(f"images of {spool.pixels} values are too large for classes; {DENSE_PIXELS} is the most")
    if empty := [label for label in range(classes) if not (spool.labels == label).any()]:
        raise ValueError(f"class {empty[0]} of {classes} has no image; use more images, or leave classes out")
    return [eigenbasis.truncate(_dense(spool, label), rank=rank) for label in range(classes)]


def basis_of_source(
    source: datasets.Source,
    target: datasets.ImageFormat,
    name: str,
    per_class: bool = False,
    limit: int | None = None,
    **options: Any,
) -> StoredBasis:
    """Compute the basis of a source of images.

    Args:
        source: of the images, such as `datasets.folder_images`.
        target: format to which the images are converted.
        name: of the images, for the card.
        per_class: whether each class gets its own Gaussian.
        limit: use only this many images, the first ones; all if not given.
        options: arguments of `estimate`.

    Raises:
        DataError: an image cannot be read or converted.
        ValueError: as `estimate` and `bases_of_classes`.
    """
    shape = (target.channels, target.size, target.size)
    with spool_images(datasets.read_batches(source, target, artifacts.at_once(prod(shape)), limit), shape) as spool:
        all_images = estimate(spool, **options)
        if source.values and (remark := source.values.remark()):
            log.warning("%s: %s.", name, remark)
        classes = bases_of_classes(spool, len(source.class_names), all_images.rank) if per_class else []
        return make_stored_basis(all_images, spool, name, options, classes)


def make_stored_basis(
    all_images: Eigenbasis, spool: Spool, name: str, options: dict[str, Any], classes: Iterable[Eigenbasis] = ()
) -> StoredBasis:
    """Combine a basis with its card and, where there are classes, with the basis of each."""
    count = len(spool.images)
    method = choose_method(options.get("method", "auto"), spool.pixels, count)
    return StoredBasis.of(all_images, name, list(classes), count=count, method=method, data_digest=spool.digest)


def first_shape(source: datasets.Source, any_shape: bool = False) -> tuple[int, int]:
    """Return the number of channels and the height of the first image.

    Args:
        source: of the images.
        any_shape: whether the image need not be square.

    Raises:
        DataError: the image is not square.
    """
    pixels = next(iter(source)).pixels
    height, width = pixels.shape[:2]
    if height != width and not any_shape:
        raise DataError(
            "image_size", f"the first image has {width} x {height} pixels", "say which size images are to have"
        )
    return (3 if pixels.ndim == 3 and pixels.shape[2] > 1 else 1), height
