"""Figures of text-to-image studies: complete, labelled and legible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from tests.helpers import legible
from tests.underpainting.plotting.test_figures import shapes, walk
from underpainting.plotting import (
    guidance,
    latent_generation,
    manifold,
    perturbation_grid,
    perturbation_images,
    prompts,
    units,
)

RGB = (3, 8, 8)
PROMPT = "a thick red three leaning left on a blue ground, in the style of a very long prompt"
SAMPLERS = ["PNDM", "DDIM", "DPM-Solver++", "Euler", "LMS"]


def pictures(*axes: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (*axes, *RGB))


def image(dims: tuple[str, ...], *axes: int) -> tuple[tuple[str, ...], np.ndarray]:
    return (*dims, "channel", "height", "width"), pictures(*axes)


def decoded(steps: int = 51) -> xr.Dataset:
    parts = {f"{name}_image": image(("step",), steps) for name in ("state", "difference", "endpoint")}
    return xr.Dataset(
        {
            **parts,
            "around_image": image(("set", "near", "strength"), 4, 6, 5),
            "vector_image": image(("set", "component"), 4, 6),
            "plane_image": image(("row", "column"), 5, 5),
            "plane_component": ("axis", [1, 2]),
            "strength": np.linspace(-0.5, 0.5, 5),
        },
        attrs={"sets": list(manifold.SETS)},
    )


def grid_of_images(steps: list[int]) -> xr.DataArray:
    values = xr.DataArray(pictures(len(steps), 9), dims=("step", "strength", "channel", "height", "width"))
    return values.assign_coords(strength=np.linspace(-0.16, 0.16, 9), perturbed_at=("step", steps))


def responses(predicted: bool) -> xr.Dataset:
    random, steps = np.random.default_rng(1), np.arange(5, 50, 5)
    projection = random.normal(size=(6, len(steps), 3, 8, 51))
    for row, step in enumerate(steps):
        projection[:, row, ..., :step] = np.nan
    strength = np.delete(np.linspace(-0.16, 0.16, 9), 4)
    gains = {"predicted": (("sample", "step", "direction", "time"), projection[..., 0, :])} if predicted else {}
    return xr.Dataset(
        {
            "distance": (("sample", "step", "direction", "strength"), random.uniform(size=(6, len(steps), 3, 8))),
            "projection": (("sample", "step", "direction", "strength", "time"), projection),
            "component": ("direction", [1, 5, -1]),
            "perturbed_at": ("step", steps),
            "size": ("strength", 16 * strength),
            "strength": strength,
            **gains,
        }
    )


def draw_geometry(scales: list[float]) -> Figure:
    random = np.random.default_rng(2)
    by_scale = {sampler: {scale: shapes(50) for scale in scales} for sampler in SAMPLERS}
    walks = {sampler: {scale: random.normal(size=(51, 20)) for scale in scales} for sampler in SAMPLERS[:2]}
    return guidance.geometry(by_scale, walks, {scale: decoded() for scale in scales}, prompts.quote(PROMPT))


def draw_units(samplers: list[str]) -> Figure:
    prompt, seed = np.divmod(np.arange(6), 3)
    both = {"prompt": ("sample", prompt), "seed": ("sample", seed)}
    data = {name: {unit: shapes(50).assign(both) for unit in units.UNITS} for name in samplers}
    return units.straightness({name: walk(51, RGB) for name in samplers[-2:]}, data, "guidance 7.5, seed 100")


FIGURES: dict[str, Callable[[], Figure]] = {
    "generation": lambda: latent_generation.latent_generation(walk(51, RGB), decoded(), 9, PROMPT),
    "components": lambda: manifold.components(decoded(), ("state", "difference"), 6),
    "local-map": lambda: manifold.local_map(
        decoded(), dict.fromkeys((1, 2), grid_of_images(list(range(5, 50, 5)))), "PNDM, guidance 7.5"
    ),
    "perturbed": lambda: perturbation_images.perturbed(grid_of_images(list(range(5, 50, 5))), "PNDM, seed 100"),
    "responses": lambda: perturbation_grid.responses({1.0: responses(True), 7.5: responses(True)}, 1, "distance"),
    "responses-one-scale": lambda: perturbation_grid.responses({7.5: responses(False)}, 1, "distance"),
    "samples": lambda: guidance.samples(
        xr.DataArray(pictures(5, 4, 2)), SAMPLERS, [1, 3, 7.5, 15], ["seed 100", "seed 101"], PROMPT
    ),
    "samples-one": lambda: guidance.samples(xr.DataArray(pictures(2, 1, 1)), SAMPLERS[:2], [1], ["seed 100"], ""),
    "units": lambda: draw_units(SAMPLERS),
    "units-one": lambda: draw_units(SAMPLERS[:1]),
    "guidance": lambda: draw_geometry([1, 3, 7.5, 15]),
    "guidance-two": lambda: draw_geometry([1, 7.5]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_legible(name: str) -> None:
    legible.check(FIGURES[name])


def test_prompts_are_quoted_without_mathematics() -> None:
    assert prompts.quote("five $ and $x$") == r"“five \$ and \$x\$”"
    assert prompts.quote("") == "no prompt"
    assert len(prompts.quote(PROMPT)) == 62 and prompts.quote(PROMPT).endswith("…”")
    assert prompts.guidance(7.5) == "guidance 7.5"
