"""How much of the network's score each theory explains."""

from typing import TYPE_CHECKING, Any

from underpainting import artifacts
from underpainting.figures import score, style
from underpainting.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(file: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the fractions; the authors' beside them for the model of which they print some."""
    figure = score.score(artifacts.load(file), config["labels"], score.PRINTED.get(config["paper"], {}))
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake.log[0]):
        main(snakemake.input.score, list(snakemake.output), snakemake.params.config)
