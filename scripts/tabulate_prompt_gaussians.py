"""Tabulate how likely the latents under a prompt are under each kind of Gaussian, by group of prompts."""

import numpy as np
import pandas as pd

from underpainting.analysis import statistics
from underpainting.io.writing import write_text
from underpainting_workflow import tables
from underpainting_workflow.runner import run

NOTE = (
    "Mean log likelihood, in nats per dimension, of latents that no Gaussian was made of, seen through noise of the study's "
    "ratio sigma / alpha; mean over prompts, with its 95 % interval over prompts. Gain: over the Gaussian of all latents."
)
NAMES = {"common": "of all latents", "prompt": "of the prompt, shrunk", "predicted": "predicted from the text"}


def described(values: np.ndarray) -> str:
    """Format the mean over prompts, and its interval where there are two or more."""
    if len(values) < 2:
        return f"{values.mean():.4f}"
    found = statistics.confidence_interval(values)
    return f"{found.estimate:.4f}\n{found.low:.4f} to {found.high:.4f}"


def line(rows: pd.DataFrame, common: pd.DataFrame) -> dict[str, object]:
    """Format the row of one kind of Gaussian."""
    values = rows["log_likelihood"].to_numpy(np.float64)
    level, gain = (described(each) for each in (values, values - common["log_likelihood"].to_numpy(np.float64)))
    return {"Log likelihood": level, "Gain": gain, "Prompts": len(rows), "Latents": int(rows["n"].sum())}


def main(inputs: list[str], output: str) -> None:
    """Write the page."""
    table, lines = pd.read_csv(inputs[0]), []
    for (group, kind), rows in table.groupby(["group", "gaussian"], sort=False):
        common = table[(table["group"] == group) & (table["gaussian"] == "common")]
        lines.append({"Prompts of": group, "Gaussian": NAMES[str(kind)], **line(rows, common)})
    write_text(tables.page(pd.DataFrame(lines), "Gaussians of latents", NOTE, {}), output)


if __name__ == "__main__":
    run(main)
