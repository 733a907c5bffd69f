"""Fig. 10: how flat the trajectories are, and how near to a rotation."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts
from underpainting.plotting import geometry, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Draw all samplers, the headline sampler first."""
    samplers = {label: artifacts.load(file) for label, file in zip(config["labels"], files, strict=True)}
    style.save(geometry.shape(samplers), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(list(snakemake.input.geometry), list(snakemake.output), snakemake.params.config)
