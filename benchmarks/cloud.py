"""`python -m benchmarks.cloud`: the point cloud of 50,000 images of 3,072 pixels and a batch of 256, memory and duration.

Memory is that of a process that answers, less that of a process that only starts, less the images: what is needed beside
the data. Points are smooth byte images; states are some of them with noise, so that at small sigma the nearest ones are
looked at twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.job import cost
from benchmarks.measure import Ratio, ratio, table
from underpainting.noise.levels import NoiseLevel
from underpainting.theory import mixtures, point_cloud
from underpainting.theory.mixtures import Mixture, Mode
from underpainting.theory.point_cloud import PointCloud

POINTS, BATCH, SIDE = 50_000, 256, 32
GIBIBYTES = 2.0
SIGMAS = (1e-3, 0.5, 80.0)


def smooth(count: int) -> Tensor:
    """Byte images (sample, 3, 32, 32) of 8 x 8 colours."""
    coarse = torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return coarse.repeat_interleave(SIDE // 8, 2).repeat_interleave(SIDE // 8, 3)


def states(cloud: PointCloud, sigma: float) -> Tensor:
    """The first images with noise, as a sampler has them: float32."""
    clean = cloud.take(torch.arange(BATCH)).reshape(-1, *cloud.image_shape)
    return (clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))).float()


def start() -> None:
    """Nothing but the start of a process with its imports."""


def answer(count: int, sigmas: list[float], neighbours: int) -> None:
    """Endpoint estimates at each level, then the nearest images if any are wanted."""
    cloud = PointCloud(smooth(count))
    for sigma in sigmas:
        point_cloud.endpoint(cloud, states(cloud, sigma), NoiseLevel(1.0, sigma))
    if neighbours:
        point_cloud.nearest(cloud, states(cloud, 0.1), neighbours)


def memory() -> Iterator[Ratio]:
    """Peak memory beside the data, against 2 GiB."""
    held = cost("benchmarks.cloud", "start").gibibytes + POINTS * 3 * SIDE**2 / 2**30
    for name, sigmas, neighbours in (("endpoint", SIGMAS, 0), ("10 nearest", (), 10)):
        taken = cost("benchmarks.cloud", "answer", count=POINTS, sigmas=list(sigmas), neighbours=neighbours)
        ours = taken.gibibytes - held
        what = f"point cloud, {POINTS:,} images, batch {BATCH}: memory, {name}"
        value = ours / GIBIBYTES
        yield Ratio(what, "the limit", value, value, value, ours, GIBIBYTES, "below 1", "GiB")


def cloud_duration(sigma: float, count: int = 10_000) -> Ratio:
    """The endpoint estimate against the bare products with points that are float64 already: distances and average."""
    cloud = PointCloud(smooth(count))
    images, ready = states(cloud, sigma), cloud.take(torch.arange(count))
    flat = images.flatten(1).double()

    def ours() -> None:
        point_cloud.endpoint(cloud, images, NoiseLevel(1.0, sigma))

    def bare() -> None:
        (flat @ ready.T) @ ready

    name = f"point cloud, {count:,} images, batch {BATCH}, sigma {sigma:g}"
    return ratio(name, ours, "bare products", bare, "at most 2", pairs=3)


def mixture_duration(modes: int = 10, rank: int = 200) -> Ratio:
    """The endpoint estimate of a low-rank mixture against its three thin products for each mode."""
    pixels = 3 * SIDE**2
    vectors = torch.linalg.qr(torch.randn(pixels, rank, dtype=torch.float64)).Q
    variances = torch.logspace(1, -3, rank, dtype=torch.float64)
    parts = [Mode(torch.randn(pixels, dtype=torch.float64), vectors, variances, 1e-3) for _ in range(modes)]
    mixture = Mixture(torch.full((modes,), 1 / modes), parts, (3, SIDE, SIDE))
    images = 80.0 * torch.randn(BATCH, 3, SIDE, SIDE)
    flat = images.flatten(1).double()

    def bare() -> None:
        for _ in range(modes):
            coefficients = flat @ vectors
            coefficients @ vectors.T, coefficients @ vectors.T

    def ours() -> None:
        mixtures.endpoint(mixture, images, NoiseLevel(1.0, 80.0))

    name = f"mixture, {modes} modes of rank {rank}, {pixels:,} pixels, batch {BATCH}"
    return ratio(name, ours, "bare products", bare, "at most 2", pairs=5)


def cloud_cost() -> Iterator[Ratio]:
    """Memory first, while this process is small."""
    yield from memory()
    yield from (cloud_duration(sigma) for sigma in SIGMAS)
    yield mixture_duration()


if __name__ == "__main__":
    print(table(cloud_cost()))
