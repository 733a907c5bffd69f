"""Tabulate the geometry of a study's trajectories as Table 2 of the paper: a row per sampler."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from underpainting.io import artifacts
from underpainting.io.writing import write_text
from underpainting_workflow import tables
from underpainting_workflow.runner import run

NOTE = (
    "Residual: squared error over squared norm, summed over the steps of a trajectory, mean over trajectories; `fraction of "
    "variance` is relative to the variance about the trajectory's mean. Rotation: alpha_t x_0 + sqrt(1 - alpha_t^2) x_T, "
    "as in the caption of Table 2 of Wang & Vastola (2023) (alpha_t x_0 + sigma_t x_T / sqrt(alpha_T^2 + sigma_T^2) on "
    "other paths); `corrected` has weights that account for the image in x_T. Dimension: median number of principal "
    "components that hold 99.9 % of the variance."
)
RESIDUALS = ("top2", "top2_variance", "plane", "rotation_caption", "rotation")


def row(file: str, name: str) -> dict[str, Any]:
    """Return the mean residuals and median dimensions of a sampler's trajectories, under its name."""
    data = artifacts.load(file)
    residuals = {f"residual_{name}": float(data[name].mean()) for name in RESIDUALS}
    dimensions = {
        f"dim_{name}_median": float(np.median(data[f"dim_{name}"].values)) for name in ("state", "difference", "noise")
    }
    return {"sampler": name, **residuals, **dimensions, "n": data.sizes["sample"]}


def main(geometry: list[str], csv: str, html: str, names: list[str] | None = None) -> None:
    """Make the rows, write CSV and HTML; the rows have the names of their files if no others are given."""
    named = names or [Path(file).name.removesuffix(".zarr.zip") for file in geometry]
    table = pd.DataFrame([row(*pair) for pair in zip(geometry, named, strict=True)])
    write_text(tables.csv(table), csv)
    write_text(tables.geometry_page(table, "Trajectory geometry", NOTE), html)


if __name__ == "__main__":
    run(main)
