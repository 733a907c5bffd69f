"""Fig. 4 A: endpoint estimates of a sampler and of the Gaussian solution from the same noise."""

from typing import TYPE_CHECKING, Any

import torch

from underpainting.analysis import comparison as theory
from underpainting.basis import eigenbasis
from underpainting.io import shards
from underpainting.plotting import comparison, style
from underpainting.samplers import trajectories
from underpainting_workflow.jobs import job
from underpainting_workflow.origins import use_threads

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(basis_file: str, files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Predict the trajectory of the seed and draw both."""
    trajectory = shards.sample(files, config["seed"])
    initial = torch.from_numpy(trajectory["state"].values[:1])
    prediction = theory.predict(eigenbasis.load(basis_file), initial, trajectories.grid_of(trajectory))
    actual, predicted = trajectory["endpoint"].values, prediction.endpoint[0].numpy()
    style.save(comparison.endpoint(actual, predicted, config["label"], config["snapshots"]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        use_threads(snakemake.threads)
        inputs = snakemake.input
        main(inputs.eigenbasis, list(inputs.trajectories), list(snakemake.output), snakemake.params.config)
