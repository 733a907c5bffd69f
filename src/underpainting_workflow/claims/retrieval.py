"""Claims about generation as retrieval (Sec. 4.3)."""

from __future__ import annotations

import xarray as xr

from underpainting.analysis import retrieval, statistics
from underpainting.analysis.statistics import Interval
from underpainting_workflow.claims.claim import Claim, Null, exact, of_interval


def claims(data: xr.Dataset) -> list[Claim]:
    """Make the claims from `retrieval/SAMPLER.zarr.zip`."""
    origins = list(data.attrs["origins"])
    return [*([_exact_score(data)] if "point_cloud" in origins else []), _network(data)]


def _exact_score(data: xr.Dataset) -> Claim:
    """Make the claim on the exact score, trivial by construction: its last step alone ends on a training image."""
    distance = data["distance"].values[list(data.attrs["origins"]).index("point_cloud")]
    return of_interval(
        "The exact score retrieves: distance of its images to the nearest training image, mean at most 0.01 per pixel",
        "Sec. 4.3",
        "0",
        statistics.confidence_interval(distance),
        at_most=0.01,
        null=Null(
            "last step of its flow alone, from noise", statistics.confidence_interval(data["null_distance"].values)
        ),
    )


def _network(data: xr.Dataset) -> Claim:
    if "point_cloud" in data.attrs["origins"]:
        null = Null("exact score", _memorised(data, "point_cloud"))
    else:
        null = exact("training images", 1.0)
    return of_interval(
        "The network does not retrieve: at most 5 % of its images are memorised (nearest over second distance below 1/3)",
        "Sec. 5",
        "differs from the exact score",
        _memorised(data, "network"),
        at_most=0.05,
        null=null,
    )


def _memorised(data: xr.Dataset, origin: str) -> Interval:
    """Return the fraction of an origin's images that are memorised, with its exact binomial interval."""
    ratio = data["ratio"].values[list(data.attrs["origins"]).index(origin)]
    return statistics.proportion_interval(int((ratio < retrieval.MEMORISED).sum()), len(ratio))
