"""Claims about generation as retrieval (Sec. 4.3)."""

from __future__ import annotations

import xarray as xr

from underpainting.claims.claim import Claim, of_interval
from underpainting.measures import retrieval, statistics


def claims(data: xr.Dataset) -> list[Claim]:
    """Claims from `retrieval/SAMPLER.zarr.zip`."""
    origins = list(data.attrs["origins"])
    memorised = data["ratio"].values[origins.index("network")] < retrieval.MEMORISED
    found = [
        of_interval(
            "The network does not retrieve: at most 5 % of its images are memorised (nearest over second distance below 1/3)",
            "Sec. 5",
            "differs from the exact score",
            statistics.proportion(int(memorised.sum()), len(memorised)),
            at_most=0.05,
        )
    ]
    if "point_cloud" in origins:
        place = origins.index("point_cloud")
        found.insert(
            0,
            of_interval(
                "The exact score retrieves: distance of its images to the nearest training image at most 0.01 per pixel",
                "Sec. 4.3",
                "0",
                statistics.of_means(data["distance"].values[place]),
                at_most=0.01,
            ),
        )
    return found
