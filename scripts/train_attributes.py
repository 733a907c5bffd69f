"""Train the classifier of a study's attributes; it measures agreement with prompts and supplies features."""

import json
import logging
from typing import Any

import torch

from underpainting.images.training_images import load_bytes
from underpainting.io import artifacts
from underpainting.quality import attributes, held_out
from underpainting_workflow.runner import run

log = logging.getLogger(__name__)


def main(dataset: str, output: str, config: dict[str, Any]) -> None:
    """Train, log the accuracy on held-out images, save."""
    images, data = torch.from_numpy(load_bytes(dataset)), artifacts.load(dataset)
    words = {name: len(known) for name, known in json.loads(data.attrs["words"]).items()}
    shape = attributes.AttributeShape(
        images.shape[1], images.shape[2], words, width=config["width"], features=config["features"]
    )
    held = torch.from_numpy(held_out.held_out_indices(len(images)))
    labels = torch.from_numpy(data["attributes"].values)
    trained = attributes.train(images, labels, held, shape, config["epochs"], config["seed"])
    for name, accuracy in trained.accuracy.items():
        log.info("accuracy of %s on images held out: %.4f", name, accuracy)
    attributes.save(trained, output)


if __name__ == "__main__":
    run(main)
