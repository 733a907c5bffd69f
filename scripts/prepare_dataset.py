"""Write a study's images and labels, read from their source, as one artifact."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from pydantic import TypeAdapter

from underpainting.images import datasets
from underpainting.io import artifacts
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run
from underpainting_workflow.studies.data import Dataset, DatasetBase, place_key

log = logging.getLogger(__name__)

BYTES = {"dtype": "uint8", "scale_factor": 2 / 255, "add_offset": -1.0}


def parts(config: DatasetBase, batch_size: int) -> Iterator[xr.Dataset]:
    """Yield the artifact piece by piece: images as bytes that are read as [-1, 1], labels, class names."""
    source = config.open()
    for images, labels in datasets.read_batches(source, config.format, batch_size, config.limit):
        values = images.astype(np.float32) / 127.5 - 1.0
        array = artifacts.image_array(values, ("sample", *artifacts.IMAGE_DIMS), "training images")
        array.encoding = BYTES
        label = artifacts.array(labels, "sample", "class of each image; -1 where there is none")
        attributes = {"class_names": list(source.class_names), **_read(source.values)}
        yield xr.Dataset({"images": array, "label": label}, attrs=attributes)
    if source.values and (remark := source.values.remark()):
        log.warning("%s", remark)


def _read(values: datasets.Values | None) -> dict[str, list[float]]:
    """Return the attributes of a part: the source's range from black to white, and the range of values found so far."""
    if values is None:
        return {}
    return {"value_range": [values.black, values.white], "values_found": [values.least, values.most]}


def main(output: str, study: str, config: dict[str, Any], place: str) -> None:
    """Read the source once, write the artifact."""
    located = {**config, place_key(config["source"]): place} if place else config
    dataset: DatasetBase = TypeAdapter(Dataset).validate_python(located)
    provenance = origin(study, source=config)
    size = artifacts.at_once(dataset.channels * dataset.image_size**2)
    artifacts.save_stream(parts(dataset, size), output, "sample", provenance)


if __name__ == "__main__":
    run(main)
