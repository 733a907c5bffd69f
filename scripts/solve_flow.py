"""Solve the probability flow of the network in many small steps, from the noise of the sweep's first seeds."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting import denoisers, meter
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.io.artifacts import IMAGE_DIMS, array, image_array
from underpainting.noise import schedules
from underpainting.quality import reference_solution
from underpainting.samplers import registry
from underpainting.samplers.randomness import initial_noise, seed_batches
from underpainting.teleport import hybrid_sampler
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


def main(inputs: dict[str, str], output: str, study: str, config: dict[str, Any], compute: Compute) -> None:
    """Solve batch by batch; one batch is one chunk of the artifact."""
    denoiser, _ = denoisers.load_denoiser(Path(inputs["index"]).parent, compute)
    schedule, seeds, steps = schedules.load_schedule(inputs["scheduler"]), range(*config["seeds"]), config["steps"]
    meter.plan(evaluations=len(seeds) * registry.calls(reference_solution.SAMPLER, steps))
    first = schedule.level(1.0)

    def solved(batch: list[int]) -> xr.Dataset:
        noise = hybrid_sampler.state_at_time(None, schedule, initial_noise(batch, denoiser.image_shape), 1.0)
        images = reference_solution.solve(denoiser, schedule, noise, first, steps)
        return xr.Dataset(
            {
                "images": image_array(images.numpy(), ("sample", *IMAGE_DIMS), "the network's own images"),
                "seed": array(np.asarray(batch, np.int64), "sample", "seed of the initial noise"),
            }
        )

    provenance = origin(study, config=config, network=artifacts.digest(inputs["weights"]))
    with torch.inference_mode():
        parts = (solved(batch) for batch in seed_batches(seeds, config["batch_size"]))
        artifacts.save_stream(parts, output, "sample", provenance)


if __name__ == "__main__":
    run(main)
