"""Evaluate each of the paper's claims on the study's measurements."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from underpainting.io import artifacts
from underpainting_workflow.claims import (
    Claim,
    comparison,
    emergence,
    geometry,
    page,
    paper,
    perturbation,
    retrieval,
    score,
    teleport,
)
from underpainting_workflow.runner import run

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


def main(inputs: dict[str, str], models: list[str], csv: str, html: str, config: dict[str, Any]) -> None:
    """Collect the claims, write CSV and HTML."""
    page.write(gather(inputs, models, config), csv, html, NOTE)


if __name__ == "__main__":
    run(main)
