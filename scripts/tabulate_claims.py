"""Evaluate each of the paper's claims on the study's measurements."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from underpainting.io import artifacts
from underpainting.io.writing import write_text
from underpainting_workflow import tables
from underpainting_workflow.claims import (
    Claim,
    comparison,
    emergence,
    geometry,
    paper,
    perturbation,
    retrieval,
    score,
    teleport,
)
from underpainting_workflow.runner import run

HEADINGS = {
    "claim": "Claim",
    "source": "Source",
    "paper": "Paper",
    "estimate": "Measured",
    "interval": "95 % interval",
    "null_model": "Null model",
    "null": "Null value",
    "null_interval": "Its 95 % interval",
    "n": "n",
    "reproduced": "Reproduced",
}
TAIL = 0.025
"""Probability that a 95 % interval lies entirely above, or entirely below, the true value."""
NOTE = (
    "Intervals by resampling seeds (components, if the claim is about components), exact binomial for counts; n is their "
    "number. The null value is the same quantity for a null model, which knows nothing about the claim; an exact one has no "
    "interval. Reproduced is `no` if the whole interval lies outside of the claim's bounds, `undecided` if it contains a "
    "bound, `trivial` if it lies within the bounds but the null model's whole interval does, too (the claim carries no "
    "information), `undecided` if it overlaps with the null model's or there is no null model, and `yes` otherwise. Claims "
    "without an interval are judged by the estimate alone. A p value that is too small for the number of pairs leaves its "
    "claim undecided. The paper's values are those that it prints for its own networks. Bounds from its Table 2 are those "
    "of the model that the study names as `paper`, without one the largest printed for a model of pixel space, each plus "
    f"half a unit of its last digit; only {paper.SCORE_MODEL} is judged by the printed fractions of score variance. Bounds "
    "with the source `project target` are this project's own, not the paper's."
)


def chance(table: pd.DataFrame) -> str:
    """Describe how many rows would be `no` by chance alone."""
    judged = int(table["low"].notna().sum())
    return (
        f"Of the {len(table)} rows, {judged} are judged by an interval. If every true value were exactly at its bound, "
        f"{TAIL:.1%} of them, {TAIL * judged:.1f}, would be `no` by chance."
    )


def gather(inputs: dict[str, str], model_files: list[str], config: dict[str, Any]) -> list[Claim]:
    """Collect every claim that the study's artifacts allow."""
    emerged = artifacts.load(inputs["emergence"])
    models = {Path(file).name.removesuffix(".zarr.zip"): artifacts.load(file) for file in model_files}
    rank = int(emerged["manifold_rank"])
    pixels = int(np.prod(next(iter(models.values()))["image"].shape[1:]))
    return [
        *geometry.claims(artifacts.load(inputs["geometry"]), rank, pixels, config["paper"]),
        *comparison.claims(models, rank),
        *emergence.claims(emerged, pixels),
        *perturbation.claims(artifacts.load(inputs["perturbation"])),
        *score.claims(artifacts.load(inputs["score"]), config["paper"]),
        *retrieval.claims(artifacts.load(inputs["retrieval"])),
        *teleport.claims(pd.read_csv(inputs["teleport"]), config["sampler"], config["steps"]),
    ]


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Format the table for the page: estimates and intervals with few digits."""
    text = table.copy().astype(object)
    for name, low, high, interval in (
        ("estimate", "low", "high", "interval"),
        ("null", "null_low", "null_high", "null_interval"),
    ):
        text[name] = ["" if np.isnan(value) else f"{value:.3g}" for value in table[name]]
        ends = zip(table[low], table[high], strict=True)
        text[interval] = ["" if np.isnan(low) or low == high else f"{low:.3g} to {high:.3g}" for low, high in ends]
    return text[list(HEADINGS)].rename(columns=HEADINGS)


def main(inputs: dict[str, str], models: list[str], csv: str, html: str, config: dict[str, Any]) -> None:
    """Collect the claims, write CSV and HTML."""
    table = pd.DataFrame(gather(inputs, models, config), columns=Claim._fields)
    write_text(tables.csv(table), csv)
    write_text(tables.page(shown(table), "Claims of the paper", f"{NOTE} {chance(table)}", {}), html)


if __name__ == "__main__":
    run(main)
