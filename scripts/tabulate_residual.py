"""Trainings with and without a Gaussian: a row per network, and a page with what they have in common."""

import json
from pathlib import Path

import pandas as pd

from underpainting.io.writing import write_text
from underpainting.teleport import sweep
from underpainting_workflow import equal_budgets, tables
from underpainting_workflow.runner import run

COLUMNS = ["form", "seed", "steps", "fd", "fd_low", "fd_high", "floor", "loss", "n"]
NOTE = (
    "Mean over trainings from several seeds, and the range of the Frechet distance among them. Against plain training: "
    "geometric mean of the ratios of the distances from the same seed and budget, and their range; below 1 the form is ahead. "
    "Floor: the distance of as many real images; what is below it is not better."
)
FORMATS = {"fd": "{:.3g}", "fd_least": "{:.3g}", "fd_most": "{:.3g}", "floor": "{:.3g}", "loss": "{:.4f}"}
RATIOS = {"ratio": "{:.2f}", "ratio_least": "{:.2f}", "ratio_most": "{:.2f}"}


def main(inputs: list[str], csv: str, html: str, extractor: str) -> None:
    """Gather the rows, write both forms."""
    table = pd.DataFrame([row for file in inputs for row in json.loads(Path(file).read_text(encoding="utf-8"))])[
        COLUMNS
    ]
    write_text(tables.csv(table), csv)
    distance = sweep.distance_name(extractor)
    headings = {
        "form": "Form",
        "steps": "Training steps",
        "fd": distance,
        "fd_least": "least",
        "fd_most": "most",
        "floor": "Floor",
        "loss": "Loss",
        "ratio": "Against plain",
        "ratio_least": "least ratio",
        "ratio_most": "most ratio",
        "trainings": "Trainings",
    }
    shown = equal_budgets.summary(table)[list(headings)].rename(columns=headings)
    formats = {headings[name]: form for name, form in (FORMATS | RATIOS).items()}
    write_text(tables.page(shown, "Training on a Gaussian", NOTE, formats), html)


if __name__ == "__main__":
    run(main)
