"""Frechet distances of generated images in every set of a study's features, with floors and losses, as columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, SupportsFloat

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from underpainting.io import artifacts
from underpainting.quality import frechet
from underpainting.quality.extractors import FEATURES
from underpainting.quality.frechet import BootstrapDistance, FloatArray

Columns = dict[str, float]


class Reference:
    """Features of the real images that generated ones are compared with.

    Args:
        features: shape (sample, feature).

    Attributes:
        moments: mean and covariance of the features.
    """

    def __init__(self, features: FloatArray) -> None:
        self.features, self.moments = features, frechet.RealMoments.of(features)
        self._floors: dict[int, frechet.Floor] = {}

    def floor(self, count: int) -> frechet.Floor:
        """Estimate the distance of `count` real images; it is computed once for each number, since it costs tens of distances."""
        if count not in self._floors:
            self._floors[count] = frechet.estimate_floor(self.features, count)
        return self._floors[count]


class MeasuredDistances(NamedTuple):
    """Frechet distances and floors of one set of generated images, by column prefix of each set of features."""

    distances: dict[str, BootstrapDistance]
    floors: dict[str, frechet.Floor]

    def columns(self) -> Columns:
        """Return the distances at this number of images and at infinitely many, with 95 % intervals and floors."""
        found: Columns = {}
        for prefix, distance in self.distances.items():
            floor = self.floors[prefix]
            found |= interval_columns(f"{prefix}fd", distance.estimate, *distance.interval())
            found |= interval_columns(f"{prefix}fd_infinite", distance.infinite, *distance.infinite_interval())
            found |= {f"{prefix}floor": floor.at_n, f"{prefix}floor_infinite": floor.infinite}
        return found

    def judged(self, prefix: str) -> float:
        """Return the distance at infinitely many images, raised to the floor of real images."""
        return max(float(self.distances[prefix].infinite), self.floors[prefix].infinite)

    def losses(self, reference: MeasuredDistances, name: str) -> Columns:
        """Return the relative increase of the distances at infinitely many images over those of other images from the same seeds.

        Args:
            reference: distances of the other images.
            name: name of the columns.
        """
        found: Columns = {}
        for prefix, distance in self.distances.items():
            floor = self.floors[prefix].infinite
            loss = frechet.relative_loss(distance, reference.distances[prefix], floor)
            found |= interval_columns(f"{prefix}{name}", *loss)
        return found


def interval_columns(name: str, estimate: SupportsFloat, low: SupportsFloat, high: SupportsFloat) -> Columns:
    """Name an estimate and the ends of its interval as columns of a table, without those that are not finite."""
    values = {name: float(estimate), f"{name}_low": float(low), f"{name}_high": float(high)}
    return {column: value for column, value in values.items() if np.isfinite(value)}


def load_references(path: str | Path) -> dict[str, Reference]:
    """Load the features of the real images from `reference_features.zarr.zip`, for every set of features.

    The reference of features that were trained on the study's images are the held-out images; that of Inception's are all images.
    """
    data = artifacts.load(path)
    held = data["held_out"].values
    chosen_by_study = held if data.attrs["trained_here"] else np.ones_like(held)
    chosen = dict(zip(FEATURES, (chosen_by_study, held), strict=True))
    return {prefix: Reference(data[name].values[chosen[prefix]]) for prefix, name in FEATURES.items()}


def concatenate_features(shards: list[xr.Dataset], count: int | None = None) -> dict[str, FloatArray]:
    """Concatenate every set of features of all shards, shape (sample, ...), or of the first `count` images."""
    return {
        prefix: np.concatenate([shard[name].values for shard in shards])[:count] for prefix, name in FEATURES.items()
    }


def measure_distances(
    features: Mapping[str, FloatArray],
    real: Mapping[str, Reference],
    resamples: int,
    seed: int = 0,
    clusters: Sequence[ArrayLike] = (),
) -> MeasuredDistances:
    """Measure the Frechet distances of generated images in every set of features.

    Args:
        features: by column prefix, shape (sample, feature) each.
        real: references of the same sets of features.
        resamples: number of bootstrap resamples.
        seed: seed of the resampling; sets of equal size have the same resamples.
        clusters: as for `frechet.bootstrap`.
    """
    distances, floors = {}, {}
    for prefix, reference in real.items():
        distances[prefix] = frechet.bootstrap(features[prefix], reference.moments, resamples, seed, clusters)
        floors[prefix] = reference.floor(len(features[prefix]))
    return MeasuredDistances(distances, floors)
