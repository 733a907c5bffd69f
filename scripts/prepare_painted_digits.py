"""Write painted digits and their attributes, made from grey digits, as one artifact."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from underpainting.images import datasets, painted_digits
from underpainting.images.painted_digits import PaintedDigits
from underpainting.io import artifacts
from underpainting_workflow.decoded import byte_images
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


def grey_digits(config: dict[str, Any], place: str) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Read grey digits, shape (sample, side, side), and their labels."""
    source = datasets.digits() if config["digits"] == "sklearn" else datasets.torchvision_images("MNIST", place)
    items = list(islice(source, config["limit"]))
    return np.stack([np.asarray(item.pixels) for item in items]), np.array([item.label for item in items])


def is_left_out(attributes: NDArray[np.integer], combinations: list[dict[str, str | None]]) -> NDArray[np.int8]:
    """Return 1 for images that show one of the combinations of attributes, else 0, shape (sample,)."""
    found = np.zeros(len(attributes), bool)
    for combination in combinations:
        said = {name: word for name, word in combination.items() if word is not None}
        found |= painted_digits.has_combination(attributes, said)
    return found.astype(np.int8)


def parts(painted: PaintedDigits, left_out: NDArray[np.int8]) -> Iterator[xr.Dataset]:
    """Yield the artifact piece by piece: images as bytes that are read as [-1, 1], and attributes."""
    size = artifacts.at_once(painted.images[0].size)
    for start in range(0, len(painted.images), size):
        images, attributes, marks = (array[start : start + size] for array in (*painted, left_out))
        values = images.astype(np.float32) / 127.5 - 1.0
        word = "number of the word of each attribute; -1 for none"
        arrays = {
            "images": byte_images(values, ["sample"], "painted digits"),
            "attributes": artifacts.array(attributes, ("sample", "attribute"), word),
            "left_out": artifacts.array(marks, "sample", "1 if the text-to-image model is not trained on the image"),
        }
        yield xr.Dataset(arrays, attrs={"words": json.dumps(painted_digits.WORDS)})


def main(output: str, study: str, config: dict[str, Any], place: str) -> None:
    """Read the grey digits, paint them, write the artifact."""
    painted = painted_digits.paint(*grey_digits(config, place), config["seed"])
    left_out = is_left_out(painted.attributes, config["left_out"])
    artifacts.save_stream(parts(painted, left_out), output, "sample", origin(study, source=config))


if __name__ == "__main__":
    run(main)
