"""Fig. 12-14: the Gaussian solution beside the sampler, in images and in errors."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts, shards
from underpainting.plotting import style, validation
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(eigenbasis: str, gaussian: str, files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Pair what the sampler made with what the Gaussian made, and draw both."""
    count = min(config["gallery"], validation.MOST)
    actual = shards.first(files, count)
    seeds, data = actual["seed"].values.tolist(), artifacts.load(gaussian)
    example = seeds.index(config["seed"]) if config["seed"] in seeds else 0
    figure = validation.validation(
        (actual["endpoint"][example].values, data["endpoint"][example].values),
        (actual["state"].isel(step=-1).values, data["image"][: len(seeds)].values),
        seeds,
        data,
        artifacts.load(eigenbasis)["variances"].values,
        config["labels"],
        config["snapshots"],
    )
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        inputs = snakemake.input
        main(
            inputs.eigenbasis,
            inputs.gaussian,
            list(inputs.trajectories),
            list(snakemake.output),
            snakemake.params.config,
        )
