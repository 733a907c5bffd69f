"""The paper's claims, one by one, against what the study measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from underpainting import artifacts, tables
from underpainting.claims import Claim, comparison, emergence, geometry, perturbation, retrieval, score, teleport
from underpainting.jobs import job
from underpainting.writing import write_text

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake

HEADINGS = {
    "claim": "Claim",
    "source": "Source",
    "paper": "Paper",
    "estimate": "Here",
    "interval": "95 % interval",
    "n": "n",
    "reproduced": "Reproduced",
}
NOTE = (
    "Intervals by resampling seeds (components, where the claim is about components); n counts them. A claim is reproduced "
    "where its whole interval lies within the bounds that it names, not reproduced where all of it lies outside; claims "
    "without an interval are judged by the estimate alone. The paper's values are those that it prints for its own networks. "
    "Bounds with the source `own goal` are this project's, and no claims of the paper."
)


def gather(inputs: dict[str, Any], config: dict[str, Any]) -> list[Claim]:
    """Every claim that the study's artifacts can speak to."""
    emerged = artifacts.load(inputs["emergence"])
    models = {Path(file).name.removesuffix(".zarr.zip"): artifacts.load(file) for file in inputs["models"]}
    rank = int(emerged["manifold_rank"])
    pixels = int(np.prod(next(iter(models.values()))["image"].shape[1:]))
    return [
        *geometry.claims(artifacts.load(inputs["geometry"]), rank, pixels, config["paper"]),
        *comparison.claims(models, rank),
        *emergence.claims(emerged),
        *perturbation.claims(artifacts.load(inputs["perturbation"])),
        *score.claims(artifacts.load(inputs["score"])),
        *retrieval.claims(artifacts.load(inputs["retrieval"])),
        *teleport.claims(pd.read_csv(inputs["teleport"]), config["sampler"], config["steps"]),
    ]


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table for people: estimate and interval in few digits."""
    text = table.copy().astype(object)
    text["estimate"] = [f"{value:.3g}" for value in table["estimate"]]
    ends = zip(table["low"], table["high"], strict=True)
    text["interval"] = ["" if np.isnan(low) else f"{low:.3g} to {high:.3g}" for low, high in ends]
    return text[list(HEADINGS)].rename(columns=HEADINGS)


def main(inputs: dict[str, Any], csv: str, html: str, config: dict[str, Any]) -> None:
    """Gather the rows, write both forms."""
    table = pd.DataFrame(gather(inputs, config), columns=Claim._fields)
    write_text(tables.csv(table), csv)
    write_text(tables.page(shown(table), "Claims of the paper", NOTE, {}), html)


if __name__ == "__main__":
    with job(snakemake):
        files = dict(snakemake.input.items())
        files["models"] = list(snakemake.input.models)
        main(files, snakemake.output.csv, snakemake.output.html, snakemake.params.config)
