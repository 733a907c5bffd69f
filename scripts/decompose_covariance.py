"""Decompose a study's covariance into eigenvectors: dense, through the Gram matrix, or randomized."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from underpainting.basis import eigenbasis
from underpainting.io import artifacts
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


def flat_batches(images: xr.DataArray, largest: int = 2**29) -> Iterator[NDArray[np.floating[Any]]]:
    """Yield flattened images in their stored type, at most 1,024 and `largest` bytes at a time."""
    size = min(1024, max(1, largest // max(images[:1].nbytes, 1)))
    return (batch.reshape(len(batch), -1) for batch in artifacts.batches(images, size))


def all_images(images: xr.DataArray) -> NDArray[np.float64]:
    """Read every image, flattened, in float64."""
    flat = np.empty((len(images), int(np.prod(images.shape[1:]))))
    start = 0
    for batch in flat_batches(images):
        flat[start : start + len(batch)] = batch
        start += len(batch)
    return flat


def decompose(images: xr.DataArray, moments: xr.Dataset, config: dict[str, Any]) -> eigenbasis.Eigenbasis:
    """Compute the basis by the method that the study selects."""
    shape = tuple(images.shape[1:])
    if config["method"] == "dense":
        return eigenbasis.dense(moments["mean"].values, moments["covariance"].values, shape)
    if config["method"] == "gram":
        return eigenbasis.gram(all_images(images), shape, config["rank"])
    return eigenbasis.randomized(
        lambda: flat_batches(images),
        moments["mean"].values,
        float(moments["total_variance"]),
        int(moments["count"]),
        shape,
        config["rank"],
        seed=config["seed"],
    )


def main(dataset: str, moments: str, output: str, study: str, config: dict[str, Any]) -> None:
    """Decompose, truncate, write."""
    images = artifacts.require_range(artifacts.load(dataset)["images"], dataset)
    basis = decompose(images, artifacts.load(moments), config)
    basis = eigenbasis.truncate(basis, rank=config["rank"], explained_variance=config["explained_variance"])
    eigenbasis.save(basis, output, origin(study, data=artifacts.digest(dataset), config=config))


if __name__ == "__main__":
    run(main)
