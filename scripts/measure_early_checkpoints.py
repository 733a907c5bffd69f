"""Measure samples of early checkpoints of a network, with and without teleport."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from underpainting import denoisers, meter
from underpainting.basis import eigenbasis
from underpainting.denoisers.compute import Compute
from underpainting.io import tensor_files
from underpainting.io.writing import write_text
from underpainting.quality import distances, fidelity
from underpainting.quality.extractors import make_extractor
from underpainting.samplers import trajectories
from underpainting.samplers.randomness import initial_noise, seed_batches
from underpainting.samplers.walk import Sampler, last
from underpainting.teleport import hybrid_sampler, jumps
from underpainting.training import checkpoints
from underpainting_workflow import tables
from underpainting_workflow.runner import run


def networks(snapshots: str, trained: dict[str, torch.Tensor], steps: int) -> dict[int, dict[str, torch.Tensor]]:
    """Return the weights by training step, the earliest first, those of the trained network last."""
    early, _ = tensor_files.read(snapshots)
    found = sorted({int(key.split("/", 1)[0]) for key in early} - {steps})
    return {**{step: checkpoints.unflatten(str(step), early) for step in found}, steps: trained}


def generate(
    basis: eigenbasis.Eigenbasis,
    sampler: Sampler,
    denoiser: denoisers.Denoiser,
    skipped_steps: int,
    config: dict[str, Any],
) -> torch.Tensor:
    """Generate images of the first seeds after a jump, as bytes, shape (sample, channel, height, width)."""
    seeds = range(config["first_seed"], config["first_seed"] + config["seeds"])
    parts = []
    for batch in seed_batches(seeds, config["batch_size"]):
        noise = initial_noise(batch, basis.image_shape)
        final = last(hybrid_sampler.walk(jumps.GaussianJump(basis), sampler, denoiser, noise, skipped_steps, batch))
        parts.append(fidelity.to_bytes(final.state))
    return torch.cat(parts)


def mean_square(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the mean squared difference of byte images, in image units ([-1, 1])."""
    return float(((first.double() - second.double()) / 127.5).square().mean())


def main(inputs: dict[str, str], output: str, config: dict[str, Any], compute: Compute) -> None:
    """Measure a row per checkpoint and number of skipped steps; errors: from the trained network's images, same noise."""
    denoiser, schedule = denoisers.load_denoiser(Path(inputs["index"]).parent, compute)
    basis = eigenbasis.load(inputs["eigenbasis"])
    sampler = trajectories.make_sampler(config["sampler"], schedule)
    tried = (0, max(1, int(config["skipped_fraction"] * sampler.steps)))
    extractor = make_extractor(config["extractor"], inputs.get("extractor"))
    real = distances.load_references(inputs["real"])[""]
    floor = real.floor(config["seeds"]).at_n
    trained = {key: value.clone() for key, value in denoiser.network.state_dict().items()}
    found = networks(inputs["snapshots"], trained, config["training_steps"])
    walks = [0, *(skipped for _ in found for skipped in tried)]
    meter.plan(evaluations=config["seeds"] * sum(sampler.calls(skipped) for skipped in walks))
    rows = []
    with torch.inference_mode():
        target = generate(basis, sampler, denoiser, 0, config)
        for step, weights in found.items():
            denoiser.network.load_state_dict(weights)
            for skipped in tried:
                images = generate(basis, sampler, denoiser, skipped, config)
                distance = fidelity.frechet_distance(fidelity.extract_features(extractor, images), real.features)
                error = mean_square(images, target)
                rows.append(
                    {
                        "training_step": step,
                        "skipped_steps": skipped,
                        "error": error,
                        "fd": distance,
                        "floor": floor,
                        "n": len(images),
                    }
                )
    write_text(tables.csv(pd.DataFrame(rows)), output)


if __name__ == "__main__":
    run(main)
