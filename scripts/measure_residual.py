"""Measure the networks of one form of training and one seed: loss on held-out draws, and Frechet distance of their images."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from underpainting import denoisers, meter
from underpainting.denoisers.compute import Compute
from underpainting.images.training_images import load_bytes
from underpainting.io.writing import write_json
from underpainting.quality import distances, fidelity, frechet
from underpainting.quality.extractors import Extractor, make_extractor
from underpainting.samplers import trajectories
from underpainting.samplers.randomness import initial_noise, seed_batches
from underpainting.samplers.walk import Sampler, sample
from underpainting.training.trainer import Recipe, held_out_loss
from underpainting_workflow.runner import run


def features(
    denoiser: denoisers.NetworkDenoiser, sampler: Sampler, extractor: Extractor, config: dict[str, Any]
) -> np.ndarray[Any, Any]:
    """Return features of the images of the first seeds, shape (sample, feature)."""
    parts = []
    seeds = range(config["first_seed"], config["first_seed"] + config["images"])
    with torch.inference_mode():
        for batch in seed_batches(seeds, config["batch_size"]):
            final = sample(sampler, denoiser, initial_noise(batch, denoiser.image_shape), seeds=batch)
            parts.append(fidelity.extract_features(extractor, fidelity.to_bytes(final)))
    return np.concatenate(parts)


def main(
    inputs: dict[str, list[str]], output: str, form: str, seed: int, config: dict[str, Any], compute: Compute
) -> None:
    """Measure a row per network, the shortest training first."""
    found = [denoisers.load_denoiser(Path(index).parent, compute) for index in inputs["index"]]
    samplers = [trajectories.make_sampler(config["sampler"], schedule) for _, schedule in found]
    meter.plan(evaluations=config["images"] * sum(sampler.calls() for sampler in samplers))
    extractor = make_extractor(config["extractor"], inputs["extractor"][0] if inputs["extractor"] else None)
    real = distances.load_references(inputs["real"][0])[""]
    floor = real.floor(config["images"]).at_n
    images = torch.from_numpy(load_bytes(inputs["dataset"][0]))
    rows = []
    for steps, (denoiser, schedule), sampler in zip(config["training_steps"], found, samplers, strict=True):
        loss = held_out_loss(denoiser.network, images, schedule, Recipe(**config["training"]))
        measured = frechet.bootstrap(features(denoiser, sampler, extractor, config), real.moments, config["resamples"])
        low, high = measured.interval()
        distance = {"fd": measured.estimate, "fd_low": low, "fd_high": high, "floor": floor}
        rows.append({"form": form, "seed": seed, "steps": steps, **distance, "loss": loss, "n": config["images"]})
    write_json(rows, output)


if __name__ == "__main__":
    run(main)
