r"""Point cloud: the exact posterior of a distribution that consists of the training images (Sec. 5.2, App. J.4).

At the level (alpha, sigma) the images y_i, equally likely, become a mixture of N(alpha y_i, sigma^2 I) (Eq. 98), and

    w_i = softmax_i(-|x - alpha y_i|^2 / (2 sigma^2))
    x0_hat = sum_i w_i y_i                                                                    (Eq. 15, 100)
    score = (alpha x0_hat - x) / sigma^2                                                      (Eq. 16, 99)

The images are read in chunks, with a running softmax: memory is one chunk in float64 and a few batches.

At small sigma the weights depend on differences of squared distances of order sigma^2, while the quick form
|x|^2 - 2 alpha x.y + alpha^2 |y|^2 is wrong by about eps sqrt(D) (|x| + alpha |y|)^2. Where that error matters, the logit of
each pair that is near enough to the largest to have a weight is computed again from the sum of (x - alpha y_i)^2, which
has no such cancellation. That happens at small sigma only, where few images are so near.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from underpainting.images.training_images import load_bytes
from underpainting.noise.levels import NoiseLevel
from underpainting.theory.softmax import NEGLIGIBLE, RunningSoftmax

_CHUNK_BYTES = 64 * 2**20
_TOLERANCE = 1e-10  # error of a logit, hence relative error of a weight
_SPARE = 8  # more candidates than requested, since the quick distances may exchange nearly equal ones


@dataclass(frozen=True)
class PointCloud:
    """Equally likely images (Eq. 97), stored unchanged and converted to float64 a chunk at a time.

    Attributes:
        points: y, shape (sample, channel, height, width); bytes, which stand for byte / 127.5 - 1, or floats.
        chunk: images per chunk; 0 takes as many as 64 MiB hold in float64.

    Raises:
        ValueError: there is no image, they are neither bytes nor floats, or the chunk is negative.
    """

    points: Tensor
    chunk: int = 0

    def __post_init__(self) -> None:
        points = self.points if isinstance(self.points, Tensor) else torch.from_numpy(np.asarray(self.points))
        object.__setattr__(self, "points", points)
        if points.ndim < 2 or not points.numel():
            raise ValueError(f"a point cloud needs images, shape (sample, channel, height, width), got {points.shape}")
        if points.dtype != torch.uint8 and not points.is_floating_point():
            raise ValueError(f"points are uint8 (0 to 255) or floats (-1 to 1), got {points.dtype}; convert them")
        if self.chunk < 0:
            raise ValueError(
                f"a chunk has at least one image, got {self.chunk}; leave it out, or give a positive number"
            )

    def __len__(self) -> int:
        return self.points.shape[0]

    @property
    def pixels(self) -> int:
        return self.points.shape[1:].numel()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape (channel, height, width) of an image."""
        return tuple(self.points.shape[1:])

    @cached_property
    def squares(self) -> Tensor:
        """Squared norms |y|^2, float64, shape (sample,)."""
        result = torch.empty(len(self), dtype=torch.float64, device=self.points.device)
        # into one array: a list of small ones would keep the allocator from reusing chunks
        for start, chunk in self.chunks():
            torch.linalg.vecdot(chunk, chunk, out=result[start : start + len(chunk)])
        return result

    def chunks(self) -> Iterator[tuple[int, Tensor]]:
        """Yield first index and images of each chunk, float64, shape (sample, pixel)."""
        size = self.chunk or max(1, _CHUNK_BYTES // (8 * self.pixels))
        for start in range(0, len(self), size):
            yield start, self._values(self.points[start : start + size])

    def take(self, indices: Tensor) -> Tensor:
        """Return images by index, float64 in [-1, 1], shape (sample, pixel)."""
        return self._values(self.points[indices])

    def _values(self, points: Tensor) -> Tensor:
        values = points.flatten(1).to(torch.float64)
        return values.div_(127.5).sub_(1.0) if points.dtype == torch.uint8 else values


def from_dataset(path: str | Path) -> PointCloud:
    """Load the images of a data set artifact, one byte per value.

    Raises:
        ArtifactError: the file is missing, or its images are not in the library's range.
    """
    return PointCloud(torch.from_numpy(load_bytes(path)))


def _flat(cloud: PointCloud, images: Tensor) -> Tensor:
    if images.shape[1:].numel() != cloud.pixels:
        raise ValueError(f"images of shape {tuple(images.shape[1:])} do not fit a point cloud of {cloud.pixels} pixels")
    return images.flatten(1).to(torch.float64)


def _squared_distances(flat: Tensor, points: Tensor, squares: Tensor, alpha: float) -> Tensor:
    """Compute |x - alpha y|^2 by the quick form, shape (sample, point)."""
    ends = flat.square().sum(1)[:, None] + alpha**2 * squares
    return torch.addmm(ends, flat, points.T, alpha=-2.0 * alpha)


def _exact_distances(flat: Tensor, points: Tensor, rows: Tensor, columns: Tensor, alpha: float) -> Tensor:
    """Compute |x - alpha y|^2 of pairs (row, column) without cancellation, in blocks of pairs to bound memory."""
    blocks = [
        (flat[row] - alpha * points[column]).square().sum(1)
        for row, column in zip(rows.split(len(points)), columns.split(len(points)), strict=True)
    ]
    return torch.cat(blocks) if blocks else flat.new_zeros(0)


def _doubt(flat: Tensor, farthest: Tensor, alpha: float) -> Tensor:
    """Bound the error of differences of quick squared distances, shape (sample,).

    It covers the rounding of the sums x y and y y over the pixels, and of adding three numbers. That of x x is the same for all
    points and changes no weight; so the quick form is accurate enough at high noise, where every point counts.

    Args:
        farthest: norm of the largest image of the complete cloud, so that a row is treated alike in all chunks.
    """
    eps = torch.finfo(torch.float64).eps
    own, other = flat.norm(dim=1), alpha * farthest
    sums = (8.0 + flat.shape[1] ** 0.5) * eps * (2.0 * own * other + other**2)
    return sums + 4.0 * eps * (own + other).square()


def _logits(flat: Tensor, points: Tensor, squares: Tensor, farthest: Tensor, level: NoiseLevel, peak: Tensor) -> Tensor:
    """Compute -|x - alpha y|^2 / (2 sigma^2), exact for logits near the largest of this chunk and of `peak`."""
    temperature = 2.0 * level.sigma**2
    logits = -_squared_distances(flat, points, squares, level.alpha) / temperature
    doubt = _doubt(flat.detach(), farthest, level.alpha) / temperature
    if (doubt < _TOLERANCE).all():
        return logits
    quick = logits.detach()
    lowest = torch.maximum(peak, quick.amax(1)) + math.log(NEGLIGIBLE) - 2.0 * doubt
    rows, columns = torch.nonzero((quick >= lowest[:, None]) & (doubt >= _TOLERANCE)[:, None], as_tuple=True)
    right = _exact_distances(flat, points, rows, columns, level.alpha)
    return logits.index_put((rows, columns), -right / temperature)


def _softmax(cloud: PointCloud, images: Tensor, level: NoiseLevel, *, average: bool) -> RunningSoftmax:
    flat = _flat(cloud, images)
    running = RunningSoftmax(len(flat), flat.device)
    farthest = cloud.squares.max().sqrt()
    for start, points in cloud.chunks():
        squares = cloud.squares[start : start + len(points)]
        logits = _logits(flat, points, squares, farthest, level, running.peak)
        weights = running.weigh(logits)
        if average:
            felt = (weights > NEGLIGIBLE).any(0)
            running.add(weights @ points if felt.all() else weights[:, felt] @ points[felt])
    return running


def log_density(cloud: PointCloud, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute log p_t(x_t) in nats, with x_t as a flat vector (Eq. 98).

    Args:
        cloud: the training images.
        images: x_t, shape (sample, ...).
        level: their level, sigma > 0.

    Returns:
        float64, shape (sample,).

    Raises:
        ValueError: the images do not fit, or sigma = 0, where points have no density.
    """
    if not level.sigma > 0:
        raise ValueError("a point cloud has no density at sigma = 0; take sigma > 0")
    log_sum = _softmax(cloud, images, level, average=False).log_sum
    return log_sum - math.log(len(cloud)) - 0.5 * cloud.pixels * math.log(2 * math.pi * level.sigma**2)


def _posterior_mean(cloud: PointCloud, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute the endpoint estimate in float64, shape (sample, pixel)."""
    if level.sigma == 0:
        return cloud.take(nearest(cloud, images / level.alpha, 1)[1][:, 0])
    return _softmax(cloud, images, level, average=True).average


def endpoint(cloud: PointCloud, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute the endpoint estimate x0_hat, the training images averaged with their posterior weights (Eq. 15, 100).

    Args:
        cloud: the training images.
        images: x_t, shape (sample, ...).
        level: their level.

    Returns:
        x0_hat, in the shape and dtype of `images`; the nearest training image at sigma = 0.

    Raises:
        ValueError: the images do not fit the cloud.
    """
    return _posterior_mean(cloud, images, level).reshape(images.shape).to(images.dtype)


def score(cloud: PointCloud, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute the score grad log p_t(x_t) (Eq. 16, 99).

    Args:
        cloud: the training images.
        images: x_t, shape (sample, ...).
        level: their level, sigma > 0.

    Returns:
        in the shape and dtype of `images`.

    Raises:
        ValueError: the images do not fit, or sigma = 0.
    """
    if not level.sigma > 0:
        raise ValueError("a point cloud has no score at sigma = 0; take sigma > 0")
    pull = level.alpha * _posterior_mean(cloud, images, level) - _flat(cloud, images)
    return (pull / level.sigma**2).reshape(images.shape).to(images.dtype)


def isotropic_moments(cloud: PointCloud) -> tuple[Tensor, float]:
    """Compute the mean image, shape (channel, height, width), float64, and the mean variance of a pixel."""
    total = torch.zeros(cloud.pixels, dtype=torch.float64, device=cloud.points.device)
    for _, points in cloud.chunks():
        total += points.sum(0)
    mean = total / len(cloud)
    variance = (cloud.squares.mean() - mean.square().sum()) / cloud.pixels
    return mean.reshape(cloud.image_shape), max(float(variance), 0.0)


def last_step(cloud: PointCloud, noise: Tensor, level: NoiseLevel) -> Tensor:
    """Compute endpoint estimates for states of an isotropic Gaussian, as a single last step of the exact score gives.

    x = alpha mu + sqrt(sigma^2 + alpha^2 lambda) eps with the data's mean mu and the mean variance lambda of a pixel.

    Args:
        cloud: the training images.
        noise: eps, standard normal, shape (sample, channel, height, width).
        level: of the states; the last one with sigma > 0.
    """
    mean, variance = isotropic_moments(cloud)
    states = level.alpha * mean + (level.sigma**2 + level.alpha**2 * variance) ** 0.5 * noise.to(mean)
    return endpoint(cloud, states, level)


def nearest(cloud: PointCloud, images: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """Find the k training images nearest to each image.

    Args:
        cloud: the training images.
        images: shape (sample, ...).
        k: number of neighbours.

    Returns:
        distances, root mean square over the pixels, float64, and indices, both of shape (sample, k), nearest first; of
        up to eight equal images the one that comes first.

    Raises:
        ValueError: the images do not fit, or there are not k training images.
    """
    if not 1 <= k <= len(cloud):
        raise ValueError(f"{k} nearest of {len(cloud)} training images do not exist; take k from 1 to {len(cloud)}")
    flat = _flat(cloud, images)
    columns = _candidates(cloud, flat, min(k + _SPARE, len(cloud))).sort(dim=1).values
    exact = torch.stack([(cloud.take(column) - one).square().sum(1) for one, column in zip(flat, columns, strict=True)])
    distances, order = exact.sort(dim=1, stable=True)
    return (distances[:, :k] / cloud.pixels).sqrt(), columns.gather(1, order[:, :k])


def _candidates(cloud: PointCloud, flat: Tensor, count: int) -> Tensor:
    """Find the indices of the `count` images nearest by the quick distances, shape (sample, count), unordered."""
    best, indices = flat.new_zeros(len(flat), 0), torch.zeros(len(flat), 0, dtype=torch.int64, device=flat.device)
    for start, points in cloud.chunks():
        quick = _squared_distances(flat, points, cloud.squares[start : start + len(points)], 1.0)
        near, columns = quick.topk(min(count, len(points)), largest=False)
        both = torch.cat([best, near], 1)
        best, order = both.topk(min(count, both.shape[1]), largest=False)
        indices = torch.cat([indices, columns + start], 1).gather(1, order)
    return indices


class PointCloudDenoiser:
    """The exact posterior mean of the training images."""

    def __init__(self, cloud: PointCloud) -> None:
        self.cloud = cloud

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        return endpoint(self.cloud, images, NoiseLevel(alpha, sigma))
