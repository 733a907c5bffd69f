"""Claims about the endpoint estimate: where it starts, where it stays, and what emerges when (Sec. 4.2, App. H)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from underpainting.claims.claim import Claim, of_interval
from underpainting.measures import statistics
from underpainting.measures.statistics import Interval


def claims(data: xr.Dataset) -> list[Claim]:
    """Claims from `emergence/SAMPLER.zarr.zip`."""
    return [*_endpoints(data), *_order(data), _coarse_first(data)]


def _endpoints(data: xr.Dataset) -> list[Claim]:
    distance, outside = data["distance"].values, data["outside"].values
    both = np.stack([distance.sum(1), (distance * outside).sum(1)], 1)
    return [
        of_interval(
            "The first endpoint estimate is the mean image: squared distance over the data's variance at most 0.05",
            "Sec. 4.2, App. H.2",
            "about 0",
            statistics.of_means(distance[:, 0]),
            at_most=0.05,
        ),
        of_interval(
            "Endpoint estimates stay on the manifold: at most 1 % of their squared distance from the mean lies outside the "
            "components that hold 99.9 % of the variance",
            "Eq. 13, 59",
            "0",
            statistics.of_means(both, lambda mean: np.asarray(mean[1] / mean[0])),
            at_most=0.01,
        ),
    ]


def _order(data: xr.Dataset) -> list[Claim]:
    return [
        of_interval(
            "Components emerge in the order of their variances: rank correlation of measured and predicted times at least 0.9",
            "Sec. 4.2, Fig. 3 C",
            "in order",
            _stored(data, "rank_correlation"),
            at_least=0.9,
        ),
        of_interval(
            "They emerge where sigma = alpha sqrt(lambda): measured over predicted ratio, geometric mean, 0.8 to 1.25",
            "Sec. 4.2, Eq. 13",
            "1",
            _stored(data, "mean_ratio"),
            at_least=0.8,
            at_most=1.25,
        ),
    ]


def _stored(data: xr.Dataset, name: str) -> Interval:
    """An interval that the artifact holds."""
    estimate, low, high = (data[f"{name}{end}"].values for end in ("", "_low", "_high"))
    return Interval(estimate, low, high, data.sizes["sample"])


def _coarse_first(data: xr.Dataset) -> Claim:
    """The unit resampled is the component, not the seed."""
    variance = data["basis_variance"].values
    seen = variance > 1e-8 * variance.max()
    pairs = np.stack([variance[seen], data["basis_frequency"].values[seen]], 1)

    def correlation(
        chosen: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.asarray(statistics.rank_correlation(chosen[:, 0], chosen[:, 1]))

    return of_interval(
        "Large variance means low spatial frequency: rank correlation over components at most -0.5",
        "Sec. 4.2, App. H.2",
        "negative",
        statistics.within(statistics.bootstrap(pairs, correlation, resamples=500), -1, 1),
        at_most=-0.5,
    )
