"""Fig. 25-26: the endpoint estimates of two trajectories, step by step."""

from typing import TYPE_CHECKING, Any

from underpainting.io import shards
from underpainting.plotting import endpoints, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Find the trajectories of the seeds and draw them."""
    estimates = {seed: shards.sample(files, seed)["endpoint"].values for seed in config["seeds"]}
    style.save(endpoints.endpoints(estimates, config["label"]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(list(snakemake.input.trajectories), list(snakemake.output), snakemake.params.config)
