"""Sample one shard of trajectories and keep every state and endpoint estimate."""

from pathlib import Path
from typing import Any

import torch

from underpainting import denoisers, meter
from underpainting.basis import eigenbasis
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.samplers import trajectories
from underpainting.samplers.randomness import seed_batches
from underpainting.theory.gaussian import GaussianDenoiser
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

READ = "weights", "scheduler", "eigenbasis"


def main(
    inputs: dict[str, str], output: str, study: str, seeds: range, config: dict[str, Any], compute: Compute
) -> None:
    """Sample batch by batch; one batch is one chunk of the artifact."""
    denoiser, schedule = denoisers.load_denoiser(Path(inputs["index"]).parent, compute)
    basis: Any = eigenbasis.load(inputs["eigenbasis"]) if "eigenbasis" in inputs else None
    sampler = trajectories.make_sampler(config["sampler"], schedule, basis)
    coloured_by = GaussianDenoiser(basis).state if config["sampler"].get("coloured_start") else None
    shape = denoiser.image_shape
    meter.plan(evaluations=len(seeds) * sampler.calls())
    batches = seed_batches(seeds, config["batch_size"])
    with torch.inference_mode():
        parts = (trajectories.record(sampler, denoiser, batch, shape, coloured_by) for batch in batches)
        provenance = origin(
            study,
            seeds=[seeds.start, seeds.stop],
            model={name: artifacts.digest(inputs[name]) for name in READ if name in inputs},
            sampler=config["sampler"],
        )
        artifacts.save_stream(parts, output, "sample", provenance)


if __name__ == "__main__":
    run(main)
