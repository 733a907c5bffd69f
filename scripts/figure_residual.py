"""Image quality against training steps, with and without a Gaussian."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from underpainting.plotting import residual, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(table: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw distance and loss by training steps."""
    style.save(residual.residual(pd.read_csv(table), config["extractor"]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.table, list(snakemake.output), snakemake.params.config)
