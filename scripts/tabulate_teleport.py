"""The teleport sweep as one tidy table."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from underpainting import tables
from underpainting.jobs import job
from underpainting.writing import write_text

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake

COLUMNS = ["sampler", "skip", "nfe", "sigma", "alpha", "fd", "kid", "kid_std", "precision", "recall", "n", "extractor"]
HEADINGS = {
    "sampler": "Sampler",
    "skip": "Steps skipped",
    "nfe": "NFE",
    "sigma": "σ after jump",
    "alpha": "α after jump",
    "kid": "KID",
    "precision": "Precision",
    "recall": "Recall",
    "n": "Images",
}
FORMATS = {
    "σ after jump": "{:.3f}",
    "α after jump": "{:.3f}",
    "KID": "{:.5f}",
    "Precision": "{:.3f}",
    "Recall": "{:.3f}",
}


def main(rows: list[str], csv: str, html: str, extractor: str) -> None:
    """Gather the rows, write both forms."""
    table = pd.DataFrame([json.loads(Path(file).read_text(encoding="utf-8")) for file in rows])
    table["extractor"] = extractor
    write_text(tables.csv(table[COLUMNS]), csv)
    distance = "FID" if extractor == "inception-v3-compat" else f"FD ({extractor})"
    shown = table.rename(columns={**HEADINGS, "fd": distance})
    shown = shown[
        ["Sampler", "Steps skipped", "NFE", "σ after jump", "α after jump", distance, *list(HEADINGS.values())[5:]]
    ]
    note = f"{distance}: Frechet distance to the training images in the features of {extractor}; lower is better. KID likewise."
    write_text(tables.page(shown, "Teleport sweep", note, {**FORMATS, distance: "{:.3f}"}), html)


if __name__ == "__main__":
    with job(snakemake):
        main(
            list(snakemake.input.rows),
            snakemake.output.csv,
            snakemake.output.html,
            snakemake.params.config["extractor"],
        )
