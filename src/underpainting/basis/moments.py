r"""Computes the mean and covariance of a stream of images (Sec. 5), without holding the data set in memory.

A batch B of n images with mean m and scatter S = sum (x - m)(x - m)^T joins the moments so far (N, M, T) by

    d = m - M,    M <- M + d n / (N + n),    T <- T + S + d d^T N n / (N + n)             (Chan et al. 1979)

which is exact, numerically stable, and the same for a batch, a shard or another machine's result. All sums are float64.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@dataclass
class Moments:
    """Count, mean and scatter of the images seen so far.

    Attributes:
        count: number of images.
        mean: shape (pixel,), in image units.
        scatter: sum of (x - mean)(x - mean)^T, shape (pixel, pixel); only its diagonal, shape (pixel,),
            if the moments are diagonal.
    """

    count: int
    mean: FloatArray
    scatter: FloatArray

    @classmethod
    def empty(cls, pixels: int, *, diagonal: bool = False) -> Moments:
        """Return the moments of no image; `diagonal` keeps only variances, for images too large for a covariance."""
        return cls(0, np.zeros(pixels), np.zeros(pixels if diagonal else (pixels, pixels)))

    @property
    def diagonal(self) -> bool:
        return self.scatter.ndim == 1

    def update(self, images: ArrayLike) -> None:
        """Add a batch of images, shape (sample, ...), flattened to (sample, pixel).

        Raises:
            ValueError: the images have another number of pixels, or values that are not finite.
        """
        batch = np.asarray(images, np.float64)
        batch = batch.reshape(len(batch), prod(batch.shape[1:]))
        if batch.shape[1] != len(self.mean):
            raise ValueError(f"images of {batch.shape[1]} pixels do not fit moments of {len(self.mean)} pixels")
        if not len(batch):
            return
        mean = batch.mean(0)
        if not np.isfinite(mean).all():  # the mean is cheap to check, and NaN and infinity propagate to it
            raise ValueError("an image holds values that are not finite (NaN or infinity)")
        if self.diagonal:
            self._join(len(batch), mean, np.square(batch - mean).sum(0))
            return
        # the term d d^T N n / (N + n) is one more row of the product, which saves two passes over a full matrix
        total = self.count + len(batch)
        rows = np.empty((len(batch) + 1, len(mean)))
        np.subtract(batch, mean, out=rows[:-1])
        rows[-1] = (mean - self.mean) * np.sqrt(self.count * len(batch) / total)
        self.scatter += rows.T @ rows
        self.mean = self.mean + (mean - self.mean) * (len(batch) / total)
        self.count = total

    def merge(self, other: Moments) -> None:
        """Add other moments, as if their images had been seen here.

        Raises:
            ValueError: the other moments are of another size or kind.
        """
        if other.scatter.shape != self.scatter.shape:
            raise ValueError(f"moments of shapes {other.scatter.shape} and {self.scatter.shape} do not merge")
        if other.count:
            self._join(other.count, other.mean, other.scatter)

    def _join(self, count: int, mean: FloatArray, scatter: FloatArray) -> None:
        total = self.count + count
        shift = mean - self.mean
        weight = self.count * count / total
        self.mean = self.mean + shift * (count / total)
        self.scatter += scatter
        if weight:
            self.scatter += weight * (np.square(shift) if self.diagonal else np.outer(shift, shift))
        self.count = total

    def covariance(self, ddof: int = 1) -> FloatArray:
        """Return the covariance, shape (pixel, pixel); for diagonal moments the variances, shape (pixel,).

        Zero for a single image, whose distribution is a point.

        Raises:
            ValueError: no image has been seen.
        """
        if not self.count:
            raise ValueError("the covariance of no image is not defined")
        return self.scatter / max(self.count - ddof, 1)

    @property
    def total_variance(self) -> float:
        """Trace of the covariance."""
        scatter = self.scatter if self.diagonal else np.diag(self.scatter)
        return float(scatter.sum()) / max(self.count - 1, 1)


def moments_of_batches(batches: Iterable[ArrayLike], pixels: int, *, diagonal: bool = False) -> Moments:
    """Compute the moments of a stream of batches, each of shape (sample, ...)."""
    moments = Moments.empty(pixels, diagonal=diagonal)
    for batch in batches:
        moments.update(batch)
    return moments


def moments_by_class(
    batches: Iterable[tuple[ArrayLike, ArrayLike]], pixels: int, classes: int, *, diagonal: bool = False
) -> list[Moments]:
    """Compute the moments of each class from a stream of (images, labels); merge them for the complete data set.

    Args:
        batches: images of shape (sample, ...) with integer labels in [0, classes) of shape (sample,).
        pixels: number of values in an image.
        classes: number of classes.
        diagonal: keep only variances.

    Raises:
        ValueError: a label lies outside [0, classes).
    """
    result = [Moments.empty(pixels, diagonal=diagonal) for _ in range(classes)]
    for images, labels in batches:
        images, labels = np.asarray(images), np.asarray(labels)
        if len(labels) and (labels.min() < 0 or labels.max() >= classes):
            raise ValueError(f"labels run from {labels.min()} to {labels.max()}, outside [0, {classes})")
        for label in np.unique(labels):
            result[label].update(images[labels == label])
    return result
