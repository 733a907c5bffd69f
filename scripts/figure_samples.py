"""Fig. 4 B: images of a sampler and their Gaussian predictions from the same noise."""

from typing import TYPE_CHECKING, Any

import torch

from underpainting import comparison as theory
from underpainting import eigenbasis, shards, trajectories
from underpainting.figures import comparison, style
from underpainting.jobs import job, use_threads

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(basis_file: str, files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Predict the images of the first seeds and draw both."""
    count = config["gallery"]
    data = shards.concatenate(next(shards.batches([file], count)) for file in files).isel(sample=slice(count))
    states = data["state"].values
    ends = trajectories.grid_of(data.isel(step=[0, -1]))
    predicted = theory.predict(eigenbasis.load(basis_file), torch.from_numpy(states[:, 0]), ends).state[:, -1].numpy()
    figure = comparison.samples(states[:, 0], states[:, -1], predicted, data["seed"].values.tolist(), config["label"])
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake.log[0]):
        use_threads(snakemake.threads)
        inputs = snakemake.input
        main(inputs.eigenbasis, list(inputs.trajectories), list(snakemake.output), snakemake.params.config)
