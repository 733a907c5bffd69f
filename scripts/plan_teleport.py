"""The jump that the planner chooses for each sampler, beside the best of the sweep."""

import json
from pathlib import Path
from typing import Any

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
from underpainting_workflow import plan_table, tables
from underpainting_workflow.runner import run

HEADINGS = {
    "sampler": "Sampler",
    "design": "Design",
    "jump": "Jump",
    "planned": "Planned skip",
    "best": "Best by FD",
    "fd": "FD as planned",
    "best_fd": "Best FD",
    "excess": "Above the best",
    "autoencoder_best": "Best by FD (autoencoder)",
    "autoencoder_excess": "Above it",
    "network_best": "Best by RMSE to network",
    "network_excess": "Above that",
    "jump_loss": "Lost by the jump, nats",
    "step_loss": "Lost by the steps, nats",
    "cost": "Cost of the plan",
}
FORMATS = {
    "FD as planned": "{:.3f}",
    "Best FD": "{:.3f}",
    "Above the best": "{:+.2%}",
    "Best by FD (autoencoder)": "{:.0f}",
    "Best by FD": "{:.0f}",
    "Best by RMSE to network": "{:.0f}",
    "Above it": "{:+.2%}",
    "Above that": "{:+.2%}",
    "Lost by the jump, nats": "{:+.3f}",
    "Lost by the steps, nats": "{:.3f}",
    "Cost of the plan": "{:.3%}",
}


def shortfalls_of(file: str) -> dict[str, planner.Shortfall]:
    """The measured shortfalls by jump."""
    data = artifacts.load(file)
    ratio = data["ratio"].values
    return {
        str(name): planner.Shortfall(ratio, data["excess"].values[place])
        for place, name in enumerate(data["jump"].values)
    }


def walk_of(design: str, sampler: str, skip: int, scheduler: str, choices: dict[str, Any]) -> tuple[Sampler, int]:
    """The sampler of a row of the sweep, and the step at which it begins."""
    settings = json.loads(Path(scheduler).read_text(encoding="utf-8"))
    if design == "truncate":
        return trajectories.make_sampler(choices[sampler], settings), skip
    name, steps = sampler.split("-")
    schedule, start = schedules.schedule_of(settings), hybrid_sampler.start_after(skip)
    return hybrid_sampler.regridded(name, schedule, int(steps), start, **followed(name, settings)), 0


def step_losses(sweep: pd.DataFrame, inputs: dict[str, str], config: dict[str, Any]) -> list[float]:
    """What the steps of each row of the sweep lose, nats."""
    variances = eigenbasis.load(inputs["eigenbasis"]).variances
    rows = list(sweep[["design", "sampler", "skip"]].itertuples(index=False, name=None))
    lost = {}
    with torch.inference_mode():
        for design, sampler, skip in dict.fromkeys(rows):
            walk, begin = walk_of(design, sampler, skip, inputs["scheduler"], config["samplers"])
            lost[design, sampler, skip] = discretisation.loss(variances, walk, begin, config["seen"])
    return [lost[row] for row in rows]


def main(inputs: dict[str, str], csv: str, html: str, config: dict[str, Any]) -> None:
    """A row per sampler of the truncated sweep, and per sampler, budget and jump of the other."""
    sweep, found = pd.read_csv(inputs["sweep"]), shortfalls_of(inputs["shortfall"])
    swept = sweep.assign(step_loss=step_losses(sweep, inputs, config))
    table = plan_table.compare(swept, found, config["wanted"], config["calls"])
    write_text(tables.csv(table), csv)
    note = (
        f"The planner takes the furthest jump that loses no more than {config['wanted']:g} nats per image beyond the least, the "
        "loss of the sampler's steps included. Cost: its network calls over those of the sweep whose best it is compared with."
    )
    write_text(
        tables.page(table.rename(columns=HEADINGS)[list(HEADINGS.values())], "Planned jumps", note, FORMATS), html
    )


if __name__ == "__main__":
    run(main)
