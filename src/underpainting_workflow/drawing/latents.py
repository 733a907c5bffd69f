"""What drawing modules of text-to-image studies share: examples read from artifacts."""

from __future__ import annotations

import numpy as np
import xarray as xr

from underpainting.io import artifacts


def example(file: str, prompt: int, seed: int) -> xr.Dataset:
    """Read the trajectory of a prompt, given by its number, and a seed.

    Raises:
        ArtifactError: the file has no such trajectory.
    """
    data = artifacts.load(file)
    found = np.flatnonzero((data["prompt"].values == prompt) & (data["seed"].values == seed))
    if not len(found):
        raise artifacts.ArtifactError(f"{file}: no trajectory of prompt {prompt} with seed {seed}")
    return data.isel(sample=int(found[0])).load()


def case(file: str, seed: int, component: int) -> xr.DataArray:
    """Read the images of a perturbed trajectory, (step, strength, channel, height, width), with steps and strengths.

    Args:
        file: artifact of images.
        seed: of the trajectory.
        component: direction of the perturbation, from 0; -1 for a random one.
    """
    data = artifacts.load(file)
    found = np.flatnonzero((data["seed"].values == seed) & (data["component"].values == component))
    images = artifacts.require_range(data["image"], file)[int(found[0])]
    return images.assign_coords(strength=data["strength"].values, perturbed_at=("step", data["perturbed_at"].values))
