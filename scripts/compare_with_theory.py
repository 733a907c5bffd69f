"""Errors of the Gaussian theory along a sampler's trajectories."""

from typing import TYPE_CHECKING

import torch
import xarray as xr

from underpainting import artifacts, comparison, eigenbasis, shards, trajectories
from underpainting.artifacts import array
from underpainting.jobs import job, origin, use_threads

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def compare(basis: eigenbasis.Eigenbasis, batch: xr.Dataset) -> xr.Dataset:
    """The errors of one batch of trajectories."""
    states, endpoints = torch.from_numpy(batch["state"].values), torch.from_numpy(batch["endpoint"].values)
    prediction = comparison.predict(basis, states[:, 0], trajectories.grid_of(batch))
    errors = comparison.errors(basis, prediction, states, endpoints)
    return xr.Dataset(
        {
            "state_error": array(
                errors.state.numpy(), ("sample", "step"), "squared error of the state, mean over pixels"
            ),
            "endpoint_error": array(
                errors.endpoint.numpy(), ("sample", "step"), "squared error of the endpoint estimate, mean over pixels"
            ),
            "component_error": array(
                errors.component.numpy(),
                ("sample", "component"),
                "squared error of the final image along each component",
            ),
            "seed": batch["seed"],
            "alpha": batch["alpha"],
            "sigma": batch["sigma"],
        }
    )


def main(basis_file: str, files: list[str], output: str, study: str) -> None:
    """Stream the shards."""
    basis = eigenbasis.load(basis_file)
    result = shards.concatenate(compare(basis, batch) for batch in shards.batches(files))
    provenance = origin(
        study, eigenbasis=artifacts.digest(basis_file), shards=[artifacts.digest(file) for file in files]
    )
    artifacts.save(result, output, provenance)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        use_threads(snakemake.threads)
        inputs = snakemake.input
        main(inputs.eigenbasis, list(inputs.trajectories), snakemake.output[0], snakemake.wildcards.study)
