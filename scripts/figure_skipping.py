"""Fig. 17: image quality by network calls, when the first steps are skipped."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from underpainting.plotting import skipping, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(table: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the sweep, panels per sampler."""
    style.save(skipping.skipping(pd.read_csv(table), config["labels"]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.table, list(snakemake.output), snakemake.params.config)
