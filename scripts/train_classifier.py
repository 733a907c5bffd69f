"""Train a small classifier on a study's labels, or on the clusters of its mixture; its hidden layer supplies features."""

import logging
from typing import Any

import torch

from underpainting.images.training_images import load_bytes
from underpainting.io import artifacts
from underpainting.quality import classifier, held_out
from underpainting_workflow.runner import run

log = logging.getLogger(__name__)


def labelled(dataset: str, clusters: list[str]) -> tuple[torch.Tensor, int]:
    """Return the label of every image and the number of classes, from the data set or, if given, the mixture's modes."""
    if clusters:
        mixture = artifacts.load(clusters[0])
        return torch.from_numpy(mixture["label"].values), mixture.sizes["mode"]
    data = artifacts.load(dataset)
    return torch.from_numpy(data["label"].values), len(data.attrs["class_names"])


def main(dataset: str, clusters: list[str], output: str, config: dict[str, Any]) -> None:
    """Train, log the accuracy on held-out images, save."""
    images = torch.from_numpy(load_bytes(dataset))
    labels, classes = labelled(dataset, clusters)
    shape = classifier.ClassifierShape(images.shape[1], classes, config["width"], config["features"])
    held = torch.from_numpy(held_out.held_out_indices(len(images)))
    trained = classifier.train(images, labels, held, shape, config["epochs"], config["seed"])
    log.info("accuracy on images held out: %.4f", trained.score)
    classifier.save(trained, output)


if __name__ == "__main__":
    run(main)
