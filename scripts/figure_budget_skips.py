"""Where a jump should land, at few network calls."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from underpainting.plotting import budget, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(table: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the distance by skip."""
    names = budget.Names(config["solvers"], config["jumps"])
    style.save(budget.skips(pd.read_csv(table), names), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.table, list(snakemake.output), snakemake.params.config)
