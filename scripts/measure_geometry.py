"""Geometry of a sampler's trajectories: residuals and dimensions of Table 2, curves of Fig. 10."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from underpainting import artifacts, shards
from underpainting.artifacts import array
from underpainting.jobs import job
from underpainting.measures import geometry
from underpainting.noise import NoiseGrid
from underpainting.origins import origin

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def flat(values: xr.DataArray) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Trajectories with flattened pixels, shape (sample, step, pixel), float64."""
    return values.values.reshape(*values.shape[:2], -1).astype(np.float64)


def measure(batch: xr.Dataset) -> xr.Dataset:
    """Residuals, explained variance and dimensions of one batch of trajectories."""
    grid = NoiseGrid(batch["alpha"].values, batch["sigma"].values)
    states, endpoints = flat(batch["state"]), flat(batch["endpoint"])
    noise = geometry.noise_predictions(states, endpoints, grid)
    arrays = {
        name: array(values, ("sample", "step")[: values.ndim], f"residual variance: {name}")
        for name, values in geometry.residuals(states, grid)._asdict().items()
    }
    for name, points in {"state": states, "difference": np.diff(states, axis=1), "noise": noise}.items():
        explained = geometry.explained_variance(points)
        arrays[f"explained_{name}"] = array(
            explained, ("sample", f"{name}_component"), f"cumulative explained variance: {name}"
        )
        arrays[f"dim_{name}"] = array(
            geometry.dimension(explained), "sample", f"components for 99.9 % of variance: {name}"
        )
    return xr.Dataset({**arrays, "seed": batch["seed"], "alpha": batch["alpha"], "sigma": batch["sigma"]})


def main(files: list[str], output: str, study: str) -> None:
    """Stream the shards."""
    result = shards.concatenate(measure(batch) for batch in shards.batches(files))
    artifacts.save(result, output, origin(study, shards=[artifacts.digest(file) for file in files]))


if __name__ == "__main__":
    with job(snakemake):
        main(list(snakemake.input.trajectories), snakemake.output[0], snakemake.wildcards.study)
