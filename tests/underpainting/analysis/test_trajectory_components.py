"""Components and oscillation of trajectories that are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from underpainting.analysis import geometry
from underpainting.analysis import trajectory_components as tc


def turned(steps: int = 60, pixels: int = 30, seed: int = 0) -> np.ndarray:
    """A quarter of a turn from noise to image, shape (step, pixel)."""
    random = np.random.default_rng(seed)
    noise, image = random.standard_normal((2, pixels))
    angle = np.linspace(0, np.pi / 2, steps)[:, None]
    return np.cos(angle) * noise + np.sin(angle) * image


def test_components_are_those_of_the_covariance() -> None:
    points = np.random.default_rng(1).standard_normal((40, 7)) * np.arange(7, 0, -1) + 5
    found = tc.components(points, 4)
    values, vectors = np.linalg.eigh(np.cov(points.T, bias=True))
    np.testing.assert_allclose(found.deviations, np.sqrt(values[::-1][:4]), rtol=1e-10)
    np.testing.assert_allclose(np.abs(found.vectors @ vectors[:, ::-1][:, :4]), np.eye(4), atol=1e-10)
    assert (found.vectors @ (points[-1] - points.mean(0)) >= 0).all()


def test_components_explain_what_geometry_says() -> None:
    points = turned() + 0.05 * np.random.default_rng(2).standard_normal((60, 30))
    explained = geometry.explained_variance(points[None])[0]
    variances = np.square(tc.components(points, 5).deviations)
    total = np.square(points - points.mean(0)).sum() / len(points)
    np.testing.assert_allclose(np.cumsum(variances) / total, explained[:5], rtol=1e-10)


def test_more_components_than_directions_are_refused() -> None:
    assert len(tc.components(turned(), 2).vectors) == 2
    with pytest.raises(ValueError, match="span 2 directions only"):
        tc.components(turned(), 3)


def test_oscillation_of_smooth_random_and_alternating_steps() -> None:
    smooth = turned(steps=200)
    random = np.random.default_rng(3)
    plane = np.linalg.qr(random.standard_normal((30, 2)))[0].T
    walk = np.cumsum(random.standard_normal((4000, 2)), 0) @ plane
    back_and_forth = np.tile([[1.0, 2.0], [1.5, 2.5]], (100, 1)) @ plane
    assert tc.oscillation(smooth) < 1e-3
    assert tc.oscillation(walk) == pytest.approx(2, abs=0.1)
    assert tc.oscillation(back_and_forth) == pytest.approx(4, abs=0.05)
    assert tc.oscillation(np.ones((5, 3))) == 0


def test_reversed_path_is_the_fraction_that_runs_backwards() -> None:
    assert tc.reversed_path(turned()) == pytest.approx(0, abs=1e-12)
    line = np.array([0.0, 2.0, 1.0, 3.0])[:, None] * np.array([[0.0, 1.0, 0.0]]) + np.array([[1.0, 0.0, 0.0]])
    assert tc.reversed_path(line) == pytest.approx(1 / 5)
    assert tc.reversed_path(np.ones((5, 3))) == 0


def test_steps_in_the_plane_sum_up_to_the_way_from_noise_to_image() -> None:
    states = turned() + np.linspace(0, 1, 60)[:, None] * 0.1
    way = tc.plane_steps(states).sum(0)
    np.testing.assert_allclose(np.linalg.norm(way), np.linalg.norm(states[-1] - states[0]), rtol=1e-12)


def test_differences_are_scaled_to_the_norm_of_the_image() -> None:
    states = turned(steps=5)
    states[2] = states[1]
    scaled = tc.scaled_differences(states)
    norms = np.linalg.norm(scaled, axis=1)
    np.testing.assert_allclose(norms, np.linalg.norm(states[-1]) * np.array([1, 0, 1, 1, 1]), rtol=1e-12)
    np.testing.assert_array_equal(scaled[-1], scaled[-2])
    direction = (states[1] - states[0]) / np.linalg.norm(states[1] - states[0])
    np.testing.assert_allclose(scaled[0] @ direction, norms[0], rtol=1e-12)


def test_an_image_moves_by_its_own_norm() -> None:
    final, vectors = np.array([3.0, 4.0]), np.eye(2)
    moved = tc.moved_along(final, vectors, [-0.2, 0.0, 0.2])
    np.testing.assert_allclose(moved[0], [[2, 4], [3, 4], [4, 4]])
    np.testing.assert_allclose(moved[1, :, 1], [3, 4, 5])
