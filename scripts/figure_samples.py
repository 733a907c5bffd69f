"""Fig. 4 B: images of a sampler, and what the theories make of the same noise."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts, shards
from underpainting.plotting import comparison, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(files: list[str], models: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the images of the first seeds; `models` are the errors and images of the theories, in the labels' order."""
    count = config["gallery"]
    data = shards.first(files, count)
    states, seeds = data["state"], data["seed"].values.tolist()
    network, *theories = config["labels"].values()
    rows = {network: states.isel(step=-1).values}
    for label, file in zip(theories, models, strict=True):
        rows[label] = artifacts.load(file)["image"][: len(seeds)].values
    style.save(comparison.samples(states.isel(step=0).values, rows, seeds), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        inputs = snakemake.input
        main(list(inputs.trajectories), list(inputs.models), list(snakemake.output), snakemake.params.config)
