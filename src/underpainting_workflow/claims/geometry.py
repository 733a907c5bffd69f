"""Claims about the shape of trajectories (Sec. 3, 4.2, Table 2)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from underpainting.analysis import statistics
from underpainting.theory import rotation
from underpainting_workflow.claims import paper
from underpainting_workflow.claims.claim import Claim, Null, of_interval

WALK = "random walk with the same step lengths"
SHUFFLED = "plane of the noise and another seed's image"
CHORD = "straight line from noise to image (nearest points)"
TURN = "pure rotation in the plane of noise and image"


def claims(data: xr.Dataset, manifold_rank: int, pixels: int, model: str | None) -> list[Claim]:
    """Make the claims from the geometry of the main sampler's trajectories.

    Args:
        data: residuals and dimensions per trajectory, and those of the null models.
        manifold_rank: number of components that hold 99.9 % of the data's variance.
        pixels: number of values in an image.
        model: the paper's model that the study is judged against, if any.
    """
    return [*_residuals(data, model), *_dimensions(data, model), _peak(data, manifold_rank, pixels)]


def _null(model: str, values: xr.DataArray) -> Null:
    return Null(model, statistics.confidence_interval(values.values.astype(np.float64)))


def _residuals(data: xr.Dataset, model: str | None) -> list[Claim]:
    texts = {
        "top2": ("Squared norm outside a trajectory's top two principal components", "top2", WALK),
        "plane": ("Squared norm outside the plane of noise and image", "plane", SHUFFLED),
        "rotation": ("Squared norm not explained by the rotation in that plane", "rotation_caption", CHORD),
    }
    return [
        of_interval(
            f"{text}: mean at most {100 * paper.bound(model, name):.3f} %",
            "Sec. 3, Table 2",
            paper.geometry(model, name, "{:.2%}"),
            statistics.confidence_interval(data[array].values),
            at_most=paper.bound(model, name),
            null=_null(null, data[f"null_{name}"]),
        )
        for name, (text, array, null) in texts.items()
    ]


def _dimensions(data: xr.Dataset, model: str | None) -> list[Claim]:
    dims = {name: data[f"dim_{name}"].values.astype(np.float64) for name in ("state", "difference", "noise")}
    most = paper.bound(model, "dim_state")
    few = of_interval(
        f"Mean number of components for 99.9 % of the state's variance: at most {most:g}",
        "Table 2",
        paper.geometry(model, "dim_state", "{}"),
        statistics.confidence_interval(dims["state"]),
        at_most=most,
        null=_null(WALK, data["null_dim_state"]),
    )
    pairs = {
        ("difference", "state"): "Differences of states take more components than states: mean difference above 0",
        ("noise", "difference"): "Noise predictions take more components than differences: mean difference above 0",
    }
    more = [
        of_interval(
            text,
            "Table 2, Fig. 10",
            _gap(model, larger, smaller),
            statistics.confidence_interval(dims[larger] - dims[smaller]),
            at_least=1e-9,
            null=_null(TURN, data[f"null_dim_{larger}_gap"]),
        )
        for (larger, smaller), text in pairs.items()
    ]
    return [few, *more]


def _gap(model: str | None, larger: str, smaller: str) -> str:
    gaps = sorted(getattr(row, f"dim_{larger}") - getattr(row, f"dim_{smaller}") for row in paper.rows(model))
    return " to ".join(str(gap) for gap in dict.fromkeys((gaps[0], gaps[-1])))


def _peak(data: xr.Dataset, manifold_rank: int, pixels: int) -> Claim:
    bound = rotation.SLACK**2 * manifold_rank / pixels
    return of_interval(
        "Largest squared departure from the rotation, relative to the noise, over the bound 4 (1 - sqrt(2)/2)^2 r/D: "
        "mean at most 1",
        "Eq. 11, App. I.2",
        "at most 1",
        statistics.confidence_interval(data["rotation_peak"].values / bound),
        at_most=1.0,
        null=_null(CHORD, data["null_rotation_peak"] / bound),
    )
