"""Claims about the shape of trajectories (Sec. 3, 4.2, Table 2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from underpainting.analysis import statistics
from underpainting.analysis.statistics import Interval
from underpainting.theory import rotation
from underpainting_workflow.claims import paper
from underpainting_workflow.claims.claim import Claim, Null, of_interval

FloatArray = NDArray[np.float64]
OfMean = Callable[[FloatArray], Interval]
"""Makes the interval of a mean over the first axis."""
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
    return [*of_shape(data, model), _peak(data, manifold_rank, pixels)]


def of_shape(data: xr.Dataset, model: str | None, interval: OfMean = statistics.confidence_interval) -> list[Claim]:
    """Make the claims of Table 2.

    Args:
        data: residuals and dimensions per trajectory, and those of the null models.
        model: the paper's model that the study is judged against, if any.
        interval: of a mean over trajectories.
    """
    return [*_residuals(data, model, interval), *_dimensions(data, model, interval)]


def _residuals(data: xr.Dataset, model: str | None, interval: OfMean) -> list[Claim]:
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
            interval(data[array].values),
            at_most=paper.bound(model, name),
            null=Null(null, interval(data[f"null_{name}"].values)),
        )
        for name, (text, array, null) in texts.items()
    ]


def _dimensions(data: xr.Dataset, model: str | None, interval: OfMean) -> list[Claim]:
    dims = {name: data[f"dim_{name}"].values.astype(np.float64) for name in ("state", "difference", "noise")}
    nulls = {
        name: data[f"null_dim_{name}"].values.astype(np.float64) for name in ("state", "difference_gap", "noise_gap")
    }
    most = paper.bound(model, "dim_state")
    few = of_interval(
        f"Mean number of components for 99.9 % of the state's variance: at most {most:g}",
        "Table 2",
        paper.geometry(model, "dim_state", "{}"),
        interval(dims["state"]),
        at_most=most,
        null=Null(WALK, interval(nulls["state"])),
    )
    more = [_more(dims, nulls["difference_gap"], model, "difference", "state", interval)]
    first, second = ("difference", "noise") if _gaps(model, "noise", "difference")[-1] < 0 else ("noise", "difference")
    return [few, *more, _more(dims, nulls["noise_gap"], model, first, second, interval)]


POINTS = {"state": "states", "difference": "differences of states", "noise": "noise predictions"}


def _more(
    dims: dict[str, FloatArray], null: FloatArray, model: str | None, larger: str, smaller: str, interval: OfMean
) -> Claim:
    """Claim that points of one kind take more components than those of another; `null` is of noise less differences."""
    sign = -1.0 if larger == "difference" and smaller == "noise" else 1.0
    return of_interval(
        f"{POINTS[larger].capitalize()} take more components than {POINTS[smaller].removesuffix(' of states')}: "
        "mean difference above 0",
        "Table 2, Fig. 10",
        " to ".join(map(str, dict.fromkeys(_gaps(model, larger, smaller)))),
        interval(dims[larger] - dims[smaller]),
        at_least=1e-9,
        null=Null(TURN, interval(sign * null)),
    )


def _gaps(model: str | None, larger: str, smaller: str) -> tuple[int, int]:
    """Return the smallest and the largest difference between two dimensions in the paper."""
    found = sorted(getattr(row, f"dim_{larger}") - getattr(row, f"dim_{smaller}") for row in paper.rows(model))
    return found[0], found[-1]


def _peak(data: xr.Dataset, manifold_rank: int, pixels: int) -> Claim:
    bound = rotation.SLACK**2 * manifold_rank / pixels
    return of_interval(
        "Largest squared departure from the rotation, relative to the noise, over the bound 4 (1 - sqrt(2)/2)^2 r/D: "
        "mean at most 1",
        "Eq. 11, App. I.2",
        "at most 1",
        statistics.confidence_interval(data["rotation_peak"].values / bound),
        at_most=1.0,
        null=Null(CHORD, statistics.confidence_interval(data["null_rotation_peak"].values / bound)),
    )
