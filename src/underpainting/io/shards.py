"""Reads shards: files that each hold a range of seeds, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import xarray as xr

from underpainting.io import artifacts


def batches(files: Iterable[str | Path], size: int = 256) -> Iterator[xr.Dataset]:
    """Yield the samples of the files in order, at most `size` at a time."""
    for file in files:
        data = artifacts.load(file)
        for start in range(0, data.sizes["sample"], size):
            yield data.isel(sample=slice(start, start + size)).load()


def load_first(files: Iterable[str | Path], count: int) -> xr.Dataset:
    """Read the first samples of the files, at most `count`."""
    parts = batches(files, count)
    found = [next(parts)]
    while sum(part.sizes["sample"] for part in found) < count and (more := next(parts, None)) is not None:
        found.append(more)
    return concatenate(found).isel(sample=slice(count))


def concatenate(parts: Iterable[xr.Dataset]) -> xr.Dataset:
    """Concatenate results of batches along `sample`; arrays without that axis must agree."""
    return xr.concat(list(parts), "sample", data_vars="minimal", coords="minimal", compat="equals", join="exact")


def load_sample(files: Iterable[str | Path], seed: int) -> xr.Dataset:
    """Read the sample of a seed.

    Raises:
        ArtifactError: no file holds that seed.
    """
    paths = list(files)
    for file in paths:
        data = artifacts.load(file)
        found = (data["seed"].values == seed).nonzero()[0]
        if len(found):
            return data.isel(sample=int(found[0])).load()
    raise artifacts.ArtifactError(f"no sample has the seed {seed} in {', '.join(map(str, paths))}")
