"""Train a study's denoiser and save it as a diffusers pipeline folder; goes on from a checkpoint after a kill."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import xarray as xr

from underpainting import artifacts, checkpoints, denoisers, objectives, training
from underpainting.compute import Compute, pick_device
from underpainting.jobs import job
from underpainting.origins import origin, use_threads, versions
from underpainting.training_images import load_bytes

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def run_digest(dataset: str, config: dict[str, Any], code: str, threads: int) -> str:
    """What determines a training, so that a checkpoint of another one is never taken."""
    device = str(pick_device(config["device"]))
    parts = {"data": artifacts.digest(dataset), "config": config, "code": code, "threads": threads}
    parts |= {"device": device, "versions": versions()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def main(dataset: str, output: dict[str, str], study: str, config: dict[str, Any], run: str, seconds: float) -> None:
    """Train, then write network, schedule and losses; the checkpoint goes when all of them are safe."""
    images = torch.from_numpy(load_bytes(dataset))
    recipe = training.Recipe(**config["training"])
    schedule = objectives.make_schedule(recipe.prediction_type, config.get("schedule", {}), config.get("edm", {}))
    torch.manual_seed(recipe.seed)
    network = training.make_unet(tuple(images.shape[1:]), **config["architecture"])
    trainer = training.Trainer(network, images, schedule, recipe, pick_device(config["device"]))
    checkpoint = Path(output["losses"]).with_name("training.checkpoint.safetensors")
    with Compute().calling(trainer.device):
        losses = trainer.run(checkpoint, run, seconds)
    denoisers.save_pipeline(trainer.network, schedule, Path(output["index"]).parent)
    provenance = origin(study, data=artifacts.digest(dataset), config=config)
    denoisers.save_schedule(schedule, output["schedule"], provenance)
    curve = xr.Dataset({"loss": artifacts.array(losses, "step", "training loss: mean squared error per value")})
    artifacts.save(curve, output["losses"], provenance)
    checkpoints.write(output["snapshots"], trainer.snapshots, run)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    with job(snakemake):
        use_threads(snakemake.threads)
        inputs, parameters = snakemake.input, snakemake.params
        main(
            inputs.dataset,
            dict(snakemake.output.items()),
            snakemake.wildcards.study,
            parameters.config,
            run_digest(inputs.dataset, parameters.config, parameters.code, snakemake.threads),
            snakemake.resources.checkpoint_seconds,
        )
