"""Compare trainings with and without a Gaussian: a row per network, and a page with a row per form and number of steps."""

import json
from pathlib import Path

import pandas as pd

from underpainting.io.writing import write_text
from underpainting.teleport import sweep
from underpainting_workflow import equal_training_steps, tables
from underpainting_workflow.runner import run

COLUMNS = ["form", "seed", "steps", "fd", "fd_low", "fd_high", "floor", "loss", "n"]
NOTE = (
    "Means over trainings from several seeds, and the range of the Frechet distance over them. Ratio to plain training: "
    "geometric mean of the ratios of distances with the same seed and number of steps, and their range; below 1 the form is "
    "better. Floor: the distance of as many real images; values below it are not better."
)
FORMATS = {"fd": "{:.3g}", "fd_min": "{:.3g}", "fd_max": "{:.3g}", "floor": "{:.3g}", "loss": "{:.4f}"}
RATIOS = {"ratio": "{:.2f}", "ratio_min": "{:.2f}", "ratio_max": "{:.2f}"}


def main(inputs: list[str], csv: str, html: str, extractor: str) -> None:
    """Make the rows, write CSV and HTML."""
    table = pd.DataFrame([row for file in inputs for row in json.loads(Path(file).read_text(encoding="utf-8"))])[
        COLUMNS
    ]
    write_text(tables.csv(table), csv)
    distance = sweep.distance_name(extractor)
    headings = {
        "form": "Form",
        "steps": "Training steps",
        "fd": distance,
        "fd_min": "min",
        "fd_max": "max",
        "floor": "Floor",
        "loss": "Loss",
        "ratio": "Ratio to plain training",
        "ratio_min": "min ratio",
        "ratio_max": "max ratio",
        "trainings": "Trainings",
    }
    shown = equal_training_steps.summary(table)[list(headings)].rename(columns=headings)
    formats = {headings[name]: form for name, form in (FORMATS | RATIOS).items()}
    write_text(tables.page(shown, "Training with and without a Gaussian", NOTE, formats), html)


if __name__ == "__main__":
    run(main)
