"""Fig. 3: the closed form along the network's own noise schedule."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts
from underpainting.noise.levels import NoiseGrid
from underpainting.plotting import style, theory
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(schedule: str, eigenbasis: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the four functions for the study's range of variances."""
    levels = artifacts.load(schedule)
    grid = NoiseGrid(levels["alpha"].values, levels["sigma"].values)
    figure = theory.theory(grid, artifacts.load(eigenbasis)["variances"].values)
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        inputs = snakemake.input
        main(inputs.schedule, inputs.eigenbasis, list(snakemake.output), snakemake.params.config)
