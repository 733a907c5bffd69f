"""Table 2 for a study: one row per sampler."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from underpainting import artifacts, tables
from underpainting.jobs import job
from underpainting.writing import write_text

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake

NOTE = (
    "Residual variance: squared error over squared norm, summed over the steps of a trajectory, mean over trajectories. "
    "Dimension: median number of principal components that hold 99.9 % of the variance. As Table 2 of Wang & Vastola (2023)."
)


def row(file: str) -> dict[str, Any]:
    """One sampler's means over trajectories."""
    data = artifacts.load(file)
    residuals = {f"residual_{name}": float(data[name].mean()) for name in ("top2", "plane", "rotation")}
    dimensions = {
        f"dim_{name}": float(np.median(data[f"dim_{name}"].values)) for name in ("state", "difference", "noise")
    }
    name = Path(file).name.removesuffix(".zarr.zip")
    return {"sampler": name, **residuals, **dimensions, "n": data.sizes["sample"]}


def main(files: list[str], csv: str, html: str) -> None:
    """Gather the rows, write both forms."""
    table = pd.DataFrame([row(file) for file in files])
    write_text(tables.csv(table), csv)
    write_text(tables.geometry_page(table, "Trajectory geometry", NOTE), html)


if __name__ == "__main__":
    with job(snakemake):
        main(list(snakemake.input.geometry), snakemake.output.csv, snakemake.output.html)
