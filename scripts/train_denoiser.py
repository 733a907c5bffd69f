"""Train a study's denoiser and save it as a diffusers pipeline folder; resume from a checkpoint after an interruption."""

from pathlib import Path
from typing import Any

import torch

from underpainting import denoisers
from underpainting.basis import eigenbasis
from underpainting.denoisers import residual
from underpainting.denoisers.compute import Compute, pick_device
from underpainting.images.training_images import load_bytes
from underpainting.io import artifacts
from underpainting.training import checkpoints, objectives
from underpainting.training.trainer import Recipe, Trainer, make_unet
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import Job, run
from underpainting_workflow.training_runs import loss_curve, run_digest


def make_network(shape: tuple[int, ...], schedule: Any, config: dict[str, Any], basis: str | None) -> torch.nn.Module:
    """Make the untrained network, with a Gaussian if the study requests it."""
    torch.manual_seed(config["training"]["seed"])
    network = make_unet(shape, **config["architecture"])
    if basis is None:
        return network
    return residual.ResidualNetwork.untrained(network, eigenbasis.load(basis), schedule, config["training"]["residual"])


def main(
    inputs: dict[str, str],
    outputs: dict[str, str],
    study: str,
    config: dict[str, Any],
    device: str,
    checkpoint_seconds: float,
    job: Job,
) -> None:
    """Train, then write network, schedule and losses; remove the checkpoint once they are written."""
    images = torch.from_numpy(load_bytes(inputs["dataset"]))
    recipe = Recipe(**config["training"])
    schedule = objectives.make_schedule(recipe.prediction_type, config.get("schedule", {}), config.get("edm", {}))
    network = make_network(tuple(images.shape[1:]), schedule, config, inputs.get("eigenbasis"))
    run_name = run_digest(job, pick_device(device))
    trainer = Trainer(network, images, schedule, recipe, pick_device(device))
    checkpoint = Path(outputs["losses"]).with_name("training.checkpoint.safetensors")
    with Compute().calling(trainer.device):
        losses = trainer.run(checkpoint, run_name, checkpoint_seconds)
    denoisers.save_pipeline(trainer.network, schedule, Path(outputs["index"]).parent)
    provenance = origin(study, data=artifacts.digest(inputs["dataset"]), config=config)
    denoisers.save_schedule(schedule, outputs["schedule"], provenance)
    artifacts.save(loss_curve(losses), outputs["losses"], provenance)
    checkpoints.write(outputs["snapshots"], trainer.snapshots, run_name)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)
