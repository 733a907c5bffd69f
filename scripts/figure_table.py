"""Fig. 16: sampler and theories from the same noise, in images and in errors."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts, shards
from underpainting.plotting import models, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(
    dataset: str,
    retrieval: str,
    trajectories: list[str],
    files: list[str],
    outputs: list[str],
    config: dict[str, Any],
) -> None:
    """Gather endpoint estimates and images of the first seeds; `files` in the order of the models' labels."""
    count = min(config["gallery"], models.ROOM)
    actual = shards.first(trajectories, count)
    names = [name for name in config["labels"] if name != "network"]
    theories = {name: artifacts.load(file) for name, file in zip(names, files, strict=True)}
    seeds = actual["seed"].values.tolist()
    example = seeds.index(config["seed"]) if config["seed"] in seeds else 0
    endpoints = {"network": actual["endpoint"][example].values}
    finals = {"network": actual["state"].isel(step=-1).values}
    for name, data in theories.items():
        endpoints[name], finals[name] = data["endpoint"][example].values, data["image"][: len(seeds)].values
    nearest = artifacts.load(retrieval)["nearest"][0, : len(seeds)].values
    finals["nearest"] = artifacts.load(dataset)["images"][nearest].values
    labels = {**config["labels"], "nearest": "nearest, in training"}
    figure = models.table(endpoints, finals, seeds, theories, labels, config["snapshots"])
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        inputs = snakemake.input
        main(
            inputs.dataset,
            inputs.retrieval,
            list(inputs.trajectories),
            list(inputs.models),
            list(snakemake.output),
            snakemake.params.config,
        )
