"""Measure the images of every sampler and way at one scale of guidance, and what they lose against plain runs."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from underpainting.images import painted_digits
from underpainting.io import artifacts
from underpainting.io.writing import write_json
from underpainting.quality.distances import Reference
from underpainting.quality.extractors import FEATURES
from underpainting.quality.prompted import MadeImages, Measured, losses, measure
from underpainting_workflow.runner import run

KNOWN, LEFT_OUT = "known", "left out"
NAMES = tuple(painted_digits.WORDS)


class Row(NamedTuple):
    """A row: group of prompts, sampler, kind of way, Gaussian, steps, skipped ones, network calls; and the measures."""

    group: str
    sampler: str
    kind: str
    gaussian: str
    steps: int
    skipped_steps: int
    nfe: int
    found: Measured


def references(file: str, known: int) -> dict[str, dict[str, Reference]]:
    """Read the features of real images, by group of prompts and set of features."""
    data = artifacts.load(file)
    unseen = data["prompt"].values >= known
    groups = {KNOWN: ~unseen, LEFT_OUT: unseen}
    return {
        name: {prefix: Reference(data[array].values[chosen]) for prefix, array in FEATURES.items()}
        for name, chosen in groups.items()
        if chosen.any()
    }


def images_of(data: xr.Dataset, place: int, chosen: np.ndarray) -> MadeImages:
    """Select the images of some prompts after a number of skipped steps."""
    features = {prefix: data[name].values[chosen, place] for prefix, name in FEATURES.items()}
    right, errors = data["right"].values[chosen, place], data["squared_error"].values[chosen, place]
    return MadeImages(right, features, errors, data["prompt"].values[chosen], data["seed"].values[chosen])


def rows_of(
    file: str, about: tuple[str, str, str], real: dict[str, dict[str, Reference]], config: dict[str, Any]
) -> list[Row]:
    """Measure each group of prompts and number of skipped steps of a run; left-out prompts have no Gaussian of their own."""
    data, rows = artifacts.load(file), []
    unseen = data["prompt"].values >= config["known"]
    for group, reference in real.items():
        if group == LEFT_OUT and about[2] == "prompt":
            continue
        chosen = unseen if group == LEFT_OUT else ~unseen
        for place, skipped in enumerate(data["skipped_steps"].values.tolist()):
            found = measure(images_of(data, place, chosen), NAMES, reference, config["resamples"])
            rows.append(Row(group, *about, config["steps"], skipped, int(data["nfe"].values[place]), found))
    return rows


def compared(row: Row, plain: dict[tuple[str, str, int], Row], main: str) -> dict[str, Any]:
    """Return the columns of a row, with what it loses against the plain run of equal steps left, and of all steps."""
    sampler = main if row.kind == "relative" else row.sampler
    columns = {**row._asdict(), "n": len(row.found.images.prompts), **row.found.columns}
    del columns["found"]
    equal, complete = plain[row.group, sampler, row.skipped_steps], plain[row.group, sampler, 0]
    return columns | losses(row.found, equal.found) | losses(row.found, complete.found, "_complete")


def main(runs: list[str], reference: str, output: str, config: dict[str, Any]) -> None:
    """Measure all rows, write them."""
    real = references(reference, config["known"])
    pairs = zip(runs, config["runs"], strict=True)
    rows = [row for file, about in pairs for row in rows_of(file, tuple(about), real, config)]
    plain = {(row.group, row.sampler, row.skipped_steps): row for row in rows if row.kind == "plain"}
    main_sampler = config["runs"][0][0]
    columns = [{"guidance": config["guidance"], **compared(row, plain, main_sampler)} for row in rows]
    write_json(columns, output)


if __name__ == "__main__":
    run(main)
