"""Shapes of trajectories whose geometry is known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scripts import measure_geometry
from underpainting.analysis import comparison, geometry
from underpainting.basis import eigenbasis
from underpainting.denoisers import noise_prediction
from underpainting.io import shards
from underpainting.noise.levels import NoiseGrid, vp_level
from underpainting.samplers import trajectories
from underpainting.samplers.walk import Sampler
from underpainting.theory import gaussian
from underpainting.theory.gaussian import GaussianDenoiser
from underpainting.theory.isotropic import IsotropicDenoiser

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
    result = geometry.residuals(rotating(seed, levels), levels)._asdict()
    caption = result.pop("rotation_caption")
    for values in result.values():
        np.testing.assert_allclose(values, 0, atol=1e-12)
    assert (caption > 1e-7).all(), "the caption takes x_T for pure noise, which it is not at alpha_T = 0.01"
    assert (caption < 1e-3).all()


def without_image(levels: NoiseGrid, seed: int = 0) -> np.ndarray:
    """The same from pure noise."""
    image, noise = ends(seed)
    return levels.alpha[:, None] * image[:, None] + levels.sigma[:, None] * noise[:, None]


@pytest.mark.parametrize("kind", ["preserving", "flow", "exploding"])
def test_the_rotation_of_the_caption_from_pure_noise(kind: str) -> None:
    time = np.linspace(1, 0, 11)
    angle = np.pi / 2 * time
    paths = {
        "preserving": NoiseGrid(np.append(0.0, np.cos(angle[1:])), np.sin(angle)),
        "flow": NoiseGrid(1 - time, time),
        "exploding": NoiseGrid(np.ones(11), 1e6 * time),
    }
    levels = paths[kind]
    states = without_image(levels)
    np.testing.assert_allclose(geometry.residuals(states, levels).rotation_caption, 0, atol=1e-10)
    if kind == "preserving":
        expected = levels.alpha[:, None] * states[:, -1:] + np.sqrt(1 - levels.alpha[:, None] ** 2) * states[:, :1]
        np.testing.assert_allclose(geometry.caption_rotation_states(states, levels), expected, atol=1e-12)


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_the_top_two_over_the_norm_and_over_the_variance(seed: int) -> None:
    levels = grid()
    states = rotating(seed, levels) + np.random.default_rng(seed).standard_normal((3, len(levels), 12))
    result = geometry.residuals(states, levels)
    for number, one in enumerate(states):
        values = np.square(np.linalg.svd(one - one.mean(0), compute_uv=False))
        assert result.top2[number] == pytest.approx(values[2:].sum() / np.square(one).sum())
        assert result.top2_variance[number] == pytest.approx(values[2:].sum() / values.sum())


def trembling(seed: int, samples: int = 3, steps: int = 9, pixels: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((samples, steps, pixels)).cumsum(1)


@given(seed=SEEDS, pixels=st.integers(3, 30))
@settings(max_examples=25, deadline=None)
def test_a_random_walk_keeps_start_and_step_lengths(seed: int, pixels: int) -> None:
    states = trembling(seed, pixels=pixels)[0]
    walk = geometry.random_walk(states, np.random.default_rng(seed))
    assert walk.shape == (9, min(9, pixels))
    assert np.linalg.norm(walk[0]) == pytest.approx(np.linalg.norm(states[0]))
    lengths = [np.linalg.norm(np.diff(points, axis=0), axis=1) for points in (walk, states)]
    np.testing.assert_allclose(lengths[0], lengths[1])


@pytest.mark.parametrize("pixels", [4, 40])
def test_a_random_walk_is_distributed_as_one_in_pixel_space(pixels: int) -> None:
    random, states = np.random.default_rng(0), trembling(1, pixels=pixels)[0]
    lengths = np.linalg.norm(np.diff(states, axis=0), axis=1)
    steps = random.standard_normal((4000, 8, pixels))
    steps *= (lengths / np.linalg.norm(steps, axis=2))[:, :, None]
    plain = np.concatenate([np.tile(states[:1], (4000, 1, 1)), states[0] + steps.cumsum(1)], 1)
    drawn = np.stack([geometry.random_walk(states, random) for _ in range(4000)])
    for measure in (
        lambda walks: np.square(walks[:, -1]).sum(1),  # feels the angles to the start
        lambda walks: geometry.explained_variance(walks)[:, 0],
        lambda walks: geometry.explained_variance(walks)[:, 1],
    ):
        assert stats.ks_2samp(measure(plain), measure(drawn)).pvalue > 1e-3


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_the_chord_is_as_near_as_any_of_its_points(seed: int) -> None:
    states = trembling(seed)
    found = geometry.chord_distance(states)
    places = np.linspace(0, 1, 2001)[:, None]
    for number, one in enumerate(states):
        chord = one[0] + places * (one[-1] - one[0])
        brute = np.square(one[:, None] - chord).sum(2).min(1)
        np.testing.assert_allclose(found[number], brute, atol=1e-5 * np.square(one[-1] - one[0]).sum())
        assert (found[number] <= brute + 1e-9).all()


def test_another_image_spans_another_plane() -> None:
    states, levels = trembling(0), NoiseGrid(np.linspace(0.1, 1, 9), np.linspace(1, 0, 9))
    others = np.roll(states[:, -1], 1, 0)
    found = geometry.null_residuals(states, others, levels, range(3))
    for number, one in enumerate(states):
        spanning = np.stack([one[0], others[number]], 1)
        left = one.T - spanning @ np.linalg.lstsq(spanning, one.T)[0]
        assert found.plane[number] == pytest.approx(np.square(left).sum() / np.square(one).sum())
    itself = geometry.null_residuals(states, states[:, -1], levels, range(3))
    np.testing.assert_allclose(itself.plane, geometry.residuals(states, levels).plane, rtol=1e-9)


def test_a_walk_belongs_to_its_seed() -> None:
    states, levels = trembling(0, samples=4), NoiseGrid(np.linspace(0.1, 1, 9), np.linspace(1, 0, 9))
    together = geometry.null_residuals(states, states[:, -1], levels, range(4))
    alone = geometry.null_residuals(states[2:], states[2:, -1], levels, [2, 3])
    np.testing.assert_array_equal(together.top2[2:], alone.top2)
    assert len(set(together.top2)) == 4


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_a_pure_rotation_in_pixel_space_has_the_gaps_of_the_null(seed: int) -> None:
    levels, states = grid(), trembling(seed, steps=21)
    turned = geometry.rotation_states(states, levels)
    noise = geometry.noise_predictions(turned, np.repeat(turned[:, -1:], 21, 1), levels)
    state, difference, predicted = (
        geometry.components_needed(geometry.explained_variance(points))
        for points in (turned, np.diff(turned, axis=1), noise)
    )
    gaps = geometry.rotation_dimension_gaps(states, levels)
    np.testing.assert_array_equal(gaps[0], difference - state)
    assert (predicted == 1).all(), "noise predictions that all point at the noise do not move"
    np.testing.assert_array_equal(gaps[1], 1 - difference)


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
    assert (geometry.components_needed(explained, 1.0 - 1e-9) <= rank).all()


def test_points_that_do_not_move_need_one_dimension() -> None:
    explained = geometry.explained_variance(np.ones((1, 5, 4)))
    np.testing.assert_array_equal(explained, 1.0)
    assert geometry.components_needed(explained).tolist() == [1]


def test_dimension_counts_components_up_to_the_fraction() -> None:
    explained = np.array([[0.5, 0.9, 0.9995, 1.0], [0.9991, 1.0, 1.0, 1.0]])
    assert geometry.components_needed(explained).tolist() == [3, 1]


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
        prediction = comparison.closed_form_trajectory(
            GaussianDenoiser(basis), states[:, 0], trajectories.grid_of(data)
        )
        found = comparison.squared_errors(basis, prediction, states, endpoints)
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
    predicted = comparison.closed_form_trajectory(GaussianDenoiser(basis), start, levels).state[:, -1].flatten(1)
    filtered = (
        basis.mean + (start.flatten(1) - levels[0].alpha * basis.mean) @ gaussian.noise_filter(basis, levels[0]).T
    )
    torch.testing.assert_close(predicted, filtered, rtol=1e-9, atol=1e-9)


def test_shards_are_read_in_order_and_found_by_seed(tmp_path: Path) -> None:
    from underpainting.io import artifacts

    _, data = gaussian_trajectories(4)
    files = [tmp_path / "a.zarr.zip", tmp_path / "b.zarr.zip"]
    for file, part in zip(files, (slice(0, 3), slice(3, 5)), strict=True):
        artifacts.save(data.isel(sample=part), file)
    together = shards.concatenate(shards.batches(files, 2))
    np.testing.assert_array_equal(together["state"].values, data["state"].values)
    np.testing.assert_array_equal(together["alpha"].values, data["alpha"].values)
    assert int(shards.load_sample(files, 4)["seed"]) == 4
    with pytest.raises(artifacts.ArtifactError, match="seed 9"):
        shards.load_sample(files, 9)


def test_errors_of_the_isotropic_gaussian_are_those_of_a_gaussian_without_directions() -> None:
    basis, data = gaussian_trajectories(10)
    flat = eigenbasis.dense(basis.mean.numpy(), np.eye(16) * basis.total_variance / 16, (1, 4, 4))
    states, endpoints = torch.from_numpy(data["state"].values), torch.from_numpy(data["endpoint"].values)
    levels = trajectories.grid_of(data)
    theories = IsotropicDenoiser(basis), GaussianDenoiser(flat)
    predictions = [comparison.closed_form_trajectory(theory, states[:, 0], levels) for theory in theories]
    found, expected = (comparison.squared_errors(basis, prediction, states, endpoints) for prediction in predictions)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-9)


def test_in_units_of_data_a_rotation_is_a_straight_line() -> None:
    levels = grid()
    states = rotating(0, levels).reshape(3, len(levels), 3, 2, 2)
    data = xr.Dataset(
        {
            "state": (trajectories.TRAJECTORY_DIMS, states, {"units": "1"}),
            "alpha": ("step", levels.alpha, {"units": "1"}),
            "sigma": ("step", levels.sigma, {"units": "1"}),
        }
    )
    line = measure_geometry.in_units_of_data(data)
    assert line["state"].attrs == line["sigma"].attrs == {"units": "1"}
    assert line["state"].dims == trajectories.TRAJECTORY_DIMS
    explained = geometry.explained_variance(line["state"].values.reshape(3, len(levels), -1))
    np.testing.assert_allclose(explained[:, 0], 1, rtol=1e-12)
    assert (geometry.explained_variance(states.reshape(3, len(levels), -1))[:, 0] < 0.999).all()
    residuals = geometry.residuals(line["state"].values.reshape(3, len(levels), -1), trajectories.grid_of(line))
    np.testing.assert_allclose(residuals.rotation, 0, atol=1e-12)
