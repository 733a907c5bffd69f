"""The teleport sweep as one tidy table."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from underpainting import tables
from underpainting.jobs import job
from underpainting.teleportation import sweep
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
    "skip": "Nskip",
    "nfe": "NFE",
    "sigma": "Noise scale",
    "fd": "",
    "interval": "95 % interval",
    "loss": "Loss",
    "loss_interval": "Its 95 % interval",
    "kid": "KID",
    "precision": "Precision",
    "recall": "Recall",
}
FORMATS = {
    "Noise scale": "{:.3f}",
    "Loss": "{:+.1%}",
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


def within(low: pd.Series, high: pd.Series, form: str) -> list[str]:
    """Intervals as text, nothing where there is none."""
    ends = zip(low, high, strict=True)
    return ["" if pd.isna(first) else f"{form.format(first)} to {form.format(last)}" for first, last in ends]


def verdict(found: sweep.Skippable | None) -> str:
    """What can be skipped, in a sentence."""
    if found is None:
        return "Not run without a jump, so that there is nothing to compare with."
    limit = f"{100 * sweep.TOLERANCE:g} %"
    if found.skip == 0:
        return f"No skip was tried whose interval excludes a loss above {limit}."
    saved = f"{found.share:.0%} of the network calls"
    return f"Largest skip whose interval excludes a loss above {limit}: {found.skip} steps, {saved}."


def part(table: pd.DataFrame, sampler: str, label: str, distance: str) -> tables.Part:
    """The rows of one sampler, in the form of Tables 3-5."""
    rows = sweep.truncated(table, sampler)
    rows = rows.assign(
        interval=within(rows["fd_low"], rows["fd_high"], "{:.3f}"),
        loss_interval=within(rows["loss_low"], rows["loss_high"], "{:+.1%}"),
    )
    shown = rows[list(HEADINGS)].rename(columns={**HEADINGS, "fd": distance})
    return tables.Part(label, verdict(sweep.skippable(rows)), shown, {**FORMATS, distance: "{:.3f}"})


def main(truncated: list[str], budgets: list[str], csv: str, html: str, config: dict[str, Any]) -> None:
    """Gather the rows, write both forms; the page shows the samplers' own grids, as the paper's Tables 3-5 do."""
    table = gather(truncated, budgets, config["extractor"])
    write_text(tables.csv(table), csv)
    distance = sweep.distance_name(config["extractor"])
    images = table.loc[table["design"] == "truncate", "n"].max()
    note = (
        f"Nskip: steps replaced by the closed form. {distance}: Frechet distance of {images} images to the training images; "
        "lower is better, KID likewise. Loss: how much larger it is than with nothing skipped, from the same seeds. Intervals "
        "by resampling seeds."
    )
    parts = [part(table, sampler, label, distance) for sampler, label in config["labels"].items()]
    write_text(tables.pages(parts, "Teleport sweep", note), html)


if __name__ == "__main__":
    with job(snakemake):
        main(
            list(snakemake.input.truncated),
            list(snakemake.input.budgets),
            snakemake.output.csv,
            snakemake.output.html,
            snakemake.params.config,
        )
