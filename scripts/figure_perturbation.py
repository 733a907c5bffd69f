"""Fig. 22 B: gains of perturbations, measured and predicted."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts
from underpainting.plotting import perturbation, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(file: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the gains of the headline sampler."""
    style.save(perturbation.perturbation(artifacts.load(file).load(), config["label"]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.perturbation, list(snakemake.output), snakemake.params.config)
