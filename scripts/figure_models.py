"""Fig. 4 D: errors of the Gaussian, the mixture and the point cloud."""

from typing import TYPE_CHECKING, Any

from underpainting.io import artifacts
from underpainting.plotting import models, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the errors, a line per model; `files` in the order of the models' labels."""
    names = [name for name in config["labels"] if name != "network"]
    errors = {name: artifacts.load(file) for name, file in zip(names, files, strict=True)}
    style.save(models.by_model(errors, config["labels"]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(list(snakemake.input.models), list(snakemake.output), snakemake.params.config)
