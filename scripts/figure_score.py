"""How much of the network's score each theory explains."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts
from underpainting.plotting import score, style
from underpainting_workflow.claims import paper
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake

PRINTED_FOR = "ddpm-cifar10-32"


def main(file: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the fractions; the authors' beside them for the model of which they print some."""
    printed = paper.SCORE_EXPLAINED if config["paper"] == PRINTED_FOR else {}
    style.save(score.score(artifacts.load(file), config["labels"], printed), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.score, list(snakemake.output), snakemake.params.config)
