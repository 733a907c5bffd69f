"""Sample trajectories of latents, of every prompt and seed, with one sampler and one scale of guidance."""

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
from underpainting.samplers import trajectories
from underpainting.samplers.walk import Sampler
from underpainting_workflow import prompt_batches
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

READ = "unet", "vae", "text_encoder", "tokenizer", "scheduler"


def sampled(model: LatentModel, sampler: Sampler, guidance: Guidance, config: dict[str, Any]) -> Iterator[xr.Dataset]:
    """Yield the trajectories batch by batch: every seed of the first prompt, then of the next."""
    embeddings = model.embed(config["prompts"])
    for prompts, seeds in prompt_batches.numbers(config):
        denoiser = model.denoiser(embeddings[prompts], guidance)
        batch = trajectories.record(sampler, denoiser, seeds, model.latent_shape)
        yield batch.assign(prompt=artifacts.array(np.array(prompts), "sample", "number of the prompt"))


def main(inputs: dict[str, str], output: str, study: str, config: dict[str, Any], compute: Compute) -> None:
    """Sample batch by batch; one batch is one chunk of the artifact."""
    model = LatentModel.load(Path(inputs["index"]).parent, compute)
    sampler = trajectories.make_sampler(config["sampler"], model.schedule)
    guidance = Guidance(config["guidance"])
    images = len(config["prompts"]) * len(range(*config["seeds"]))
    meter.plan(evaluations=images * sampler.calls() * (2 if config["guidance"] > 1 else 1))
    with torch.inference_mode():
        provenance = origin(study, model={name: artifacts.digest(inputs[name]) for name in READ}, config=config)
        artifacts.save_stream(sampled(model, sampler, guidance, config), output, "sample", provenance)


if __name__ == "__main__":
    run(main)
