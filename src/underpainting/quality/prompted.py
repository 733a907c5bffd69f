"""Measures of images made under prompts: agreement, Frechet distances, error; and what is lost against other images.

An image has a prompt and the noise of a seed, both shared with others: all intervals are those of crossed clusters
(`statistics.clustered_interval`, `frechet.bootstrap`). Images that are compared have the same prompts and seeds in order.

    agreement loss   fraction of images that agree with their prompt in all that it says, of the others less that of these
    loss             relative increase of a Frechet distance, or of the root mean squared error, over that of the others
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from underpainting.analysis import statistics
from underpainting.analysis.statistics import FloatArray, Interval
from underpainting.quality import distances
from underpainting.quality.distances import Columns, MeasuredDistances, Reference, interval_columns

ALL = "all"
"""Name of the agreement with all that a prompt says, beside those of the attributes."""


class MadeImages(NamedTuple):
    """What is known of images made under prompts.

    Attributes:
        right: 1 where an attribute is what the prompt says, 0 where not, NaN where the prompt leaves it open, shape
            (sample, attribute).
        features: by column prefix, a key of `extractors.FEATURES`, shape (sample, feature) each.
        errors: squared error of each latent against the network's own solution, mean over its values, shape (sample,); NaN
            where that was not solved.
        prompts: number of each image's prompt, shape (sample,).
        seeds: seed of its noise, shape (sample,).
    """

    right: FloatArray
    features: Mapping[str, FloatArray]
    errors: FloatArray
    prompts: NDArray[np.int64]
    seeds: NDArray[np.int64]

    @property
    def all_right(self) -> FloatArray:
        """1 where the image agrees with its prompt in all that it says, else 0, shape (sample,)."""
        complete: FloatArray = np.where(np.isnan(self.right), 1.0, self.right).min(1, initial=1.0)
        return complete

    def interval(
        self, values: FloatArray, function: Callable[[FloatArray], FloatArray] | None = None
    ) -> Interval | None:
        """Compute the interval of a mean, or of a function of it, over the images that have values; None for too few."""
        known = np.isfinite(values).reshape(len(values), -1).all(1)
        clusters = [self.prompts[known], self.seeds[known]]
        if not known.any() or min(len(np.unique(labels)) for labels in clusters) < 2:
            return None
        return statistics.clustered_interval(values[known], clusters, function)


class Measured(NamedTuple):
    """Images with their measures, as columns, and their distances for comparisons."""

    images: MadeImages
    columns: Columns
    found: MeasuredDistances


def measure(images: MadeImages, names: Sequence[str], real: Mapping[str, Reference], resamples: int = 200) -> Measured:
    """Measure images: agreement of each attribute and of all, distances with floors, and the RMSE, with intervals.

    Args:
        images: what is known of them.
        names: of the attributes.
        real: real images of the same prompts, each as often.
        resamples: of the intervals of the distances.
    """
    columns: Columns = {}
    for name, values in zip([*names, ALL], [*images.right.T, images.all_right], strict=True):
        if (interval := images.interval(values)) is not None:
            columns |= _columns(f"agreement_{name}", statistics.clip(interval, 0, 1))
    clusters = (images.prompts, images.seeds)
    found = distances.measure_distances(images.features, real, resamples, clusters=clusters)
    if (rmse := images.interval(images.errors, np.sqrt)) is not None:
        columns |= _columns("rmse_to_network", statistics.clip(rmse, 0))
    return Measured(images, columns | found.columns(), found)


def losses(measured: Measured, other: Measured, suffix: str = "") -> Columns:
    """Compute what some images lose against others of the same prompts and seeds.

    Args:
        measured: the images.
        other: those that they are compared with.
        suffix: of the columns' names.

    Raises:
        ValueError: the images do not have the same prompts and seeds.
    """
    first, second = measured.images, other.images
    if not (np.array_equal(first.prompts, second.prompts) and np.array_equal(first.seeds, second.seeds)):
        raise ValueError("images that are compared need the same prompts and seeds in the same order")
    columns: Columns = {}
    if (difference := first.interval(second.all_right - first.all_right)) is not None:
        columns |= _columns(f"agreement_loss{suffix}", statistics.clip(difference, -1, 1))
    columns |= measured.found.losses(other.found, f"loss{suffix}")
    errors = np.stack([first.errors, second.errors], 1)
    relative = first.interval(errors, lambda mean: np.sqrt(mean[0] / mean[1]) - 1) if (errors[:, 1] > 0).any() else None
    return columns if relative is None else columns | _columns(f"network_loss{suffix}", statistics.clip(relative, -1))


def _columns(name: str, interval: Interval) -> Columns:
    return interval_columns(name, *interval[:3])
