"""Claims about the shape of trajectories (Sec. 3, 4.2, Table 2)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from underpainting.claims import paper
from underpainting.claims.claim import Claim, of_interval
from underpainting.measures import statistics
from underpainting.theory import rotation


def claims(data: xr.Dataset, manifold_rank: int, pixels: int, model: str | None) -> list[Claim]:
    """Claims from the geometry of the main sampler's trajectories.

    Args:
        data: residuals and dimensions per trajectory.
        manifold_rank: number of components that hold 99.9 % of the data's variance.
        pixels: number of values in an image.
        model: the paper's model to stand beside, if any.
    """
    return [*_residuals(data, model), *_dimensions(data, model), _bound(data, manifold_rank, pixels)]


def _residuals(data: xr.Dataset, model: str | None) -> list[Claim]:
    bounds = {
        "top2": (0.0046, "Variance outside a trajectory's top two principal components: at most 0.46 %"),
        "plane": (0.008, "Variance outside the plane of noise and image: at most 0.8 %"),
        "rotation": (0.0249, "Variance that the rotation in that plane leaves over: at most 2.49 %"),
    }
    return [
        of_interval(
            text,
            "Sec. 3, Table 2",
            paper.geometry(model, name, "{:.2%}"),
            statistics.of_means(data[name].values),
            at_most=most,
        )
        for name, (most, text) in bounds.items()
    ]


def _dimensions(data: xr.Dataset, model: str | None) -> list[Claim]:
    dims = {name: data[f"dim_{name}"].values.astype(np.float64) for name in ("state", "difference", "noise")}
    two = of_interval(
        "Components for 99.9 % of the state's variance: at most 2",
        "Table 2",
        paper.geometry(model, "dim_state", "{}"),
        statistics.of_means(dims["state"]),
        at_most=2,
    )
    pairs = {
        ("difference", "state"): "Differences of states take more components than states: difference above 0",
        ("noise", "difference"): "Noise predictions take more components than differences: difference above 0",
    }
    more = [
        of_interval(
            text,
            "Table 2, Fig. 10",
            _gap(model, larger, smaller),
            statistics.of_means(dims[larger] - dims[smaller]),
            at_least=1e-9,
        )
        for (larger, smaller), text in pairs.items()
    ]
    return [two, *more]


def _gap(model: str | None, larger: str, smaller: str) -> str:
    rows = [paper.TABLE_2[model]] if model else list(paper.TABLE_2.values())
    gaps = sorted({getattr(row, f"dim_{larger}") - getattr(row, f"dim_{smaller}") for row in rows})
    return " to ".join(str(gap) for gap in dict.fromkeys((gaps[0], gaps[-1])))


def _bound(data: xr.Dataset, manifold_rank: int, pixels: int) -> Claim:
    bound = rotation.SLACK**2 * manifold_rank / pixels
    return of_interval(
        "Largest squared departure from the rotation, relative to the noise, over the bound 4 (1 - sqrt(2)/2)^2 r/D: at most 1",
        "Eq. 11, App. I.2",
        "at most 1",
        statistics.of_means(data["rotation_peak"].values / bound),
        at_most=1.0,
    )
