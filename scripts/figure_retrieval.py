"""Distances of generated images to their nearest training images, and a few pairs."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts, shards
from underpainting.plotting import retrieval, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(dataset: str, file: str, trajectories: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Find the training images that are nearest to the network's first ones, and draw."""
    count = min(config["gallery"], retrieval.MOST)
    actual = shards.first(trajectories, count).isel(step=-1)
    data = artifacts.load(file)
    nearest = artifacts.load(dataset)["images"][data["nearest"][0, : actual.sizes["sample"]].values]
    seeds = actual["seed"].values.tolist()
    figure = retrieval.retrieval(data, actual["state"].values, nearest.values, seeds, config["labels"])
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        inputs = snakemake.input
        main(
            inputs.dataset,
            inputs.retrieval,
            list(inputs.trajectories),
            list(snakemake.output),
            snakemake.params.config,
        )
