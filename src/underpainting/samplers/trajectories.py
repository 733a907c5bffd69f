"""Trajectories as datasets: every state and endpoint estimate of a sampler's walk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import Denoiser
from underpainting.io.artifacts import IMAGE_DIMS, array
from underpainting.noise.levels import NoiseGrid
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.walk import Flow, Sampler

TRAJECTORY_DIMS = ("sample", "step", *IMAGE_DIMS)


def make_sampler(choice: Mapping[str, Any], schedule: Any, basis: Eigenbasis | None = None) -> Sampler:
    """Create the sampler that a study chose, on a network's noise schedule.

    Args:
        choice: `name`, `steps` and, if not the default, `timestep_spacing` and `clip_sample`.
        schedule: the network's diffusers scheduler.
        basis: of the data; a relative sampler needs it.
    """
    options = {key: choice[key] for key in ("timestep_spacing", "clip_sample") if choice.get(key)}
    return Sampler(choice["name"], choice["steps"], schedule, basis, **options)


def as_run(schedule: Any, choice: Mapping[str, Any]) -> Any:
    """Return a network's scheduler set as a study's DDIM, so that diffusers' DDIMPipeline makes the same images.

    Args:
        schedule: the network's diffusers scheduler; one that is not DDIM's stays as it is.
        choice: of the sampler's `timestep_spacing` and `clip_sample` those that are not the default.
    """
    if type(schedule).__name__ != SAMPLERS["ddim"].scheduler:
        return schedule
    usual = {"timestep_spacing": "leading", "clip_sample": False, "thresholding": False, "set_alpha_to_one": True}
    return type(schedule).from_config(schedule.config, **{**usual, **choice})


def record(
    sampler: Sampler,
    denoiser: Denoiser,
    seeds: Sequence[int],
    shape: Sequence[int],
    coloured_by: Flow | None = None,
) -> xr.Dataset:
    """Run the complete walk of a batch of seeds and return it as a dataset.

    Args:
        sampler: with N steps.
        denoiser: of images of `shape`.
        seeds: one per image.
        shape: (channel, height, width).
        coloured_by: as for `Sampler.start`.

    Returns:
        `state` and `endpoint` with axes sample, step (0 to N), channel, height, width; `alpha`, `sigma` per step; `seed`.
    """
    noise = initial_noise(seeds, shape)
    steps = list(sampler.walk(denoiser, sampler.start(noise, coloured_by)))
    states = torch.stack([step.state for step in steps], 1).numpy()
    endpoints = torch.stack([step.endpoint for step in steps], 1).numpy()
    return xr.Dataset(
        {
            "state": array(states, TRAJECTORY_DIMS, "state x_t"),
            "endpoint": array(endpoints, TRAJECTORY_DIMS, "endpoint estimate x0_hat"),
            "seed": array(np.asarray(seeds, np.int64), "sample", "seed of the initial noise"),
            "alpha": array(sampler.grid.alpha, "step", "signal scale"),
            "sigma": array(sampler.grid.sigma, "step", "noise scale"),
        }
    )


def grid_of(data: xr.Dataset) -> NoiseGrid:
    """Return the noise levels of a dataset with `alpha` and `sigma` per step."""
    return NoiseGrid(data["alpha"].values, data["sigma"].values)
