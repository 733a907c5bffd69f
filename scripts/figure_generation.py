"""Fig. 1: one trajectory, watched in three ways and in the plane of its ends."""

from typing import TYPE_CHECKING, Any

from underpainting.io import shards
from underpainting.plotting import generation, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Find the trajectory of the seed and draw it."""
    trajectory = shards.sample(files, config["seed"])
    style.save(generation.generation(trajectory, config["snapshots"]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(list(snakemake.input.trajectories), list(snakemake.output), snakemake.params.config)
