"""Tabulate the errors of each theory against the main sampler, and of the theories against each other, with paired tests."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from underpainting.analysis import statistics
from underpainting.analysis.statistics import Interval
from underpainting.analysis.trajectory_errors import divergence_time, final_error
from underpainting.io import artifacts
from underpainting.io.writing import write_text
from underpainting.theory.theories import THEORIES
from underpainting_workflow import tables
from underpainting_workflow.runner import run

HEADINGS = {
    "quantity": "Quantity",
    "estimate": "Mean",
    "low": "95 % low",
    "high": "95 % high",
    "t_test": "Paired t test",
    "wilcoxon": "Wilcoxon",
    "n": "Seeds",
}
NOTE = (
    "Squared error per pixel of the final image relative to the sampler's from the same noise, image units ([-1, 1]); mean over "
    "seeds, interval by resampling them. Differences are paired by seed; the tests are two-sided. Departure: the fraction of the "
    "steps after which the error of the state exceeds 0.01 for the first time."
)


def row(quantity: str, interval: Interval, **tests: float) -> dict[str, Any]:
    """Make a row of the table."""
    ends = {name: float(getattr(interval, name)) for name in ("estimate", "low", "high")}
    return {
        "quantity": quantity,
        **ends,
        "t_test": tests.get("t_test"),
        "wilcoxon": tests.get("wilcoxon"),
        "n": interval.n,
    }


def rows(files: list[str]) -> list[dict[str, Any]]:
    """Make the rows: errors and departure of every theory, then the difference of every two."""
    models = {Path(file).name.removesuffix(".zarr.zip"): artifacts.load(file) for file in files}
    labels = {name: THEORIES[name].label for name in models}
    found = [
        row(f"error: {labels[name]}", statistics.confidence_interval(final_error(data)))
        for name, data in models.items()
    ]
    found += [
        row(f"departure: {labels[name]}", statistics.confidence_interval(divergence_time(data)))
        for name, data in models.items()
    ]
    for first, second in combinations(models, 2):
        test = statistics.paired_difference(final_error(models[first]), final_error(models[second]))
        name = f"error: {labels[first]} minus {labels[second]}"
        found.append(row(name, test.difference, t_test=test.t_test, wilcoxon=test.wilcoxon))
    return found


def main(inputs: list[str], csv: str, html: str) -> None:
    """Make the rows, write CSV and HTML."""
    table = pd.DataFrame(rows(inputs))
    write_text(tables.csv(table), csv)
    shown = table.copy().astype(object)
    for name in ("t_test", "wilcoxon"):
        shown[name] = ["" if pd.isna(value) else f"{value:.1e}" for value in table[name]]
    formats = {HEADINGS[name]: "{:.5f}" for name in ("estimate", "low", "high")}
    write_text(tables.page(shown.rename(columns=HEADINGS), "Theories compared with the sampler", NOTE, formats), html)


if __name__ == "__main__":
    run(main)
