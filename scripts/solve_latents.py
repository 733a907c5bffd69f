"""Solve the network's own flow under every prompt, with the guidance of the sweep, in many steps of Heun's method."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting import meter
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import LatentModel
from underpainting.denoisers.prompted import Guidance
from underpainting.io import artifacts
from underpainting.noise.schedules import karras_grid, schedule_of
from underpainting.samplers.walk import Sampler, sample
from underpainting_workflow import prompt_batches
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

METHOD = "heun"


def solved(model: LatentModel, sampler: Sampler, config: dict[str, Any]) -> Iterator[xr.Dataset]:
    """Yield the latents of each batch, with their prompts and seeds."""
    embeddings = model.embed(config["prompts"])
    for chosen in prompt_batches.numbers(config):
        batch = prompt_batches.batch(model, embeddings, Guidance(config["guidance"]), chosen)
        latents = sample(sampler, batch.denoiser, sampler.start(batch.noise)).cpu().numpy()
        arrays = {
            "latents": artifacts.array(latents, ("sample", *artifacts.IMAGE_DIMS), "the network's own latents"),
            "prompt": artifacts.array(np.array(chosen.prompts), "sample", "number of the prompt"),
            "seed": artifacts.array(np.array(chosen.seeds), "sample", "seed of the initial noise"),
        }
        yield xr.Dataset(arrays)


def main(inputs: dict[str, str], output: str, study: str, config: dict[str, Any], compute: Compute) -> None:
    """Solve, write."""
    model = LatentModel.load(Path(inputs["index"]).parent, compute)
    sampler = Sampler.on(METHOD, karras_grid(schedule_of(model.schedule), config["steps"]))
    images = len(config["prompts"]) * len(range(*config["seeds"]))
    meter.plan(evaluations=images * sampler.calls() * (1 if config["guidance"] == 1 else 2))
    digests = {name: artifacts.digest(inputs[name]) for name in ("unet", "text_encoder", "tokenizer", "scheduler")}
    with torch.inference_mode():
        provenance = origin(study, model=digests, config=config)
        artifacts.save_stream(solved(model, sampler, config), output, "sample", provenance)


if __name__ == "__main__":
    run(main)
