"""Estimate mean and covariance of a study's images, and of each class if requested."""

from typing import Any

import numpy as np
import xarray as xr

from underpainting.basis import moments
from underpainting.io import artifacts
from underpainting.io.artifacts import array
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


def spread(covariance: np.ndarray[Any, Any], *before: str) -> tuple[str, ...]:
    """Return the axes of a covariance, or of variances if only these are kept."""
    pixels = ("pixel", "pixel_other") if covariance.ndim - len(before) == 2 else ("pixel",)
    return (*before, *pixels)


def of_whole(result: moments.Moments) -> dict[str, xr.DataArray]:
    """Convert the moments of all images to labelled arrays."""
    covariance = result.covariance()
    name = "variance" if result.diagonal else "covariance"
    return {
        "count": array(result.count, (), "number of images"),
        "mean": array(result.mean, "pixel", "mean image, flattened"),
        name: array(covariance, spread(covariance), f"{name} of the images"),
        "total_variance": array(result.total_variance, (), "trace of the covariance"),
    }


def of_classes(results: list[moments.Moments]) -> dict[str, xr.DataArray]:
    """Convert the moments of each class to labelled arrays."""
    covariance = np.stack([result.covariance() for result in results])
    name = "class_variance" if results[0].diagonal else "class_covariance"
    return {
        "class_count": array([result.count for result in results], "class", "number of images of each class"),
        "class_mean": array(
            np.stack([result.mean for result in results]), ("class", "pixel"), "mean image of each class"
        ),
        name: array(covariance, spread(covariance, "class"), f"{name} of the images of each class"),
    }


def main(dataset: str, output: str, study: str, per_class: bool, batch_size: int, diagonal: bool) -> None:
    """Read the images once, batch by batch, write the moments."""
    data = artifacts.load(dataset)
    images = artifacts.require_range(data["images"], dataset)
    pixels = int(np.prod(images.shape[1:]))
    batch_size = artifacts.at_once(pixels, batch_size)
    arrays: dict[str, xr.DataArray] = {}
    if per_class:
        batches = zip(artifacts.batches(images, batch_size), artifacts.batches(data["label"], batch_size), strict=True)
        classes = moments.moments_by_class(batches, pixels, len(data.attrs["class_names"]), diagonal=diagonal)
        total = moments.Moments.empty(pixels, diagonal=diagonal)
        for one in classes:
            total.merge(one)
        arrays |= of_classes(classes)
    else:
        total = moments.moments_of_batches(artifacts.batches(images, batch_size), pixels, diagonal=diagonal)
    arrays |= of_whole(total)
    attributes = {"image_shape": list(images.shape[1:]), "range": list(artifacts.IMAGE_RANGE)}
    provenance = origin(study, data=artifacts.digest(dataset))
    artifacts.save(xr.Dataset(arrays, attrs=attributes), output, provenance)


if __name__ == "__main__":
    run(main)
