"""Sample one shard of images at low NFE from the states after a jump, and keep their features."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from underpainting import denoisers, meter
from underpainting.basis import eigenbasis
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.io.artifacts import IMAGE_DIMS, array
from underpainting.noise import schedules
from underpainting.noise.grid_names import TIME
from underpainting.quality import fidelity, reference_solution
from underpainting.quality.extractors import Extractor, Extractors
from underpainting.samplers.randomness import initial_noise, seed_batches
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.schedulers import followed
from underpainting.samplers.walk import Sampler, sample
from underpainting.teleport import hybrid_sampler
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

SHOWN = 16


class Batch(NamedTuple):
    """Seeds, and their states at each level, shape (sample, skipped_percent, channel, height, width)."""

    seeds: list[int]
    states: Tensor


def starting(landed: list[str], sampler: Sampler, seeds: range, shape: tuple[int, ...], size: int) -> Iterator[Batch]:
    """Yield the states at which sampling starts, batch by batch: noise without a jump."""
    states = artifacts.load(landed[0])["state"] if landed else None
    for number, batch in enumerate(seed_batches(seeds, size)):
        if states is None:
            yield Batch(batch, sampler.start(initial_noise(batch, shape))[:, None])
        else:
            yield Batch(batch, torch.from_numpy(states[number * size : number * size + len(batch)].values))


def generated(
    batches: Iterable[Batch],
    samplers: list[Sampler],
    denoiser: denoisers.Denoiser,
    extractors: dict[str, Extractor],
    own: dict[int, Tensor],
) -> Iterator[xr.Dataset]:
    """Return features, NFE and errors of each batch, level by level, and the first images."""
    for seeds, states in batches:
        images, calls, errors = [], [], []
        for start, sampler in enumerate(samplers):
            counting = denoisers.CountingDenoiser(denoiser)
            with torch.inference_mode():
                final = sample(sampler, counting, states[:, start], seeds=seeds)
            images.append(fidelity.to_bytes(final))
            calls.append(counting.calls)
            errors.append(from_network(seeds, final, own))
        yield described(seeds, images, calls, errors, extractors)


def described(
    seeds: list[int],
    images: list[Tensor],
    calls: list[int],
    errors: list[np.ndarray[Any, Any]],
    extractors: dict[str, Extractor],
) -> xr.Dataset:
    """Return what is stored of a batch whose images, calls and errors are listed by level."""
    features = {
        name: array(
            np.stack([fidelity.extract_features(extractor, part) for part in images], 1),
            ("sample", "skipped_percent", name.replace("features", "feature")),
            f"images: {name}",
        )
        for name, extractor in extractors.items()
    }
    arrays = {
        "squared_error": array(
            np.stack(errors, 1),
            ("sample", "skipped_percent"),
            "squared difference from the network's own images, mean over pixels",
            missing="seeds for which these were not solved",
        ),
        "nfe": array(np.array(calls), "skipped_percent", "network calls per image"),
        "seed": array(np.asarray(seeds, np.int64), "sample", "seed of the initial noise"),
        "shown": array(
            torch.stack(images)[:, :SHOWN].numpy(), ("skipped_percent", "shown_sample", *IMAGE_DIMS), "first images"
        ),
    }
    return xr.Dataset({**features, **arrays})


def from_network(seeds: list[int], images: Tensor, own: dict[int, Tensor]) -> np.ndarray[Any, Any]:
    """Return squared differences from the network's own images, shape (sample,); NaN for seeds without one."""
    errors = np.full(len(seeds), np.nan)
    known = [place for place, seed in enumerate(seeds) if seed in own]
    if known:
        errors[known] = reference_solution.squared_errors(
            images[known], torch.stack([own[seeds[place]] for place in known])
        )
    return errors


def solved(file: str) -> dict[int, Tensor]:
    """Read the network's own images, by seed."""
    data = artifacts.load(file)
    return dict(zip(data["seed"].values.tolist(), torch.from_numpy(data["images"].values), strict=True))


def with_levels(data: xr.Dataset, samplers: list[Sampler], percents: list[int]) -> xr.Dataset:
    """Add the levels at which sampling started to the features; a relative sampler starts with noise, too."""
    levels = np.array([sampler.origin or sampler.grid[0] for sampler in samplers])
    return data.assign(
        skipped_percent=array(
            np.array(percents), "skipped_percent", "share of the network's time that is skipped", "percent"
        ),
        alpha=array(levels[:, 0], "skipped_percent", "signal scale at the start"),
        sigma=array(levels[:, 1], "skipped_percent", "noise scale at the start"),
    )


def main(
    inputs: dict[str, str],
    landed: list[str],
    output: str,
    study: str,
    seeds: range,
    sampler_name: str,
    steps: int,
    config: dict[str, Any],
    compute: Compute,
) -> None:
    """Sample batch by batch from every level; one batch is one chunk of the artifact."""
    denoiser, scheduler = denoisers.load_denoiser(Path(inputs["index"]).parent, compute)
    schedule = schedules.load_schedule(inputs["scheduler"])
    extractors = Extractors(config["extractor"], inputs.get("extractor"), inputs["autoencoder"]).load()
    own = {} if SAMPLERS[sampler_name].stochastic else solved(inputs["solution"])
    starts = [hybrid_sampler.start_after(percent) for percent in config["skipped_percent"]]
    basis = eigenbasis.load(inputs["eigenbasis"]) if "eigenbasis" in inputs else None
    grid, settings = config.get("grid", TIME), followed(sampler_name, scheduler)
    walks = [
        hybrid_sampler.regridded(sampler_name, schedule, steps, start, grid, basis, **settings) for start in starts
    ]
    meter.plan(evaluations=len(seeds) * sum(sampler.calls() for sampler in walks))
    batches = starting(landed, walks[0], seeds, denoiser.image_shape, config["batch_size"])
    parts = list(generated(batches, walks, denoiser, extractors, own))
    data = xr.concat(parts, "sample", data_vars="minimal", coords="minimal", compat="override")
    run_config = {"sampler": sampler_name, **config, "steps": steps}
    network = artifacts.digest(inputs["weights"])
    provenance = origin(study, seeds=[seeds.start, seeds.stop], config=run_config, network=network)
    artifacts.save(with_levels(data, walks, config["skipped_percent"]), output, provenance)


if __name__ == "__main__":
    run(main)
