"""The point cloud against sums over all points in float64, automatic differentiation and torch.distributions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from underpainting.io import artifacts
from underpainting.noise.levels import NoiseLevel, vp_level
from underpainting.theory import mixtures, point_cloud
from underpainting.theory.mixtures import Mixture, Mode
from underpainting.theory.point_cloud import PointCloud, PointCloudDenoiser

SIGMAS = [1e-4, 1e-3, 0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 200.0]
LEVELS = [NoiseLevel(1.0, sigma) for sigma in SIGMAS] + [vp_level(sigma) for sigma in SIGMAS]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def byte_cloud(count: int = 50, seed: int = 0, chunk: int = 7) -> PointCloud:
    return PointCloud(torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, 1, 4, 4), np.uint8)), chunk)


def near_points(cloud: PointCloud, level: NoiseLevel, count: int = 6, seed: int = 1) -> Tensor:
    """States x_t of some of the points, with noise."""
    chosen = cloud.take(torch.arange(count) * (len(cloud) // count)).reshape(-1, *cloud.image_shape)
    return level.alpha * chosen + level.sigma * random(*chosen.shape, seed=seed)


def brute(cloud: PointCloud, images: Tensor, level: NoiseLevel) -> tuple[Tensor, Tensor]:
    """Log density and endpoint estimate by sums over all points, differences taken before they are squared."""
    points = cloud.take(torch.arange(len(cloud)))
    difference = images.flatten(1)[:, None] - level.alpha * points
    normal = Normal(torch.zeros((), dtype=torch.float64), level.sigma).log_prob(difference).sum(2)
    density = normal.logsumexp(1) - torch.tensor(float(len(cloud)), dtype=torch.float64).log()
    return density, (normal.softmax(1) @ points).reshape(images.shape)


def error(found: Tensor, expected: Tensor) -> float:
    assert found.isfinite().all()
    return float((found - expected).abs().max() / expected.abs().max())


# --- the formulas ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_all_three_functions_are_those_of_the_sum_over_all_points(level: NoiseLevel) -> None:
    cloud = byte_cloud()
    images = near_points(cloud, level)
    density, endpoint = brute(cloud, images, level)
    assert error(point_cloud.log_density(cloud, images, level), density) < 1e-10
    assert error(point_cloud.endpoint(cloud, images, level), endpoint) < 1e-10
    by_hand = (level.alpha * endpoint - images) / level.sigma**2
    assert error(point_cloud.score(cloud, images, level), by_hand) < 1e-9


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_score_is_the_gradient_of_the_log_density(level: NoiseLevel) -> None:
    cloud = byte_cloud()
    images = near_points(cloud, level).requires_grad_()
    score = point_cloud.score(cloud, images.detach(), level)
    for density in (point_cloud.log_density(cloud, images, level), brute(cloud, images, level)[0]):
        (gradient,) = torch.autograd.grad(density.sum(), images)
        assert error(score, gradient) < 1e-10


def test_log_density_is_that_of_torch_distributions() -> None:
    cloud, level = byte_cloud(20), NoiseLevel(0.8, 0.6)
    images = near_points(cloud, level)
    parts = Independent(Normal(level.alpha * cloud.take(torch.arange(20)), level.sigma), 1)
    expected = MixtureSameFamily(Categorical(torch.ones(20, dtype=torch.float64)), parts).log_prob(images.flatten(1))
    assert error(point_cloud.log_density(cloud, images, level), expected) < 1e-12


@given(
    seed=st.integers(0, 2**16),
    count=st.integers(1, 30),
    chunk=st.integers(0, 31),
    exponent=st.floats(-4, 2.3),
    alpha=st.floats(0.05, 1.0),
)
def test_chunks_do_not_matter(seed: int, count: int, chunk: int, exponent: float, alpha: float) -> None:
    level = NoiseLevel(alpha, 10**exponent)
    cloud = PointCloud(random(count, 1, 2, 2, seed=seed), chunk)
    images = near_points(cloud, level, 1, seed)
    density, endpoint = brute(cloud, images, level)
    assert error(point_cloud.log_density(cloud, images, level), density) < 1e-10
    assert error(point_cloud.endpoint(cloud, images, level), endpoint) < 1e-10


@pytest.mark.parametrize("sigma", [1e-4, 1e-3, 1e-2])
def test_near_duplicates_are_weighed_rightly_at_small_sigma(sigma: float) -> None:
    """Points about sigma apart, with large norms: |x|^2 - 2 x.y + |y|^2 alone gets their weights wrong."""
    level, base = NoiseLevel(1.0, sigma), 50.0 + random(1, 3, 8, 8)
    cloud = PointCloud(base + sigma / 192**0.5 * random(40, 3, 8, 8, seed=2), 16)
    images = base + sigma * random(5, 3, 8, 8, seed=3)
    density, endpoint = brute(cloud, images, level)
    quick = torch.softmax(
        -(
            images.flatten(1).square().sum(1)[:, None]
            - 2 * images.flatten(1) @ cloud.points.flatten(1).T
            + cloud.squares
        )
        / (2 * sigma**2),
        1,
    )
    assert error(point_cloud.log_density(cloud, images, level), density) < 1e-10
    spread = (cloud.points - base).abs().max()
    found = (point_cloud.endpoint(cloud, images, level) - endpoint).abs().max() / spread
    assert found < 1e-8  # 50 is rounded by 1e-14
    if sigma <= 1e-3:
        careless = ((quick @ cloud.points.flatten(1)).reshape(images.shape) - endpoint).abs().max() / spread
        assert careless > 1e3 * found


@pytest.mark.parametrize("sigma", [0.2, 1.0, 5.0, 25.0, 200.0])
def test_many_pixels_cost_no_digits(sigma: float) -> None:
    """At 64 x 64 in colour, where the quick way is taken at high noise: x x is rounded most, and it weighs nothing."""
    level = vp_level(sigma)
    cloud = PointCloud(torch.from_numpy(np.random.default_rng(4).integers(120, 136, (60, 3, 64, 64), np.uint8)), 25)
    images = near_points(cloud, level, 3)
    density, endpoint = brute(cloud, images, level)
    assert error(point_cloud.log_density(cloud, images, level), density) < 1e-10
    assert error(point_cloud.endpoint(cloud, images, level), endpoint) < 1e-10


@pytest.mark.parametrize("level", [NoiseLevel(1.0, 0.3), NoiseLevel(0.5, 2.0)], ids=str)
def test_a_mixture_of_vanishing_width_is_the_point_cloud(level: NoiseLevel) -> None:
    cloud = byte_cloud(12)
    points = cloud.take(torch.arange(12))
    images = near_points(cloud, level)
    none = torch.zeros(0, dtype=torch.float64)
    errors = []
    for width in (1e-2, 1e-4, 0.0):
        modes = [Mode(point, none.expand(16, 0), none, width) for point in points]
        mixture = Mixture(torch.full((12,), 1 / 12), modes, (1, 4, 4))
        pairs = [(getattr(mixtures, name), getattr(point_cloud, name)) for name in ("log_density", "endpoint", "score")]
        errors.append([error(ours(mixture, images, level), limit(cloud, images, level)) for ours, limit in pairs])
    wide, narrow, points_only = (np.array(each) for each in errors)
    assert (narrow < 0.1 * wide).all() and (points_only < 1e-12).all()


def test_pure_noise_gives_the_mean_image_and_no_noise_the_nearest() -> None:
    cloud = byte_cloud()
    images = near_points(cloud, NoiseLevel(1.0, 0.01))
    mean = cloud.take(torch.arange(len(cloud))).mean(0).reshape(1, 1, 4, 4).expand_as(images)
    assert torch.allclose(point_cloud.endpoint(cloud, images, NoiseLevel(0.0, 1.0)), mean, atol=1e-14)
    chosen = cloud.take(torch.arange(6) * 8).reshape(images.shape)
    assert torch.equal(point_cloud.endpoint(cloud, 0.5 * images, NoiseLevel(0.5, 0.0)), chosen)


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_nothing_overflows_far_from_all_points(level: NoiseLevel) -> None:
    cloud = byte_cloud()
    for images in (1e3 * random(3, 1, 4, 4), torch.zeros(3, 1, 4, 4, dtype=torch.float64)):
        for dtype in (torch.float32, torch.float64):
            for function in (point_cloud.log_density, point_cloud.endpoint, point_cloud.score):
                assert function(cloud, images.to(dtype), level).isfinite().all()


def test_denoiser_keeps_shape_and_dtype() -> None:
    cloud, level = byte_cloud(), NoiseLevel(0.9, 0.4)
    images = near_points(cloud, level).float()
    found = PointCloudDenoiser(cloud)(images, level.alpha, level.sigma)
    assert found.dtype == torch.float32 and found.shape == images.shape
    assert error(found.double(), brute(cloud, images.double(), level)[1]) < 1e-6


# --- nearest images --------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**16), chunk=st.integers(1, 60), k=st.integers(1, 50))
def test_nearest_images_are_those_of_scikit_learn(seed: int, chunk: int, k: int) -> None:
    cloud = byte_cloud(seed=seed, chunk=chunk)
    images = random(4, 1, 4, 4, seed=seed)
    peer = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(cloud.take(torch.arange(50)).numpy())
    expected, which = peer.kneighbors(images.flatten(1).numpy())
    distances, indices = point_cloud.nearest(cloud, images, k)
    assert torch.allclose(distances, torch.from_numpy(expected) / 4, atol=1e-9)
    assert torch.equal(indices, torch.from_numpy(which))


def test_a_training_image_is_its_own_nearest_at_distance_zero_and_the_first_of_equals() -> None:
    points = byte_cloud(20).points
    cloud = PointCloud(torch.cat([points, points]), 6)
    distances, indices = point_cloud.nearest(cloud, cloud.take(torch.arange(20)).reshape(-1, 1, 4, 4), 2)
    assert (distances == 0).all()
    assert torch.equal(indices, torch.stack([torch.arange(20), torch.arange(20, 40)], 1))


# --- files, memory, slips --------------------------------------------------------------------------------------------


def test_a_data_set_artifact_becomes_a_cloud_of_bytes(tmp_path: Path) -> None:
    values = (byte_cloud().points.numpy() / np.float32(127.5) - 1).astype(np.float32)
    dims = ("sample", *artifacts.IMAGE_DIMS)
    path = tmp_path / "dataset.zarr.zip"
    artifacts.save(xr.Dataset({"images": artifacts.image_array(values, dims, "images")}), path)
    assert torch.equal(point_cloud.from_dataset(path).points, byte_cloud().points)


PEAK = """
import torch
from pathlib import Path
from underpainting.theory import point_cloud
from underpainting.noise.levels import NoiseLevel

def peak():  # of this process alone; getrusage would start with what its parent had
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

torch.set_num_threads(1)
torch.manual_seed(0)
points = torch.randint(0, 256, (20000, 1, 32, 32), dtype=torch.uint8)
images = torch.randn(64, 1, 32, 32)

def work(cloud):
    for sigma in (1e-3, 80.0):
        point_cloud.endpoint(cloud, images, NoiseLevel(1.0, sigma))
    point_cloud.nearest(cloud, images, 3)

work(point_cloud.PointCloud(points[:1000], 500))
before = peak()
work(point_cloud.PointCloud(points, 500))
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_memory_does_not_grow_with_the_number_of_points() -> None:
    """Twenty times as many points as in the first call; in float64 they would take 160 MiB, their differences 10 GiB."""
    result = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 80 * 1024  # KiB; what the allocator keeps varies from run to run


def test_slips_are_named() -> None:
    cloud, images = byte_cloud(), torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match=r"shape \(3, 4, 4\) do not fit a point cloud of 16 pixels"):
        point_cloud.endpoint(cloud, torch.zeros(1, 3, 4, 4), NoiseLevel(1.0, 1.0))
    with pytest.raises(ValueError, match="no density at sigma = 0"):
        point_cloud.log_density(cloud, images, NoiseLevel(1.0, 0.0))
    with pytest.raises(ValueError, match="no score at sigma = 0"):
        point_cloud.score(cloud, images, NoiseLevel(1.0, 0.0))
    with pytest.raises(ValueError, match="51 nearest of 50 training images do not exist; take k from 1 to 50"):
        point_cloud.nearest(cloud, images, 51)
    with pytest.raises(ValueError, match=r"uint8 \(0 to 255\) or floats"):
        PointCloud(torch.zeros(3, 1, 4, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match="needs images"):
        PointCloud(torch.zeros(0, 1, 4, 4))
    with pytest.raises(ValueError, match="at least one image"):
        PointCloud(torch.zeros(3, 1, 4, 4), -1)


@pytest.mark.parametrize("chunk", [7, 50])
def test_moments_are_those_of_all_points(chunk: int) -> None:
    cloud = byte_cloud(chunk=chunk)
    points = cloud.take(torch.arange(50)).numpy()
    mean, variance = point_cloud.isotropic_moments(cloud)
    np.testing.assert_allclose(mean.numpy(), points.mean(0).reshape(1, 4, 4))
    assert variance == pytest.approx(points.var(0).mean())


def test_the_last_step_alone_ends_at_a_training_image_where_its_noise_is_small() -> None:
    cloud, noise = byte_cloud(), random(9, 1, 4, 4)
    small = point_cloud.last_step(cloud, noise, NoiseLevel(1.0, 1e-4))
    assert float(point_cloud.nearest(cloud, small)[0].max()) < 1e-12
    level = NoiseLevel(1e-3, 1.0)
    large = point_cloud.last_step(cloud, noise, level)
    torch.testing.assert_close(large, point_cloud.isotropic_moments(cloud)[0].expand_as(large), atol=0.02, rtol=0)
    mean, variance = point_cloud.isotropic_moments(cloud)
    states = 1e-3 * mean + (1 + 1e-6 * variance) ** 0.5 * noise
    torch.testing.assert_close(large, brute(cloud, states, level)[1])
