"""Shapes of trajectories whose geometry is known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from underpainting import shards, trajectories
from underpainting.basis import eigenbasis
from underpainting.denoisers import GaussianDenoiser, noise_prediction
from underpainting.measures import comparison, geometry
from underpainting.noise import NoiseGrid, vp_level
from underpainting.sampling import Sampler
from underpainting.theory import gaussian

SEEDS = st.integers(0, 2**31)


def grid(steps: int = 20) -> NoiseGrid:
    return NoiseGrid.of([*(vp_level(ratio) for ratio in np.geomspace(100, 0.01, steps)), vp_level(0.0)])


def ends(seed: int, samples: int = 3, pixels: int = 12) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((samples, pixels)), generator.standard_normal((samples, pixels))


def rotating(seed: int, levels: NoiseGrid) -> np.ndarray:
    """alpha_t x_0 + sigma_t noise: what Eq. 7 describes."""
    image, noise = ends(seed)
    return levels.alpha[:, None] * image[:, None] + levels.sigma[:, None] * noise[:, None]


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_a_rotation_leaves_nothing_over(seed: int) -> None:
    levels = grid()
    result = geometry.residuals(rotating(seed, levels), levels)
    for values in result:
        np.testing.assert_allclose(values, 0, atol=1e-12)


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_the_plane_never_leaves_more_than_the_rotation(seed: int) -> None:
    levels = grid()
    states = rotating(seed, levels) + 0.1 * np.random.default_rng(seed).standard_normal((3, len(levels), 12))
    result = geometry.residuals(states, levels)
    assert (result.plane <= result.rotation + 1e-12).all()
    assert (result.plane_step <= result.rotation_step + 1e-12).all()
    assert (result.top2 <= result.plane + 1e-12).all(), "the best plane through the mean is at least as good"


@given(seed=SEEDS, rank=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_explained_variance_equals_singular_values(seed: int, rank: int) -> None:
    generator = np.random.default_rng(seed)
    points = generator.standard_normal((2, 9, rank)) @ generator.standard_normal((2, rank, 15))
    explained = geometry.explained_variance(points)
    for one, found in zip(points, explained, strict=True):
        values = np.square(np.linalg.svd(one - one.mean(0), compute_uv=False))
        np.testing.assert_allclose(found, np.cumsum(values) / values.sum(), atol=1e-10)
    assert (geometry.dimension(explained, 1.0 - 1e-9) <= rank).all()


def test_points_that_do_not_move_need_one_dimension() -> None:
    explained = geometry.explained_variance(np.ones((1, 5, 4)))
    np.testing.assert_array_equal(explained, 1.0)
    assert geometry.dimension(explained).tolist() == [1]


def test_dimension_counts_components_up_to_the_fraction() -> None:
    explained = np.array([[0.5, 0.9, 0.9995, 1.0], [0.9991, 1.0, 1.0, 1.0]])
    assert geometry.dimension(explained).tolist() == [3, 1]


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_plane_coordinates_keep_lengths_and_angles_of_the_ends(seed: int) -> None:
    states = rotating(seed, grid())[0]
    flat = geometry.plane_coordinates(states)
    np.testing.assert_allclose(flat[[0, -1]] @ flat[[0, -1]].T, states[[0, -1]] @ states[[0, -1]].T, atol=1e-9)
    assert flat[0, 1] == pytest.approx(0, abs=1e-12)
    assert flat[-1, 1] >= 0


def test_noise_predictions_agree_with_the_denoisers() -> None:
    levels, generator = grid(6), np.random.default_rng(0)
    states, endpoints = generator.standard_normal((2, 2, 7, 5))
    found = geometry.noise_predictions(states, endpoints, levels)
    assert found.shape == (2, 6, 5)
    for step in range(6):
        expected = noise_prediction(
            torch.from_numpy(states[:, step]), torch.from_numpy(endpoints[:, step]), levels[step]
        )
        np.testing.assert_allclose(found[:, step], expected.numpy(), rtol=1e-12)


def gaussian_trajectories(steps: int) -> tuple[eigenbasis.Eigenbasis, trajectories.xr.Dataset]:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    images = np.random.default_rng(1).standard_normal((50, 16)) * np.geomspace(1, 0.05, 16)
    basis = eigenbasis.dense(images.mean(0), np.cov(images, rowvar=False), (1, 4, 4))
    sampler = Sampler("ddim", steps, DDIMScheduler(clip_sample=False))
    return basis, trajectories.record(sampler, GaussianDenoiser(basis), range(5), (1, 4, 4))


def test_a_gaussian_denoiser_is_predicted_up_to_discretisation() -> None:
    errors = []
    for steps in (50, 200):
        basis, data = gaussian_trajectories(steps)
        states, endpoints = torch.from_numpy(data["state"].values), torch.from_numpy(data["endpoint"].values)
        prediction = comparison.predict(basis, states[:, 0], trajectories.grid_of(data))
        found = comparison.errors(basis, prediction, states, endpoints)
        assert found.state.shape == (5, steps + 1)
        assert (found.state[:, 0] == 0).all()
        total = found.component.sum(1) / 16
        torch.testing.assert_close(total, found.state[:, -1], rtol=1e-6, atol=1e-12)
        errors.append(float(found.state[:, -1].mean()))
    assert errors[1] < errors[0] / 4


def test_the_prediction_ends_where_the_noise_filter_says() -> None:
    basis, data = gaussian_trajectories(20)
    levels = trajectories.grid_of(data)
    start = torch.from_numpy(data["state"].values[:, 0]).double()
    predicted = comparison.predict(basis, start, levels).state[:, -1].flatten(1)
    filtered = (
        basis.mean + (start.flatten(1) - levels[0].alpha * basis.mean) @ gaussian.noise_filter(basis, levels[0]).T
    )
    torch.testing.assert_close(predicted, filtered, rtol=1e-9, atol=1e-9)


def test_shards_are_read_in_order_and_found_by_seed(tmp_path: Path) -> None:
    from underpainting import artifacts

    _, data = gaussian_trajectories(4)
    files = [tmp_path / "a.zarr.zip", tmp_path / "b.zarr.zip"]
    for file, part in zip(files, (slice(0, 3), slice(3, 5)), strict=True):
        artifacts.save(data.isel(sample=part), file)
    together = shards.concatenate(shards.batches(files, 2))
    np.testing.assert_array_equal(together["state"].values, data["state"].values)
    np.testing.assert_array_equal(together["alpha"].values, data["alpha"].values)
    assert int(shards.sample(files, 4)["seed"]) == 4
    with pytest.raises(artifacts.ArtifactError, match="seed 9"):
        shards.sample(files, 9)
