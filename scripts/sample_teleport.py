"""Sample one shard of images after the first steps are skipped with the closed form."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting import denoisers, meter
from underpainting.basis import eigenbasis
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.io.artifacts import IMAGE_DIMS, array, image_array
from underpainting.samplers import trajectories
from underpainting.samplers.randomness import initial_noise, seed_batches
from underpainting.samplers.walk import Sampler, last
from underpainting.teleport import hybrid_sampler
from underpainting.teleport.jumps import Jump
from underpainting.theory.gaussian import GaussianDenoiser
from underpainting.theory.isotropic import IsotropicDenoiser
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

# of the sweep and of its null model
JUMPS: dict[str, type[GaussianDenoiser | IsotropicDenoiser]] = {
    "gaussian": GaussianDenoiser,
    "isotropic": IsotropicDenoiser,
}


def hybrid(
    jump: Jump,
    shape: tuple[int, ...],
    sampler: Sampler,
    denoiser: denoisers.Denoiser,
    seeds: list[int],
    skipped_steps: int,
) -> xr.Dataset:
    """Generate the images of a batch of seeds, and return them with the NFE of each."""
    counting, noise = denoisers.CountingDenoiser(denoiser), initial_noise(seeds, shape)
    image = last(hybrid_sampler.walk(jump, sampler, counting, noise, skipped_steps, seeds)).state
    level = sampler.grid[skipped_steps]
    return xr.Dataset(
        {
            "images": image_array(image.clamp(-1, 1).numpy(), ("sample", *IMAGE_DIMS), "generated images"),
            "seed": array(np.asarray(seeds, np.int64), "sample", "seed of the initial noise"),
            "nfe": array(counting.calls, (), "network calls per image"),
            "alpha": array(level.alpha, (), "signal scale after the jump"),
            "sigma": array(level.sigma, (), "noise scale after the jump"),
        }
    )


def main(
    inputs: dict[str, str],
    output: str,
    study: str,
    seeds: range,
    skipped_steps: int,
    config: dict[str, Any],
    compute: Compute,
) -> None:
    """Sample batch by batch; one batch is one chunk of the artifact."""
    denoiser, schedule = denoisers.load_denoiser(Path(inputs["index"]).parent, compute)
    basis = eigenbasis.load(inputs["eigenbasis"])
    jump = JUMPS[config["jump"]](basis).state
    sampler = trajectories.make_sampler(config["sampler"], schedule)
    digests = {name: artifacts.digest(inputs[name]) for name in ("weights", "scheduler", "eigenbasis")}
    meter.plan(evaluations=len(seeds) * sampler.calls(skipped_steps))
    provenance = origin(
        study,
        seeds=[seeds.start, seeds.stop],
        sampler=config["sampler"],
        jump=config["jump"],
        skipped_steps=skipped_steps,
        **digests,
    )
    with torch.inference_mode():
        batches = seed_batches(seeds, config["batch_size"])
        parts = (hybrid(jump, basis.image_shape, sampler, denoiser, batch, skipped_steps) for batch in batches)
        artifacts.save_stream(parts, output, "sample", provenance)


if __name__ == "__main__":
    run(main)
