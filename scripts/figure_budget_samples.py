"""Images at few network calls: without a jump, after jumps, and of a plain run, from the same seeds."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from underpainting.io import artifacts
from underpainting.plotting import few_calls, style
from underpainting.teleport import sweep
from underpainting_workflow.jobs import job

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def best_skips(table: str, sampler: str) -> dict[tuple[int, str], int]:
    """The best skip of a sampler, by network calls and jump."""
    rows = sweep.best(sweep.few_calls(pd.read_csv(table)))
    own = rows[rows["solver"] == sampler]
    return {(calls, jump): skip for calls, jump, skip in own[["nfe", "jump", "skip"]].to_numpy().tolist()}


def main(table: str, files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Draw the images of the first seeds, a row per run, each jump with its best skip."""
    skips, rows, labels = best_skips(table, config["sampler"]), [], []
    for file, (_, jump) in zip(files, config["runs"], strict=True):
        data = artifacts.load(file)
        calls = int(data["nfe"][0])
        skip = skips.get((calls, jump), 0)
        shown = data["shown"].sel(skip=skip).values
        rows.append(shown / 127.5 - 1)
        labels.append(f"{config['jumps'][jump]}{f', {skip} %' * bool(skip)}\nNFE {calls}")
    seeds: list[int] = np.asarray(data["seed"][: len(shown)]).tolist()
    style.save(few_calls.few_calls(rows, labels, seeds, config["solvers"][config["sampler"]]), outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        samples = snakemake.input.samples
        main(
            snakemake.input.table,
            [samples] if isinstance(samples, str) else list(samples),
            list(snakemake.output),
            snakemake.params.config,
        )
