"""Measure how far each jump moves the network's own images, by solving the flow from its end as finely as from noise."""

from collections.abc import Iterator
from itertools import islice
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
from underpainting.io.artifacts import array
from underpainting.noise import schedules
from underpainting.noise.levels import NoiseLevel
from underpainting.quality import reference_solution
from underpainting.samplers import registry, trajectories
from underpainting.samplers.randomness import initial_noise
from underpainting.teleport import hybrid_sampler, jumps
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


class Start(NamedTuple):
    """The states after a jump, and the network's own images from the same noise.

    `sampler` is empty, `skipped_steps` 0 for the design "re-grid", which jumps alike for every sampler; `skipped_percent` is 0
    for "truncate".
    """

    sampler: str
    jump: str
    skipped_steps: int
    skipped_percent: int
    steps: int
    states: Tensor
    level: NoiseLevel
    images: list[int]


def truncated(basis: eigenbasis.Eigenbasis, seeds: list[int], settings: Any, config: dict[str, Any]) -> Iterator[Start]:
    """Yield the states after the Gaussian's jump on the samplers' own grids."""
    jump, noise = jumps.GaussianJump(basis), initial_noise(seeds, basis.image_shape)
    for name, skipped, steps in config["truncated"]:
        sampler = trajectories.make_sampler(config["samplers"][name], settings)
        states = hybrid_sampler.state_at_step(jump, sampler, noise, skipped)
        yield Start(name, "gaussian", skipped, 0, steps, states, sampler.grid[skipped], list(range(len(seeds))))


def regridded(files: Iterator[str], seeds: list[int], config: dict[str, Any]) -> Iterator[Start]:
    """Yield the states after the jumps of the sweep at low NFE, from its files."""
    for jump, count, every in config["landed"]:
        shards = [artifacts.load(file) for file in islice(files, count)]
        chosen = [np.isin(shard["seed"].values, seeds) for shard in shards]
        states = np.concatenate([shard["state"].values[part] for shard, part in zip(shards, chosen, strict=True)])
        found = np.concatenate([shard["seed"].values[part] for shard, part in zip(shards, chosen, strict=True)])
        images = [seeds.index(seed) for seed in found.tolist()]
        for place, (percent, steps) in enumerate(every):
            level = NoiseLevel(*(float(shards[0][name][place]) for name in ("alpha", "sigma")))
            yield Start("", jump, 0, percent, steps, torch.from_numpy(states[:, place]), level, images)


def solved(denoiser: denoisers.Denoiser, schedule: schedules.Schedule, starts: list[Start], own: Tensor) -> xr.Dataset:
    """Return squared differences from the network's own images, for each start."""
    errors = np.full((len(starts), len(own)), np.nan)
    for place, start in enumerate(starts):
        images = reference_solution.solve(denoiser, schedule, start.states, start.level, start.steps)
        errors[place, start.images] = reference_solution.squared_errors(images, own[start.images])
    text = "squared difference from the network's own images, mean over pixels"
    names = {
        "sampler": "sampler on whose grid it landed, if any",
        "jump": "jump",
        "skipped_steps": "steps of that sampler that the jump replaces",
        "skipped_percent": "per cent of the network's time that is skipped, if it landed on no sampler's grid",
    }
    columns = {name: np.array([getattr(start, name) for start in starts]) for name in names}
    return xr.Dataset(
        {
            "squared_error": array(errors, ("start", "sample"), text, missing="seeds that were not swept"),
            **{name: array(values, "start", names[name]) for name, values in columns.items()},
        }
    )


def main(
    inputs: dict[str, str], landed: list[str], output: str, study: str, config: dict[str, Any], compute: Compute
) -> None:
    """Solve from every start, write the squared differences."""
    denoiser, settings = denoisers.load_denoiser(Path(inputs["index"]).parent, compute)
    own, basis = artifacts.load(inputs["solution"]), eigenbasis.load(inputs["eigenbasis"])
    seeds = own["seed"].values.tolist()
    starts = [*truncated(basis, seeds, settings, config), *regridded(iter(landed), seeds, config)]
    calls = [len(start.states) * registry.calls(reference_solution.SAMPLER, start.steps) for start in starts]
    meter.plan(evaluations=sum(calls))
    with torch.inference_mode():
        schedule = schedules.load_schedule(inputs["scheduler"])
        result = solved(denoiser, schedule, starts, torch.from_numpy(own["images"].values))
    result = result.assign(seed=own["seed"].load())
    artifacts.save(result, output, origin(study, config=config, network=artifacts.digest(inputs["weights"])))


if __name__ == "__main__":
    run(main)
