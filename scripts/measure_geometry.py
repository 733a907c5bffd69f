"""Measure the geometry of a sampler's trajectories: residuals and dimensions of Table 2, curves of Fig. 10, null models.

Trajectories of latents keep their prompts, and their oscillation is measured, too (Fig. 24).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from underpainting.analysis import geometry, trajectory_components
from underpainting.io import artifacts, shards
from underpainting.io.artifacts import array
from underpainting.noise.levels import NoiseGrid
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
TEXTS = {
    "top2": "squared norm outside the top two components over the squared norm",
    "top2_variance": "variance outside the top two components over the variance about the trajectory's mean",
    "plane": "squared norm outside the plane of noise and image over the squared norm",
    "rotation": "squared norm left over by the rotation with the weights corrected for alpha_T, over the squared norm",
    "rotation_caption": "squared norm left over by the rotation of Table 2's caption, over the squared norm",
    "plane_step": "the same as plane, step by step",
    "rotation_step": "the same as rotation, step by step",
    "rotation_peak": "largest squared distance from the rotation over the squared norm of the initial noise",
}
NULL_TEXTS = {
    "top2": "the same as top2, of a random walk with the same step lengths",
    "plane": "the same as plane, with another trajectory's image",
    "rotation": "the same as rotation, of the straight line between the ends in place of the rotation",
    "rotation_peak": "the same as rotation_peak, of the straight line",
    "dim_state": "components for 99.9 % of variance of a random walk with the same step lengths",
    "dim_difference_gap": "components of differences less those of states, of a pure rotation",
    "dim_noise_gap": "components of noise predictions less those of differences, of a pure rotation",
}
OSCILLATION_TEXTS = {
    "oscillation": "von Neumann's ratio of the steps in the plane of noise and image",
    "reversed_path": "fraction of the path in that plane that runs against the net movement",
}


def in_units_of_data(data: xr.Dataset) -> xr.Dataset:
    """Convert states to x_t / alpha_t = x_0 + (sigma_t / alpha_t) noise, as diffusers' Euler and LMS keep them.

    Args:
        data: `state` (sample, step, ...), `alpha` and `sigma` (step), and any other arrays.

    Returns:
        the same dataset with converted states, alpha = 1 and sigma the noise-to-signal ratio; endpoint estimates have no unit
        to convert.
    """
    alpha = data["alpha"]
    with xr.set_options(keep_attrs=True):
        state = (data["state"] / alpha).transpose(*data["state"].dims)
        return data.assign({"state": state, "sigma": data["sigma"] / alpha, "alpha": xr.ones_like(alpha)})


def flat(values: xr.DataArray) -> FloatArray:
    """Flatten the pixels of trajectories, shape (sample, step, pixel), float64."""
    return values.values.reshape(*values.shape[:2], -1).astype(np.float64)


def measure(batch: xr.Dataset, before: FloatArray) -> xr.Dataset:
    """Measure residuals, explained variance and dimensions of a batch of trajectories, and of the null models.

    Args:
        batch: of a sampler.
        before: image of the trajectory before the batch, shape (1, pixel); each trajectory is paired with the one before it.
    """
    grid = NoiseGrid(batch["alpha"].values, batch["sigma"].values)
    states, endpoints = flat(batch["state"]), flat(batch["endpoint"])
    noise = geometry.noise_predictions(states, endpoints, grid)
    arrays = {
        name: array(values, ("sample", "step")[: values.ndim], TEXTS[name])
        for name, values in geometry.residuals(states, grid)._asdict().items()
    }
    for name, points in {"state": states, "difference": np.diff(states, axis=1), "noise": noise}.items():
        explained = geometry.explained_variance(points)
        arrays[f"explained_{name}"] = array(
            explained, ("sample", f"{name}_component"), f"cumulative explained variance: {name}"
        )
        arrays[f"dim_{name}"] = array(
            geometry.components_needed(explained), "sample", f"components for 99.9 % of variance: {name}"
        )
    others = np.concatenate([before, states[:-1, -1]])
    for name, values in geometry.null_residuals(states, others, grid, batch["seed"].values.tolist())._asdict().items():
        arrays[f"null_{name}"] = array(values, "sample", NULL_TEXTS[name])
    if "prompt" in batch:
        arrays |= {"prompt": batch["prompt"], **oscillations(states)}
    return xr.Dataset({**arrays, "seed": batch["seed"], "alpha": batch["alpha"], "sigma": batch["sigma"]})


def oscillations(states: FloatArray) -> dict[str, xr.DataArray]:
    """Measure how much trajectories oscillate."""
    return {
        name: array(np.array([getattr(trajectory_components, name)(one) for one in states]), "sample", text)
        for name, text in OSCILLATION_TEXTS.items()
    }


def unchanged(data: xr.Dataset) -> xr.Dataset:
    """Return trajectories in the units that they have."""
    return data


def measured(files: list[str], of_data: bool) -> Iterator[xr.Dataset]:
    """Measure batch by batch; the null model of the plane pairs the very first trajectory with the very last one."""
    convert = in_units_of_data if of_data else unchanged
    last = artifacts.load(files[-1])[["state", "alpha", "sigma"]].isel(sample=[-1])
    before = flat(convert(last)["state"])[:, -1]
    for batch in map(convert, shards.batches(files)):
        yield measure(batch, before)
        before = flat(batch["state"][-1:])[:, -1]


def main(trajectories: list[str], output: str, study: str, of_data: bool | None = None) -> None:
    """Process the shards, write the result.

    Args:
        of_data: whether states are measured in units of the data, x_t / alpha_t; not given for x_t.
    """
    digests = [artifacts.digest(file) for file in trajectories]
    artifacts.save(shards.concatenate(measured(trajectories, bool(of_data))), output, origin(study, shards=digests))


if __name__ == "__main__":
    run(main)
