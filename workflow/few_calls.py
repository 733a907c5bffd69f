"""Compare the relative sampler with the best of all others at few network calls: what docs/sweeps.md begins with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd
from gallery import markdown, picture

from underpainting.analysis.statistics import FloatArray, confidence_interval
from underpainting.io import artifacts
from underpainting.plotting import style
from underpainting.plotting.quality_by_calls import quality_of_studies
from underpainting.quality.distances import Reference, load_references, measure_distances
from underpainting.samplers.registry import SAMPLERS
from underpainting.teleport import sweep
from underpainting_workflow.studies import files
from underpainting_workflow.studies.low_nfe import Run
from underpainting_workflow.studies.models import Study

PICTURE = "quality_by_calls.png"
FIGURE = f"""![Quality by network calls, study by study](pictures/{PICTURE})

Quality by network calls (NFE), lower is better, a column per study: root mean squared difference (RMSE) from the network's own
images, its probability flow solved in many small steps from the same noise; and Fréchet distance (FD) to real images held out, in
the features of the study's classifier, at infinitely many images and drawn no lower than that of real images (dotted). In colour:
the sampler `relative`, without a jump, with 95 % intervals by resampling seeds. Grey: the best of all other samplers on all grids
of the study, with at most so many calls, without a jump (solid) and after the best jump (dashed); thin lines: each of the others.
"""
TABLE = """## In short

`relative`, without a jump, beside the best of all other samplers, grids and jumps with at most as many calls, which is chosen by
each measure and on the very images that it is compared on. The change is that of the measure by taking `relative` instead, with
its 95 % interval from the same resamples of the seeds: below 0 `relative` is better. In bold where the whole interval is above 0.
"""


class Built(NamedTuple):
    """A study, its table `teleport.csv`, and the root of the project in which it is built."""

    name: str
    study: Study
    table: pd.DataFrame
    root: Path

    def place(self, row: pd.Series) -> tuple[list[Path], int]:
        """The feature shards of a row of the table, and the skipped percentage."""
        run = Run(row["sampler_name"], int(row["sampler"].split("-")[1]), row["grid"], row["jump"])
        shards = files.low_nfe.shards_of(self.name, self.study, run)
        return [self.root / file for file in shards], int(row["skipped_percent"])

    def stored(self, row: pd.Series, array: str) -> FloatArray:
        """An array of a row's images, shape (sample, ...)."""
        shards, percent = self.place(row)
        return np.concatenate([artifacts.load(file)[array].sel(skipped_percent=percent).values for file in shards])

    def references(self) -> dict[str, Reference]:
        """Features of the real images, those of the study's extractor alone."""
        found = load_references(self.root / "results" / self.name / "reference_features.zarr.zip")
        return {"": found[""]}


def has_relative(table: pd.DataFrame) -> bool:
    """Does a sweep have rows of a relative sampler beside others?"""
    if "grid" not in table or not (table["design"] == "regrid").any():
        return False
    return {SAMPLERS[name].relative for name in sweep.regridded(table)["sampler_name"]} == {True, False}


def draw(studies: Mapping[str, pd.DataFrame], docs: Path) -> None:
    """Draw the figure of all studies."""
    with TemporaryDirectory() as folder:
        drawn = Path(folder) / PICTURE
        figure = quality_of_studies(studies, {name: kind.label for name, kind in SAMPLERS.items()})
        style.save(figure, [drawn])
        picture(drawn, docs / "pictures" / PICTURE)


def compare(built: Built) -> Iterator[dict[str, str]]:
    """A row for each number of calls: ours, the best other and the change, by each measure."""
    rows, real = sweep.regridded(built.table), built.references()
    rows = rows.assign(fd_infinite=sweep.judged(rows))
    ours = rows["sampler_name"].map(lambda name: SAMPLERS[name].relative)
    for _, mine in rows[ours & (rows["jump"] == sweep.NO_JUMP)].sort_values("nfe").iterrows():
        cells = {"study": built.name, "NFE": str(mine["nfe"])}
        others = rows[~ours & (rows["nfe"] <= mine["nfe"])]
        if pd.notna(mine["rmse_to_network"]):
            best = others.loc[others["rmse_to_network"].idxmin()]
            errors = [built.stored(row, "squared_error") for row in (mine, best)]
            cells |= beside("RMSE", "rmse_to_network", mine, best, change_of_rmse(np.stack(errors, 1)))
        best = others.loc[others["fd_infinite"].idxmin()]
        found = [
            measure_distances({"": built.stored(row, "features")}, real, built.study.teleport.resamples)
            for row in (mine, best)
        ]
        change = found[0].losses(found[1], "change")
        ends = [change.get(f"change{end}") for end in ("", "_low", "_high")]
        yield cells | beside("FD", "fd_infinite", mine, best, ends)


def change_of_rmse(errors: FloatArray) -> list[float]:
    """The relative change of the RMSE and its interval, from squared errors of the same images, shape (sample, 2).

    The interval is that of the logarithm of the ratio, so that no end is below -1.
    """
    known = errors[~np.isnan(errors).any(1)]
    return np.expm1(confidence_interval(known, lambda mean: np.log(mean[0] / mean[1]) / 2)[:3]).tolist()


def beside(
    heading: str, column: str, mine: pd.Series, best: pd.Series, change: Sequence[float | None]
) -> dict[str, str]:
    """The cells of one measure."""
    where = [best["sampler_name"], best["grid"]]
    if best["jump"] != sweep.NO_JUMP:
        where.append(f"{best['jump']} {best['skipped_percent']} %")
    return {
        f"best other by {heading}": ", ".join(where),
        heading: f"{best[column]:.3g}",
        f"{heading}, relative": f"{mine[column]:.3g}",
        f"change of {heading}": text_of(*change),
    }


def text_of(change: float | None, low: float | None, high: float | None) -> str:
    """A relative change with its interval, bold where it is a loss for certain."""
    if change is None:
        return ""
    ends = [f"{end:+.0%}" if end is not None and np.isfinite(end) else "unknown" for end in (low, high)]
    text = f"{change:+.0%} ({ends[0]} to {ends[1]})"
    return f"**{text}**" if low is not None and low > 0 else text


def section(studies: list[Built], docs: Path) -> Iterator[str]:
    """The figure and the table, of the studies whose sweep has a relative sampler; nothing without any."""
    if chosen := [built for built in studies if has_relative(built.table)]:
        draw({built.name: built.table for built in chosen}, docs)
        yield FIGURE
        yield TABLE
        yield markdown(pd.DataFrame([row for built in chosen for row in compare(built)]).fillna("")) + "\n"
