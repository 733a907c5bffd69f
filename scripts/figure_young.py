"""Samples of young networks, with and without teleport."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from underpainting.plotting import style, young
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(table: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw error and distance by training step."""
    style.save(young.young(pd.read_csv(table), config["label"], config["extractor"]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.table, list(snakemake.output), snakemake.params.config)
