"""The training loss of a study's own network."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts
from underpainting.plotting import style, training
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(losses: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the curve."""
    style.save(training.loss(artifacts.load(losses)["loss"].values), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.losses, list(snakemake.output), snakemake.params.config)
