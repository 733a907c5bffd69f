"""Every figure, in grey and in colour: complete, labelled, legible, and the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from tests.helpers import legible, sweeps
from underpainting.noise.levels import NoiseGrid, VariancePreserving
from underpainting.plotting import (
    comparison,
    errors,
    fidelity,
    generation,
    geometry,
    hybrid,
    images,
    spectrum,
    style,
    theory,
    training,
)

LABELS = [
    "DDIM, 50 steps",
    "Euler, 50 steps",
    "Heun, 25 steps",
    "DPM-Solver++, 25 steps",
    "DDIM, 20 steps",
    "Euler, 9 steps",
]


def vp_grid(steps: int) -> NoiseGrid:
    """A variance-preserving grid from noise to data."""
    return NoiseGrid.of([VariancePreserving().level(float(time)) for time in np.linspace(1, 1e-3, steps)])


def walk(steps: int, shape: tuple[int, ...], seed: int = 0) -> xr.Dataset:
    """Something like a trajectory: a rotation with a bulge."""
    random, grid = np.random.default_rng(seed), vp_grid(steps)
    image, noise, bulge = (
        np.clip(random.normal(0, 0.6, shape), -1, 1),
        random.normal(size=shape),
        random.normal(size=shape),
    )
    weight = (grid.alpha * grid.sigma)[:, None, None, None]
    state = grid.alpha[:, None, None, None] * image + grid.sigma[:, None, None, None] * noise + 0.3 * weight * bulge
    endpoint = grid.alpha[:, None, None, None] * image + 0.2 * weight * bulge
    dims = ("step", "channel", "height", "width")
    return xr.Dataset(
        {
            "state": (dims, state),
            "endpoint": (dims, endpoint),
            "alpha": ("step", grid.alpha),
            "sigma": ("step", grid.sigma),
        }
    )


def gaussian_errors(steps: int, components: int) -> xr.Dataset:
    """Errors that grow from exactly zero."""
    random = np.random.default_rng(steps)
    growth = np.geomspace(1e-7, 0.1, steps + 1) * random.lognormal(size=(6, steps + 1))
    growth[:, 0] = 0
    parts = np.geomspace(1, 1e-3, components) * random.chisquare(1, (6, components))
    return xr.Dataset(
        {
            "state_error": (("sample", "step"), growth),
            "endpoint_error": (("sample", "step"), 2 * growth + 1e-6),
            "component_error": (("sample", "component"), parts),
            "sigma": ("step", vp_grid(steps + 1).sigma),
        }
    )


def shapes(steps: int) -> xr.Dataset:
    """Residuals and spectra of six trajectories."""
    random = np.random.default_rng(steps)
    hump = np.sin(np.linspace(0, np.pi, steps + 1)) ** 2 * random.uniform(0.01, 0.05, (6, 1))
    parts: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "plane_step": (("sample", "step"), hump / 3),
        "rotation_step": (("sample", "step"), hump),
    }
    for rate, name in ((3.0, "state"), (1.0, "difference"), (0.8, "noise")):
        rest = np.exp(-rate * np.arange(1, 21)) * random.uniform(0.5, 1, (6, 1))
        parts[f"explained_{name}"] = (("sample", f"{name}_component"), 1 - rest)
        parts[f"dim_{name}"] = (("sample",), (rest > 1e-3).sum(1) + 1)
    return xr.Dataset(parts)


RUINED = {steps: 0.02 * float(np.exp(steps / 8)) - 0.02 for steps in (0, 10, 15, 20, 25, 30, 35, 40, 45)}


def draw_fidelity(samplers: list[str], network: dict[int, float] | None = None) -> Figure:
    """The longest jumps ruin the images, and the null model's do so by far."""
    tables = [sweeps.truncated(sampler, RUINED, network=network) for sampler in samplers]
    return fidelity.fidelity(pd.concat(tables), {sampler: sampler for sampler in samplers})


def draw_stochastic() -> Figure:
    """Of the second sampler nothing is known beside the network's own images."""
    tables = [sweeps.truncated("ddim-50", RUINED), sweeps.truncated("ddpm-50", RUINED, network={}, null={})]
    return fidelity.fidelity(pd.concat(tables), {"ddim-50": LABELS[0], "ddpm-50": "DDPM, 50 steps"})


def draw_endpoint(shape: tuple[int, ...]) -> Figure:
    actual, predicted = (walk(51, shape, seed)["endpoint"].values for seed in (1, 2))
    return comparison.endpoint(actual, predicted, LABELS[3], 9)


def draw_samples(shape: tuple[int, ...]) -> Figure:
    pictures = np.random.default_rng(0).normal(0, 0.5, (32, *shape))
    rows = dict.fromkeys((LABELS[3], "Gaussian", "Gaussian mixture", "point cloud"), pictures)
    return comparison.samples(pictures, rows, list(range(1000, 1000 + len(pictures))))


def draw_hybrid(shape: tuple[int, ...]) -> Figure:
    pictures = np.random.default_rng(0).uniform(-1, 1, (12, 14, *shape))
    skipped = [(4 * row, 50 - 4 * row) for row in range(12)]
    return hybrid.hybrid(list(pictures), skipped, list(range(14)), LABELS[0], 50)


def draw_eigenbasis(shape: tuple[int, ...]) -> Figure:
    pixels = int(np.prod(shape))
    vectors = np.random.default_rng(0).normal(size=(15, *shape))
    variances = np.append(np.geomspace(5, 1e-6, pixels - 1), 0.0)
    return spectrum.eigenbasis(vectors[0] / 3, vectors, variances, float(variances.sum()), np.linspace(1, 5, pixels))


GREY, RGB = (1, 8, 8), (3, 6, 6)
FIGURES: dict[str, Callable[[], Figure]] = {
    "generation-grey": lambda: generation.generation(walk(51, GREY), 9),
    "generation-rgb": lambda: generation.generation(walk(10, RGB), 20),
    "theory": lambda: theory.theory(vp_grid(200), np.geomspace(3, 1e-7, 64)),
    "theory-large": lambda: theory.theory(vp_grid(200), np.geomspace(300, 1e-3, 64)),
    "endpoint-grey": lambda: draw_endpoint(GREY),
    "endpoint-rgb": lambda: draw_endpoint(RGB),
    "samples-grey": lambda: draw_samples(GREY),
    "samples-rgb": lambda: draw_samples(RGB),
    "error": lambda: errors.error({LABELS[0]: gaussian_errors(50, 64)}, np.geomspace(2, 1e-20, 64)),
    "error-many": lambda: errors.error(
        {label: gaussian_errors(9 + 8 * number, 300) for number, label in enumerate(LABELS)}, np.geomspace(2, 1e-3, 300)
    ),
    "hybrid-grey": lambda: draw_hybrid(GREY),
    "hybrid-rgb": lambda: draw_hybrid(RGB),
    "fidelity": lambda: draw_fidelity(["DDIM, 50 steps"]),
    "fidelity-many": lambda: draw_fidelity(LABELS),
    "fidelity-one-is-stochastic": draw_stochastic,
    "fidelity-stochastic": lambda: draw_fidelity(["DDPM, 50 steps"], network={}),
    "geometry": lambda: geometry.shape({LABELS[0]: shapes(50)}),
    "geometry-many": lambda: geometry.shape({label: shapes(50 - number) for number, label in enumerate(LABELS)}),
    "eigenbasis-grey": lambda: draw_eigenbasis(GREY),
    "eigenbasis-rgb": lambda: draw_eigenbasis(RGB),
    "training": lambda: training.loss(np.geomspace(1, 0.01, 300)),
    "training-short": lambda: training.loss(np.array([1.0, 0.5])),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_legible(name: str) -> None:
    legible.check(FIGURES[name])


@pytest.mark.parametrize("name", ["generation-rgb", "training"])
def test_files_are_the_same_bytes_each_time(name: str, tmp_path: Path) -> None:
    mpl.rcParams["font.size"] = 17
    try:
        contents = []
        for run in range(2):
            paths = [tmp_path / f"{run}.png", tmp_path / f"{run}.pdf"]
            style.save(FIGURES[name](), paths, 60)
            contents.append([path.read_bytes() for path in paths])
            mpl.rcdefaults()
    finally:
        mpl.rcdefaults()
    assert contents[0] == contents[1]
    assert contents[0][0].startswith(b"\x89PNG")
    assert contents[0][1].startswith(b"%PDF")
    assert b"CreationDate" not in contents[0][1]
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"saved as \.png or \.pdf"):
        style.save(Figure(), [tmp_path / "figure.svg"])


def test_images_keep_their_range() -> None:
    grey, colour = np.full((1, 2, 2), 0.5), np.array([-2.0, 0.0, 1.0]).reshape(3, 1, 1)
    np.testing.assert_array_equal(images.to_displayable(grey), grey[0])
    np.testing.assert_array_equal(images.to_displayable(colour), [[[0.0, 0.5, 1.0]]])


def test_snapshots_hold_both_ends() -> None:
    assert images.choose_snapshots(51, 9).tolist() == [0, 6, 12, 19, 25, 31, 38, 44, 50]
    assert images.choose_snapshots(4, 9).tolist() == [0, 1, 2, 3]


def test_columns_wrap_evenly() -> None:
    assert [part.stop - part.start for part in images.wrap_columns(32)] == [11, 11, 10]
    assert images.wrap_columns(8) == [slice(0, 8)]


def test_critical_times_lie_on_their_curves() -> None:
    """At sigma = alpha sqrt(lambda), xi / sqrt(lambda) is 1 / sqrt(2), up to the scale at T."""
    grid, lambdas = vp_grid(2000), np.array([1.0, 0.1])
    values = theory.curves(grid, lambdas)["xi"]
    step = np.abs(grid.sigma[:, None] / grid.alpha[:, None] - np.sqrt(lambdas)).argmin(0)
    np.testing.assert_allclose(values[step, [0, 1]], np.sqrt(0.5), rtol=1e-2)


def test_the_rate_of_emergence_integrates_to_the_endpoint() -> None:
    grid, lambdas = vp_grid(4000), np.array([1.0, 0.1])
    values, time = theory.curves(grid, lambdas), theory.times(grid)
    gained = np.trapezoid(values["rate"], -time, axis=0)
    np.testing.assert_allclose(gained, values["xi"][-1] - values["xi"][0], rtol=1e-2)


def test_moving_average_of_a_constant() -> None:
    np.testing.assert_allclose(training.smooth(np.full(10, 3.0), 5), 3.0)
