"""When components emerge, measured and predicted."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts
from underpainting.plotting import emergence, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(file: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw slopes and noise levels of the headline sampler."""
    style.save(emergence.emergence(artifacts.load(file)), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.emergence, list(snakemake.output), snakemake.params.config)
