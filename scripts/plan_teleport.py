"""Choose a length for each jump and sampler without generating images, and compare it with the best of the sweep."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from underpainting.basis import eigenbasis
from underpainting.io import artifacts
from underpainting.io.writing import write_text
from underpainting.noise import schedules
from underpainting.samplers import trajectories
from underpainting.samplers.schedulers import followed
from underpainting.samplers.walk import Sampler
from underpainting.teleport import discretisation, hybrid_sampler, planner
from underpainting.teleport.sweep import jump_lengths
from underpainting_workflow import plan_table, tables
from underpainting_workflow.runner import run

HEADINGS = {
    "sampler": "Sampler",
    "design": "Design",
    "grid": "Grid",
    "jump": "Jump",
    "planned": "Planned jump",
    "best": "Best by FD",
    "fd": "Planned FD",
    "best_fd": "Best FD",
    "excess": "FD above the best",
    "autoencoder_best": "Best by FD (autoencoder)",
    "autoencoder_excess": "FD (autoencoder) above the best",
    "network_best": "Best by RMSE to network",
    "network_excess": "RMSE above the best",
    "jump_loss": "Loss by the jump, nats",
    "step_loss": "Loss by the steps, nats",
    "cost": "Relative cost of the plan",
}
FORMATS = {
    "Planned FD": "{:.3f}",
    "Best FD": "{:.3f}",
    "FD above the best": "{:+.2%}",
    "Best by FD (autoencoder)": "{:.0f}",
    "Best by FD": "{:.0f}",
    "Best by RMSE to network": "{:.0f}",
    "FD (autoencoder) above the best": "{:+.2%}",
    "RMSE above the best": "{:+.2%}",
    "Loss by the jump, nats": "{:+.3f}",
    "Loss by the steps, nats": "{:.3f}",
    "Relative cost of the plan": "{:.3%}",
}


class Place(NamedTuple):
    """Where a row of the sweep samples: its sampler, its grid (of the design regrid), and how far it jumps."""

    design: str
    sampler: str
    grid: str
    length: int


def shortfalls_of(file: str) -> dict[str, planner.Shortfall]:
    """Read the measured shortfalls, by jump."""
    data = artifacts.load(file)
    ratio = data["ratio"].values
    return {
        str(name): planner.Shortfall(ratio, data["excess"].values[place])
        for place, name in enumerate(data["jump"].values)
    }


def walk_of(row: Place, scheduler: str, basis: eigenbasis.Eigenbasis, choices: dict[str, Any]) -> tuple[Sampler, int]:
    """Return the sampler of a row of the sweep, and the step at which it begins."""
    settings = json.loads(Path(scheduler).read_text(encoding="utf-8"))
    if row.design == "truncate":
        return trajectories.make_sampler(choices[row.sampler], settings), row.length
    name, steps = row.sampler.split("-")
    schedule, start, options = (
        schedules.schedule_of(settings),
        hybrid_sampler.start_after(row.length),
        followed(name, settings),
    )
    return hybrid_sampler.regridded(name, schedule, int(steps), start, row.grid, basis, **options), 0


def step_losses(sweep: pd.DataFrame, inputs: dict[str, str], config: dict[str, Any]) -> list[float]:
    """Return the loss by the sampler's steps in each row of the sweep, nats."""
    basis = eigenbasis.load(inputs["eigenbasis"])
    places = sweep[["design", "sampler", "grid"]].assign(length=jump_lengths(sweep))
    rows = [Place(*row) for row in places.itertuples(index=False, name=None)]
    lost = {}
    with torch.inference_mode():
        for row in dict.fromkeys(rows):
            walk, begin = walk_of(row, inputs["scheduler"], basis, config["samplers"])
            lost[row] = discretisation.loss(basis.variances, walk, begin, config["seen"])
    return [lost[row] for row in rows]


def main(inputs: dict[str, str], csv: str, html: str, config: dict[str, Any]) -> None:
    """Compare planned and best jumps, a row per sampler and jump of each design; write CSV and HTML."""
    sweep, found = pd.read_csv(inputs["sweep"]).fillna({"grid": ""}), shortfalls_of(inputs["shortfall"])
    swept = sweep.assign(step_loss=step_losses(sweep, inputs, config))
    table = plan_table.compare(swept, found, config["max_loss"], config["calls"])
    write_text(tables.csv(table), csv)
    note = (
        f"The planner chooses the furthest jump that loses at most {config['max_loss']:g} nats per image more than the best one, "
        "including the loss by the sampler's steps. Jumps are in skipped steps for the design truncate, and in % of the "
        "network's time for regrid. Relative cost: its network calls over those of the sweep that it replaces."
    )
    write_text(
        tables.page(table.rename(columns=HEADINGS)[list(HEADINGS.values())], "Planned jumps", note, FORMATS), html
    )


if __name__ == "__main__":
    run(main)
