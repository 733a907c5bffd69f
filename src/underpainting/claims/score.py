"""Claims about the score itself (Sec. 5; Wang & Vastola 2024)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from underpainting.claims import paper
from underpainting.claims.claim import Claim, of_interval
from underpainting.measures import statistics
from underpainting.measures.statistics import Interval

FloatArray = NDArray[np.float64]
LOW_NOISE, HIGH_NOISE = 0.2, 1.5


def claims(data: xr.Dataset) -> list[Claim]:
    """Claims from `score.zarr.zip`, for the noise levels that it holds."""
    rows = [
        of_interval(
            f"Part of the network's score variance that the Gaussian explains at sigma/alpha = {ratio:g}: "
            f"within 0.1 of CIFAR-10's {printed:g}",
            "Wang & Vastola 2024",
            f"{printed:g}",
            explained(data, "gaussian", ratio),
            at_least=printed - 0.1,
            at_most=printed + 0.1,
        )
        for ratio, printed in paper.SCORE_EXPLAINED.items()
        if _place(data, ratio) is not None
    ]
    if _place(data, HIGH_NOISE) is not None:
        text = (
            f"At high noise (sigma/alpha = {HIGH_NOISE:g}) the score is the Gaussian's: at least 95 % of its variance"
        )
        rows.append(
            of_interval(text, "Sec. 5", "indistinguishable", explained(data, "gaussian", HIGH_NOISE), at_least=0.95)
        )
    if _place(data, LOW_NOISE) is not None:
        rows += _contrasts(data)
    return rows


def _place(data: xr.Dataset, ratio: float) -> int | None:
    found = np.flatnonzero(np.isclose(data["noise_to_signal"].values, ratio))
    return int(found[0]) if len(found) else None


def explained(data: xr.Dataset, model: str, ratio: float, less: str | None = None) -> Interval:
    """Fraction of the network's score variance that a theory explains at a noise level, less another theory's if given.

    Raises:
        ValueError: the level or the theory was not measured.
    """
    place, models = _place(data, ratio), list(data.attrs["models"])
    if place is None or model not in models:
        raise ValueError(f"{model} at sigma/alpha = {ratio} was not measured; see score.ratios and comparison.models")
    residual = data["residual"].values[place]
    columns = [residual[models.index(name)] for name in (model, less or model)] + [data["total"].values[place]]

    def fraction(mean: FloatArray) -> FloatArray:
        return np.asarray((mean[1] - mean[0]) / mean[2] if less else 1 - mean[0] / mean[2])

    return statistics.of_means(np.stack(columns, 1), fraction)


def _contrasts(data: xr.Dataset) -> list[Claim]:
    pairs = [("gaussian", "point_cloud"), ("mixture", "gaussian")]
    names = {"gaussian": "Gaussian", "mixture": "mixture", "point_cloud": "exact score"}
    return [
        of_interval(
            f"At sigma/alpha = {LOW_NOISE:g} the {names[model]} explains more of the network's score than "
            f"the {names[less]}: difference above 0",
            "Sec. 5",
            "blurrier",
            explained(data, model, LOW_NOISE, less),
            at_least=1e-9,
        )
        for model, less in pairs
        if {model, less} <= set(data.attrs["models"])
    ]
