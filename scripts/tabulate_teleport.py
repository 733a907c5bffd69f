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

COLUMNS = [
    "sampler",
    "design",
    "jump",
    "skip",
    "nfe",
    "sigma",
    "alpha",
    "fd",
    "fd_low",
    "fd_high",
    "loss",
    "loss_low",
    "loss_high",
    "behind",
    "behind_low",
    "behind_high",
    "kid",
    "kid_std",
    "precision",
    "recall",
    "n",
    "extractor",
]
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


def gather(truncated: list[str], budgets: list[str], extractor: str) -> pd.DataFrame:
    """All rows, first those of the samplers' own grids."""
    rows = [json.loads(Path(file).read_text(encoding="utf-8")) for file in truncated]
    for file in budgets:
        rows.extend(json.loads(Path(file).read_text(encoding="utf-8")))
    return pd.DataFrame(rows).assign(extractor=extractor).reindex(columns=COLUMNS)


def main(truncated: list[str], budgets: list[str], csv: str, html: str, extractor: str) -> None:
    """Gather the rows, write both forms; the page shows the samplers' own grids, as the paper's Tables 3-5 do."""
    table = gather(truncated, budgets, extractor)
    write_text(tables.csv(table), csv)
    distance = "FID" if extractor == "inception-v3-compat" else f"FD ({extractor})"
    shown = table[table["design"] == "truncate"].rename(columns={**HEADINGS, "fd": distance})
    interval = [f"{low:.3f} to {high:.3f}" for low, high in zip(shown["fd_low"], shown["fd_high"], strict=True)]
    shown = shown.assign(**{"95 % interval": interval})
    shown = shown[["Sampler", *list(HEADINGS.values())[1:5], distance, "95 % interval", *list(HEADINGS.values())[5:]]]
    note = f"{distance}: Frechet distance to the training images in the features of {extractor}; lower is better. KID likewise."
    write_text(tables.page(shown, "Teleport sweep", note, {**FORMATS, distance: "{:.3f}"}), html)


if __name__ == "__main__":
    with job(snakemake):
        main(
            list(snakemake.input.truncated),
            list(snakemake.input.budgets),
            snakemake.output.csv,
            snakemake.output.html,
            snakemake.params.config["extractor"],
        )
