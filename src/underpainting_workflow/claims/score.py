"""Claims about the network's score (Sec. 5; Wang & Vastola 2024)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from underpainting.analysis import statistics
from underpainting.analysis.statistics import Interval
from underpainting_workflow.claims import paper
from underpainting_workflow.claims.claim import Claim, Null, exact, of_interval

FloatArray = NDArray[np.float64]
LOW_NOISE, HIGH_NOISE = 0.2, 1.5
ISOTROPIC = "isotropic Gaussian"


def claims(data: xr.Dataset, model: str | None) -> list[Claim]:
    """Make the claims from `score.zarr.zip`, for the noise levels that it holds.

    Args:
        data: the artifact, the isotropic Gaussian among its models.
        model: the paper's model that the study is judged against, if any; the printed fractions are for one model.
    """
    rows = _printed(data) if model == paper.SCORE_MODEL else []
    if _place(data, HIGH_NOISE) is not None:
        text = f"At high noise (sigma/alpha = {HIGH_NOISE:g}) the Gaussian explains at least 95 % of the network's score variance"
        found, null = explained(data, "gaussian", HIGH_NOISE), _null(data, HIGH_NOISE)
        rows.append(of_interval(text, "Sec. 5", "indistinguishable", found, at_least=0.95, null=null))
    if _place(data, LOW_NOISE) is not None:
        rows += _contrasts(data)
    return rows


def _null(data: xr.Dataset, ratio: float) -> Null:
    return Null(ISOTROPIC, explained(data, "isotropic", ratio))


def _printed(data: xr.Dataset) -> list[Claim]:
    return [
        of_interval(
            f"Fraction of the network's score variance that the Gaussian explains at sigma/alpha = {ratio:g}: "
            f"within 0.1 of CIFAR-10's {printed:g}",
            "Wang & Vastola 2024",
            f"{printed:g}",
            explained(data, "gaussian", ratio),
            at_least=printed - 0.1,
            at_most=printed + 0.1,
            null=_null(data, ratio),
        )
        for ratio, printed in paper.SCORE_EXPLAINED.items()
        if _place(data, ratio) is not None
    ]


def _place(data: xr.Dataset, ratio: float) -> int | None:
    found = np.flatnonzero(np.isclose(data["noise_to_signal"].values, ratio))
    return int(found[0]) if len(found) else None


def explained(data: xr.Dataset, model: str, ratio: float, minus: str | None = None) -> Interval:
    """Return the fraction of the network's score variance that a theory explains, minus another theory's if given.

    Raises:
        ValueError: the level or the theory was not measured.
    """
    place, models = _place(data, ratio), list(data.attrs["models"])
    if place is None or model not in models:
        raise ValueError(f"{model} at sigma/alpha = {ratio} was not measured; see score.ratios and comparison.models")
    residual = data["residual"].values[place]
    columns = [residual[models.index(name)] for name in (model, minus or model)] + [data["total"].values[place]]

    def fraction(mean: FloatArray) -> FloatArray:
        return np.asarray((mean[1] - mean[0]) / mean[2] if minus else 1 - mean[0] / mean[2])

    return statistics.confidence_interval(np.stack(columns, 1), fraction)


def _contrasts(data: xr.Dataset) -> list[Claim]:
    pairs = [("gaussian", "point_cloud"), ("mixture", "gaussian")]
    names = {"gaussian": "Gaussian", "mixture": "mixture", "point_cloud": "exact score"}
    models = data.attrs["models"]
    nulls = {"mixture": exact("mixture with a single mode", 0.0)}
    if "point_cloud" in models:
        nulls["gaussian"] = Null(ISOTROPIC, explained(data, "isotropic", LOW_NOISE, "point_cloud"))
    return [
        of_interval(
            f"At sigma/alpha = {LOW_NOISE:g} the {names[model]} explains more of the network's score than "
            f"the {names[other]}: difference above 0",
            "Sec. 5",
            "blurrier",
            explained(data, model, LOW_NOISE, other),
            at_least=1e-9,
            null=nulls[model],
        )
        for model, other in pairs
        if {model, other} <= set(models)
    ]
