"""Train a small autoencoder on a study's images; its code supplies features that do not depend on labels."""

import logging
from typing import Any

import torch

from underpainting.images.training_images import load_bytes
from underpainting.quality import autoencoder, held_out
from underpainting_workflow.runner import run

log = logging.getLogger(__name__)


def main(dataset: str, output: str, config: dict[str, Any]) -> None:
    """Train, log the variance of held-out images that is reconstructed, save."""
    images = torch.from_numpy(load_bytes(dataset))
    shape = autoencoder.AutoencoderShape(images.shape[1], images.shape[2], config["width"], config["features"])
    held = torch.from_numpy(held_out.held_out_indices(len(images)))
    trained = autoencoder.train(images, held, shape, config["epochs"], config["seed"])
    log.info("share of the variance of images held out that is given back: %.4f", trained.score)
    autoencoder.save(trained, output)


if __name__ == "__main__":
    run(main)
