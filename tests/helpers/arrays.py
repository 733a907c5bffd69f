"""Small datasets to be stored; few imports, since a process of its own writes them, too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from underpainting.io import artifacts

DIMS = ("sample", *artifacts.IMAGE_DIMS)


def images_of(count: int, first: int = 0) -> np.ndarray:
    random = np.random.default_rng(0)
    values = random.uniform(-1, 1, (first + count, 1, 4, 4)).astype(np.float32)
    return values[first:]


def dataset_of(count: int = 10, first: int = 0) -> xr.Dataset:
    seeds = artifacts.array(np.arange(first, first + count), "sample", "seed of the image")
    images = artifacts.image_array(images_of(count, first), DIMS, "final images")
    return xr.Dataset({"image": images, "seed": seeds, "alpha": artifacts.array(0.5, (), "signal scale")})


def parts_of(sizes: list[int]) -> Iterator[xr.Dataset]:
    first = 0
    for size in sizes:
        yield dataset_of(size, first).drop_vars("alpha")
        first += size
