"""Train a study's VAE; resume from a checkpoint after an interruption."""

from pathlib import Path
from typing import Any

import torch

from underpainting.denoisers.compute import Compute, pick_device
from underpainting.images.training_images import load_bytes
from underpainting.io import artifacts
from underpainting.training import vae
from underpainting.training.vae import VaeRecipe
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import Job, run
from underpainting_workflow.training_runs import loss_curve, run_digest


def main(dataset: str, outputs: dict[str, str], study: str, config: dict[str, Any], device: str, job: Job) -> None:
    """Train, write VAE and losses; remove the checkpoint once they are written."""
    images, where = torch.from_numpy(load_bytes(dataset)), pick_device(device)
    checkpoint = Path(outputs["vae"]).with_name("vae.checkpoint.safetensors")
    with Compute().calling(where):
        trained, losses = vae.train_vae(images, VaeRecipe(**config["vae"]), checkpoint, run_digest(job, where), where)
    vae.save(trained.cpu(), outputs["vae"])
    provenance = origin(study, data=artifacts.digest(dataset), config=config)
    artifacts.save(loss_curve(losses), outputs["losses"], provenance)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)
