"""Claims about the endpoint estimate and the emergence of components (Sec. 4.2, App. H)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from underpainting.analysis import statistics
from underpainting.analysis.statistics import Interval, Resampling
from underpainting_workflow.claims.claim import Claim, Null, exact, known, of_interval

FloatArray = NDArray[np.float64]
NORMAL_QUANTILE = 1.96


def claims(data: xr.Dataset, pixels: int) -> list[Claim]:
    """Make the claims from `emergence/SAMPLER.zarr.zip`.

    Args:
        data: the artifact.
        pixels: number of values in an image.
    """
    return [*_endpoints(data, pixels), _order(data), _place(data), _coarse_first(data)]


def _endpoints(data: xr.Dataset, pixels: int) -> list[Claim]:
    distance, outside = data["distance"].values, data["outside"].values
    both = np.stack([distance.sum(1), (distance * outside).sum(1)], 1)
    rank = int(data["manifold_rank"])
    return [
        of_interval(
            "The first endpoint estimate is the mean image: squared distance over the data's variance, mean at most 0.05",
            "Sec. 4.2, App. H.2",
            "about 0",
            statistics.confidence_interval(distance[:, 0]),
            at_most=0.05,
            null=Null(
                "constant image of the mean's brightness", statistics.confidence_interval(data["null_distance"].values)
            ),
        ),
        of_interval(
            "Endpoint estimates stay on the manifold: at most 1 % of their squared distance from the mean lies outside the "
            "components that hold 99.9 % of the variance",
            "Eq. 13, 59",
            "0",
            statistics.confidence_interval(both, lambda mean: np.asarray(mean[1] / mean[0])),
            at_most=0.01,
            null=exact("random rotation of the basis, (D - r)/D", (pixels - rank) / pixels),
        ),
    ]


def shuffled(count: int) -> Null:
    """Return the null model of a rank correlation: components in random order, by the normal approximation."""
    reach = NORMAL_QUANTILE / np.sqrt(max(count - 1, 1))
    return known("shuffled components", 0.0, -reach, reach)


def _emerging(data: xr.Dataset) -> NDArray[np.bool_]:
    return np.isfinite(data["measured_ratio"].values) & (data["predicted_ratio"].values > 0)


def _order(data: xr.Dataset) -> Claim:
    return of_interval(
        "Components emerge in the order of their variances: rank correlation of measured and predicted times at least 0.9",
        "Sec. 4.2, Fig. 3 C",
        "in order",
        _stored(data, "rank_correlation"),
        at_least=0.9,
        null=shuffled(int(_emerging(data).sum())),
    )


def place(data: xr.Dataset) -> tuple[Interval, Interval]:
    """Return geometric means of measured over predicted noise-to-signal ratio, of the Gaussian and the isotropic one."""
    predicted = np.log(data["predicted_ratio"].values[_emerging(data)])
    factor = np.exp(predicted.mean() - 0.5 * np.log(float(data["mean_variance"]))) if len(predicted) else np.nan
    found = _stored(data, "mean_ratio")
    return found, Interval(found.estimate * factor, found.low * factor, found.high * factor, found.n)


def _place(data: xr.Dataset) -> Claim:
    found, null = place(data)
    return of_interval(
        "Components emerge where sigma = alpha sqrt(lambda): geometric mean of measured over predicted ratio 0.8 to 1.25",
        "Sec. 4.2, Eq. 13",
        "1",
        found,
        at_least=0.8,
        at_most=1.25,
        null=Null("isotropic Gaussian's prediction", null),
    )


def _stored(data: xr.Dataset, name: str) -> Interval:
    """Read an interval from the artifact."""
    estimate, low, high = (data[f"{name}{end}"].values for end in ("", "_low", "_high"))
    return Interval(estimate, low, high, data.sizes["sample"])


def _coarse_first(data: xr.Dataset) -> Claim:
    """Make the claim that components of large variance have low frequencies; the interval resamples components."""
    variance = data["basis_variance"].values
    seen = variance > 1e-8 * variance.max()
    pairs = np.stack([variance[seen], data["basis_frequency"].values[seen]], 1)

    def correlation(chosen: FloatArray) -> FloatArray:
        return np.asarray(statistics.rank_correlation(chosen[:, 0], chosen[:, 1]))

    return of_interval(
        "Large variance means low spatial frequency: rank correlation over components at most -0.5",
        "Sec. 4.2, App. H.2",
        "negative",
        statistics.clip(statistics.bootstrap_interval(pairs, correlation, resampling=Resampling(resamples=500)), -1, 1),
        at_most=-0.5,
        null=shuffled(int(seen.sum())),
    )
