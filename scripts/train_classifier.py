"""Train a small classifier on a study's labels; its hidden layer supplies features."""

import logging
from typing import TYPE_CHECKING, Any

import torch

from underpainting import artifacts, classifier
from underpainting.datasets import load_bytes
from underpainting.jobs import job, use_threads

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake

log = logging.getLogger(__name__)


def main(dataset: str, output: str, config: dict[str, Any]) -> None:
    """Train, report the accuracy on images held out, save."""
    data = artifacts.load(dataset)
    images, labels = torch.from_numpy(load_bytes(dataset)), torch.from_numpy(data["label"].values)
    classes = len(data.attrs["class_names"])
    shape = classifier.ClassifierShape(images.shape[1], classes, config["width"], config["features"])
    trained = classifier.train(images, labels, shape, config["epochs"], config["seed"])
    log.info("accuracy on images held out: %.4f", trained.accuracy)
    classifier.save(trained, output)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        use_threads(snakemake.threads)
        main(snakemake.input.dataset, snakemake.output[0], snakemake.params.config)
