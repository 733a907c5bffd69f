"""Image quality at few network calls as a page: a row per sampler and jump, a column per number of calls."""

from typing import Any

import pandas as pd

from underpainting.io.writing import write_text
from underpainting.teleport import sweep
from underpainting_workflow import tables
from underpainting_workflow.runner import run

OTHERS = {"autoencoder_loss": "autoencoder", "network_loss": "RMSE"}


def cell(rows: pd.DataFrame, budget: int | None = None) -> str:
    """A distance, where the jump landed, how many calls it took if these are fewer, the interval, and the other losses."""
    if rows.empty:
        return ""
    row = rows.iloc[0]
    remarks = [f"{row['skip']} %"] if row["skip"] else []
    remarks += [f"NFE {row['nfe']}"] if row["nfe"] != budget else []
    bracket = f" ({', '.join(remarks)})" if remarks else ""
    ends = f"{row['fd_infinite_low']:.3f} to {row['fd_infinite_high']:.3f}"
    others = [
        f"{name} {row[loss]:+.0%}" for loss, name in OTHERS.items() if row["jump"] != "none" and pd.notna(row[loss])
    ]
    at_floor = ", at the floor" if row["fd_infinite"] <= row["floor_infinite"] else ""
    return "\n".join([f"{row['fd_infinite']:.3f}{bracket}{at_floor}", ends, *others])


def line(best: pd.DataFrame, plain: pd.DataFrame, config: dict[str, Any]) -> dict[str, str]:
    """The cells of one sampler and jump; `plain` is its run with many calls, if there is one."""
    cells = {f"NFE {budget}": cell(sweep.within(best, budget), budget) for budget in config["nfe"]}
    return {**cells, "Plain, many calls": cell(plain)}


def main(table: str, output: str, config: dict[str, Any]) -> None:
    """Choose the best skip for each cell, write the page."""
    sweep_rows = pd.read_csv(table)
    found, plain = sweep.best(sweep.few_calls(sweep_rows)), sweep.references(sweep_rows)
    parts = []
    for solver, label in config["solvers"].items():
        lines = []
        for jump, name in config["jumps"].items():
            best = found[(found["solver"] == solver) & (found["jump"] == jump)]
            alone = plain[(plain["solver"] == solver) & (plain["jump"] == jump)]
            lines.append({"Jump": name, **line(best, alone, config)})
        parts.append(tables.Part(label, "", pd.DataFrame(lines), {}))
    distance = sweep.distance_name(str(sweep_rows["extractor"].iloc[0]))
    images, floor = int(found["n"].max()), f"{found['floor'].iloc[0]:.3f}, {found['floor_infinite'].iloc[0]:.3f}"
    note = (
        f"{distance} at infinitely many images with its 95 % interval by resampling seeds; lower is better. Floor, at {images} "
        f"and at infinitely many real images: {floor}; what is below it is not better. In brackets the share of the network's "
        "time that the best jump skips, chosen among those tried by this very distance, and the calls, where a sampler cannot "
        "use all that a column allows. Below: how much larger than without a jump the same distance is in features of an "
        "autoencoder, which know no labels, and the root mean squared difference from the network's own images."
    )
    write_text(tables.pages(parts, "Few network calls", note), output)


if __name__ == "__main__":
    run(main)
