"""Compute the states of one shard of seeds after a jump, at every level at which the study lets it end."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting.io import artifacts
from underpainting.io.artifacts import IMAGE_DIMS, array
from underpainting.noise import schedules
from underpainting.samplers.randomness import initial_noise, seed_batches
from underpainting.teleport import hybrid_sampler, jumps
from underpainting.teleport.registry import JUMPS
from underpainting.theory import loading
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


def landed(
    jump: jumps.Jump, schedule: schedules.Schedule, seeds: list[int], shape: Sequence[int], percents: Sequence[int]
) -> xr.Dataset:
    """Return the states of a batch of seeds at every level."""
    noise = initial_noise(seeds, shape)
    starts = [hybrid_sampler.start_after(percent) for percent in percents]
    states = torch.stack([hybrid_sampler.state_at_time(jump, schedule, noise, start) for start in starts], 1)
    levels = np.array([schedule.level(start) for start in starts])
    return xr.Dataset(
        {
            "state": array(states.numpy(), ("sample", "skipped_percent", *IMAGE_DIMS), "state after the jump"),
            "seed": array(np.asarray(seeds, np.int64), "sample", "seed of the initial noise"),
            "alpha": array(levels[:, 0], "skipped_percent", "signal scale after the jump"),
            "sigma": array(levels[:, 1], "skipped_percent", "noise scale after the jump"),
            "skipped_percent": array(
                np.asarray(percents, np.int64),
                "skipped_percent",
                "share of the network's time that is skipped",
                "percent",
            ),
        }
    )


def main(
    inputs: dict[str, str], samples: list[str], output: str, study: str, seeds: range, config: dict[str, Any]
) -> None:
    """Jump batch by batch, write the states."""
    kind = JUMPS[config["name"]]
    model = loading.READERS[kind.reads](samples or inputs[kind.reads])
    jump = jumps.of_theory(loading.denoiser_of(kind.theory, model, config.get("rank")))
    schedule = schedules.load_schedule(inputs["scheduler"])
    provenance = origin(study, seeds=[seeds.start, seeds.stop], jump=config)
    parts = (
        landed(jump, schedule, batch, model.image_shape, config["skipped_percent"])
        for batch in seed_batches(seeds, config["batch_size"])
    )
    artifacts.save_stream(parts, output, "sample", provenance)


if __name__ == "__main__":
    run(main)
