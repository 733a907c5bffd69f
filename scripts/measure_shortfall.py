"""Measure by how much each jump's model denoises training images worse than the network, by noise level."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting import denoisers, meter
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.io.artifacts import array
from underpainting.noise import schedules
from underpainting.teleport import planner, registry
from underpainting.theory import loading
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


def models(inputs: dict[str, str], jumps: dict[str, int | None]) -> dict[str, denoisers.Denoiser]:
    """Return the model behind each jump; the basis of the network's own samples is not available here."""
    kinds = {jump: registry.kind_of(jump) for jump in jumps}
    held = {reads: loading.READERS[reads](inputs[reads]) for reads in {kind.reads for kind in kinds.values()}}
    return {jump: loading.denoiser_of(kind.theory, held[kind.reads], jumps[jump]) for jump, kind in kinds.items()}


def chosen_images(dataset: str, count: int, seed: int) -> torch.Tensor:
    """Select random training images, shape (sample, channel, height, width)."""
    images = artifacts.require_range(artifacts.load(dataset)["images"], dataset)
    drawn = np.random.default_rng(seed).choice(len(images), min(count, len(images)), replace=False)
    return torch.from_numpy(np.stack([images[int(index)].values for index in sorted(drawn)]).astype(np.float32))


def main(inputs: dict[str, str], output: str, study: str, config: dict[str, Any], compute: Compute) -> None:
    """Denoise the same noisy images with the network and every model, write the differences."""
    network, _ = denoisers.load_denoiser(Path(inputs["index"]).parent, compute)
    schedule = schedules.load_schedule(inputs["scheduler"])
    images = chosen_images(inputs["dataset"], config["images"], config["seed"])
    asked = planner.ratios(config["noisiest"], config["least"], config["levels"])
    meter.plan(evaluations=len(images) * len(asked))
    with torch.inference_mode():
        levels = [schedule.at(float(ratio)) for ratio in asked]
        found = planner.shortfalls(models(inputs, config["jumps"]), network, images, levels, config["seed"])
    excess = np.stack([shortfall.excess for shortfall in found.values()])
    arrays = {
        "ratio": array(asked, "level", "noise-to-signal ratio sigma / alpha"),
        "excess": array(
            excess, ("jump", "sample", "level"), "squared error of the jump's model less that of the network"
        ),
        "jump": array(np.array(list(found)), "jump", "model behind a jump"),
    }
    artifacts.save(
        xr.Dataset(arrays), output, origin(study, config=config, network=artifacts.digest(inputs["weights"]))
    )


if __name__ == "__main__":
    run(main)
