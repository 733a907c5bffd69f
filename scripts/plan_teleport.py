"""The jump that the planner chooses for each sampler, beside the best of the sweep."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from underpainting import artifacts, tables
from underpainting.jobs import job
from underpainting.teleportation import plan_table, planner
from underpainting.writing import write_text

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake

HEADINGS = {
    "sampler": "Sampler",
    "design": "Design",
    "jump": "Jump",
    "planned": "Planned skip",
    "best": "Best skip",
    "fd": "FD as planned",
    "best_fd": "Best FD",
    "excess": "Above the best",
    "cost": "Cost of the plan",
}
FORMATS = {"FD as planned": "{:.3f}", "Best FD": "{:.3f}", "Above the best": "{:+.2%}", "Cost of the plan": "{:.3%}"}


def shortfalls_of(file: str) -> dict[str, planner.Shortfall]:
    """The measured shortfalls by jump."""
    data = artifacts.load(file)
    ratio = data["ratio"].values
    return {
        str(name): planner.Shortfall(ratio, data["excess"].values[place])
        for place, name in enumerate(data["jump"].values)
    }


def main(inputs: dict[str, str], csv: str, html: str, config: dict[str, Any]) -> None:
    """A row per sampler of the truncated sweep, and per sampler, budget and jump of the other."""
    sweep, found = pd.read_csv(inputs["sweep"]), shortfalls_of(inputs["shortfall"])
    table = plan_table.compare(sweep, found, config["wanted"], config["calls"])
    write_text(tables.csv(table), csv)
    note = (
        f"The planner allows a loss of {config['wanted']:g} nats per image, more where steps are few. Cost: its network calls "
        "over those of the sweep whose best it is compared with."
    )
    write_text(
        tables.page(table.rename(columns=HEADINGS)[list(HEADINGS.values())], "Planned jumps", note, FORMATS), html
    )


if __name__ == "__main__":
    with job(snakemake):
        main(dict(snakemake.input.items()), snakemake.output.csv, snakemake.output.html, snakemake.params.config)
