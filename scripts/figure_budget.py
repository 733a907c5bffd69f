"""Image quality at few network calls, with and without each kind of jump."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from underpainting.plotting import budget, style
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(table: str, outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the sweep over few network calls, a panel per sampler."""
    names = budget.Names(config["solvers"], config["jumps"])
    style.save(budget.budget(pd.read_csv(table), names), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        main(snakemake.input.table, list(snakemake.output), snakemake.params.config)
