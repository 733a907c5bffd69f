"""Fig. 4 F: image quality by number of skipped steps."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from underpainting.plotting import fidelity, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(table: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the sweep, a line per sampler."""
    style.save(fidelity.fidelity(pd.read_csv(table), config["labels"]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.table, list(snakemake.output), snakemake.params.config)
