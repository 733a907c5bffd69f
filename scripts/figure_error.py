"""Fig. 4 C and 12 C-E: how the Gaussian solution departs from the samplers."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts
from underpainting.plotting import errors, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(eigenbasis: str, files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the errors, a line per sampler."""
    samplers = {label: artifacts.load(file) for label, file in zip(config["labels"], files, strict=True)}
    figure = errors.error(samplers, artifacts.load(eigenbasis)["variances"].values)
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        inputs = snakemake.input
        main(inputs.eigenbasis, list(inputs.comparison), list(snakemake.output), snakemake.params.config)
