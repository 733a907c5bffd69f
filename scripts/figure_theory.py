"""Fig. 3: the closed form along the network's own noise schedule."""

from typing import TYPE_CHECKING, Any

from underpainting import artifacts
from underpainting.figures import style, theory
from underpainting.jobs import job
from underpainting.noise import NoiseGrid

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
