"""Generated images against real ones held out, in every set of a study's features: distances, floors, losses as columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from underpainting.io import artifacts
from underpainting.quality import frechet
from underpainting.quality.extractors import FEATURES
from underpainting.quality.frechet import Bootstrapped, FloatArray

Columns = dict[str, float]


class Reference:
    """The real images of one set of features.

    Args:
        features: shape (sample, feature).

    Attributes:
        moments: their mean and covariance.
    """

    def __init__(self, features: FloatArray) -> None:
        self.features, self.moments = features, frechet.Real.of(features)
        self._floors: dict[int, frechet.Floor] = {}

    def floor(self, count: int) -> frechet.Floor:
        """What as many real images have; it takes as long as tens of distances, and is found once for each number."""
        if count not in self._floors:
            self._floors[count] = frechet.floor(self.features, count)
        return self._floors[count]


class Measured(NamedTuple):
    """Distances of one set of generated images, by what the columns of each set of features begin with."""

    distances: dict[str, Bootstrapped]
    floors: dict[str, frechet.Floor]

    def columns(self) -> Columns:
        """At this number of images and at infinitely many, with 95 % intervals, and what real images have there."""
        found: Columns = {}
        for prefix, distance in self.distances.items():
            floor = self.floors[prefix]
            found |= with_ends(f"{prefix}fd", (distance.estimate, *distance.interval()))
            found |= with_ends(f"{prefix}fd_infinite", (distance.infinite, *distance.infinite_interval()))
            found |= {f"{prefix}floor": floor.at_n, f"{prefix}floor_infinite": floor.infinite}
        return found

    def losses(self, reference: Measured, name: str) -> Columns:
        """How much larger the distances at infinitely many images are than those of other images from the same seeds.

        Args:
            reference: of the other images.
            name: of the columns.
        """
        found: Columns = {}
        for prefix, distance in self.distances.items():
            floor = self.floors[prefix].infinite
            loss = frechet.relative_loss(distance, reference.distances[prefix], floor)
            found |= with_ends(f"{prefix}{name}", loss)
        return found


def with_ends(name: str, values: tuple[float, float, float]) -> Columns:
    """An estimate and the ends of its interval under the names of columns; none for what is not finite."""
    ends = zip(("", "_low", "_high"), values, strict=True)
    return {f"{name}{end}": float(value) for end, value in ends if np.isfinite(value)}


def references(path: str | Path) -> dict[str, Reference]:
    """The real images of every set of features, from `reference_features.zarr.zip`.

    Features that were trained on the study's images are compared with those that were held out; Inception's with all.
    """
    data = artifacts.load(path)
    held = data["held_out"].values
    chosen_by_study = held if data.attrs["trained_here"] else np.ones_like(held)
    chosen = dict(zip(FEATURES, (chosen_by_study, held), strict=True))
    return {prefix: Reference(data[name].values[chosen[prefix]]) for prefix, name in FEATURES.items()}


def features_of(shards: list[xr.Dataset], count: int | None = None) -> dict[str, FloatArray]:
    """Every set of features of all shards, shape (sample, ...), or of the first so many images."""
    return {
        prefix: np.concatenate([shard[name].values for shard in shards])[:count] for prefix, name in FEATURES.items()
    }


def measure(
    features: Mapping[str, FloatArray], real: Mapping[str, Reference], resamples: int, seed: int = 0
) -> Measured:
    """Distances of generated images in every set of features.

    Args:
        features: shape (sample, feature) each.
        real: the same sets of real images.
        resamples: behind the intervals.
        seed: of the resampling; sets of as many images have the same resamples.
    """
    distances, floors = {}, {}
    for prefix, reference in real.items():
        distances[prefix] = frechet.bootstrap(features[prefix], reference.moments, resamples, seed)
        floors[prefix] = reference.floor(len(features[prefix]))
    return Measured(distances, floors)
