"""Draw images at low NFE: without a jump, after jumps, and with many calls, from the same seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from underpainting.io import artifacts
from underpainting.plotting import few_calls
from underpainting.teleport import sweep


def best_percents(table: str, sampler: str, grid: str) -> dict[tuple[int, str], int]:
    """Return the percentage of the network's time that is best skipped with a sampler on a grid, by NFE and jump."""
    rows = sweep.regridded(pd.read_csv(table))
    own = sweep.best(rows[(rows["sampler_name"] == sampler) & (rows["grid"] == grid)])
    return {
        (calls, jump): percent for calls, jump, percent in own[["nfe", "jump", "skipped_percent"]].to_numpy().tolist()
    }


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the images of the first seeds, a row per run, each jump at its best length."""
    best, rows, labels = best_percents(files["table"][0], config["sampler"], config["grid"]), [], []
    for file, (_, jump) in zip(files["samples"], config["runs"], strict=True):
        data = artifacts.load(file)
        calls = int(data["nfe"][0])
        percent = best.get((calls, jump), 0)
        shown = data["shown"].sel(skipped_percent=percent).values
        rows.append(shown / 127.5 - 1)
        labels.append(f"{config['jumps'][jump]}{f', {percent} %' * bool(percent)}\nNFE {calls}")
    seeds: list[int] = np.asarray(data["seed"][: len(shown)]).tolist()
    return few_calls.few_calls(rows, labels, seeds, config["samplers"][config["sampler"]])
