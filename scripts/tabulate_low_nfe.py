"""Tabulate image quality at low NFE as a page: a row per sampler and jump, a column per number of network calls."""

from typing import Any

import pandas as pd

from underpainting.io.writing import write_text
from underpainting.noise.grid_names import TIME
from underpainting.teleport import sweep
from underpainting_workflow import tables
from underpainting_workflow.runner import run

OTHERS = {"autoencoder_loss": "autoencoder", "network_loss": "RMSE"}

ON_OTHERS = " The grid is the best of those tried, too, and named in the brackets unless it is the network's time."


def cell(rows: pd.DataFrame, nfe: int | None = None) -> str:
    """Format a distance with the skipped percentage, its NFE if lower than the column's, its interval and the other losses."""
    if rows.empty:
        return ""
    row = rows.iloc[0]
    remarks = [f"{row['skipped_percent']} %"] if row["skipped_percent"] else []
    remarks += [row["grid"]] if row["grid"] != TIME else []
    remarks += [f"NFE {row['nfe']}"] if row["nfe"] != nfe else []
    bracket = f" ({', '.join(remarks)})" if remarks else ""
    ends = f"{row['fd_infinite_low']:.3f} to {row['fd_infinite_high']:.3f}"
    others = [
        f"{name} {row[loss]:+.0%}" for loss, name in OTHERS.items() if row["jump"] != "none" and pd.notna(row[loss])
    ]
    at_floor = ", at the floor" if row["fd_infinite"] <= row["floor_infinite"] else ""
    return "\n".join([f"{row['fd_infinite']:.3f}{bracket}{at_floor}", ends, *others])


def line(best: pd.DataFrame, plain: pd.DataFrame, config: dict[str, Any]) -> dict[str, str]:
    """Format the cells of one sampler and jump; `plain` is its run with many calls and no jump, if any."""
    cells = {f"NFE {nfe}": cell(sweep.within(best, nfe), nfe) for nfe in config["nfe"]}
    return {**cells, "No jump, many calls": cell(plain)}


def main(table: str, output: str, config: dict[str, Any]) -> None:
    """Select the best jump for each cell, write the page."""
    sweep_rows = pd.read_csv(table)
    found, plain = sweep.best(sweep.regridded(sweep_rows)), sweep.references(sweep_rows)
    parts = []
    for sampler_name, label in config["samplers"].items():
        lines = []
        for jump, name in config["jumps"].items():
            best = found[(found["sampler_name"] == sampler_name) & (found["jump"] == jump)]
            alone = plain[(plain["sampler_name"] == sampler_name) & (plain["jump"] == jump)]
            lines.append({"Jump": name, **line(best, alone, config)})
        parts.append(tables.Part(label, "", pd.DataFrame(lines), {}))
    distance = sweep.distance_name(str(sweep_rows["extractor"].iloc[0]))
    images, floor = int(found["n"].max()), f"{found['floor'].iloc[0]:.3f}, {found['floor_infinite'].iloc[0]:.3f}"
    note = (
        f"{distance}, extrapolated to infinitely many images, with its 95 % interval by resampling seeds; lower is better. "
        f"Floor, at {images} and at infinitely many real images: {floor}; values below it are not better. In brackets the "
        "share of the network's time that the best jump skips, selected by this distance among those tried, and the NFE, "
        "where a sampler cannot use all that a column allows. Below: the relative increase, over the sampler without a "
        "jump, of the same distance in the features of an autoencoder, which is trained without labels, and of the root "
        "mean squared difference (RMSE) from the network's own images."
    )
    on_others = ON_OTHERS if (found["grid"] != TIME).any() else ""
    write_text(tables.pages(parts, "Image quality at low NFE", note + on_others), output)


if __name__ == "__main__":
    run(main)
