"""Tabulate Table 2 over all selected studies: a row per study and sampler, and the paper's rows."""

from pathlib import Path
from typing import Any

import pandas as pd

from underpainting.io.writing import write_text
from underpainting_workflow import tables
from underpainting_workflow.claims.paper import LATENT, TABLE_2
from underpainting_workflow.runner import run

NOTE = (
    "Residual: squared error over squared norm, mean over trajectories; dimension: median number of principal components for "
    "99.9 % of the variance. Rows marked (paper) are printed in Table 2 of Wang & Vastola (2023), for its own networks and 51 "
    "times; they fill the columns that its caption defines (it does not say how dimensions are averaged)."
)


def of_paper(model: str) -> dict[str, Any]:
    """Return a row of the paper's table."""
    printed = {**TABLE_2, **LATENT}[model]
    columns = {"top2": "top2", "plane": "plane", "rotation": "rotation_caption"}
    residuals = {f"residual_{column}": getattr(printed, name) for name, column in columns.items()}
    dimensions = {f"{name}_median": getattr(printed, name) for name in ("dim_state", "dim_difference", "dim_noise")}
    return {
        "study": f"{model} (paper)",
        "sampler": "pndm" if model in LATENT else "ddim",
        **residuals,
        **dimensions,
        "n": None,
    }


def gather(files: dict[str, str], models: dict[str, str | None]) -> pd.DataFrame:
    """Collect the rows of every study, each followed by its model's in the paper, then the paper's other rows."""
    parts = []
    for study, file in files.items():
        parts.append(pd.read_csv(file).assign(study=study))
        if (model := models[study]) is not None:
            parts.append(pd.DataFrame([of_paper(model)]))
    others = [of_paper(model) for model in TABLE_2 if model not in models.values()]
    return pd.concat([*parts, pd.DataFrame(others)] if others else parts, ignore_index=True)[list(tables.GEOMETRY)]


def main(inputs: list[str], csv: str, html: str, models: dict[str, str | None]) -> None:
    """Collect the rows, write CSV and HTML."""
    table = gather({Path(file).parent.name: file for file in inputs}, models)
    table["n"] = table["n"].astype("Int64")
    write_text(tables.csv(table), csv)
    texts = ["study", "sampler", "n"]
    shown = table.assign(**{name: table[name].astype(object).where(table[name].notna(), "") for name in texts})
    write_text(tables.geometry_page(shown, "Trajectory geometry of all studies (Table 2)", NOTE), html)


if __name__ == "__main__":
    run(main)
