r"""Arrays of the interactive part of a study's page: trajectories, components, and images after jumps.

Images are bytes, as they are shown; all else is float32. Theory that has a closed form in the coefficients of components is
computed in the browser (`workflow/report/page/scene.js`), from their variances and the noise levels:

    c_k(t) = sqrt(m_k(t) / m_k(T)) c_k(T),     m_k = sigma^2 + alpha^2 lambda_k        (Eq. 9)
    e_k(t) = alpha_t lambda_k / m_k(t) c_k(t)                       endpoint estimate  (Eq. 13)
    sqrt(m_k(0) / m_k(t))                                       gain of a perturbation (Eq. 14)
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray

from underpainting.analysis import comparison, geometry
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.samplers import trajectories
from underpainting.teleport import sweep
from underpainting.theory import gaussian
from underpainting.theory.gaussian import GaussianDenoiser

FloatArray = NDArray[np.floating[Any]]
LARGEST_SIDE = 48
"""Side of the images of the page; larger ones are averaged over areas."""
_BYTES = 800_000  # of the images of trajectories
_JUMP_BYTES = 200_000  # of the images after jumps
_FRAMES = 26  # steps that are shown, at most
_SEEDS = 8
_COMPONENTS = (6, 32)
_COMPONENT_BYTES = 150_000
_VARIANCES = 1024
_ROWS = 6  # images of a moment: state, difference, endpoint estimate, of network and theory
_MIDDLE, _RANGE = 127.5, 127.5
_CONTRAST = 2.5  # standard deviations of a state that fill the range of the display


class Scene(NamedTuple):
    """What the interactive part shows.

    Attributes:
        arrays: by name; float32 or uint8.
        about: labels, shapes and rows, as values for JSON.
    """

    arrays: dict[str, NDArray[Any]]
    about: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """Return everything as values for JSON: an array is its type, shape and base64 of its bytes, little endian."""
        packed = {}
        for name, values in self.arrays.items():
            kept = np.ascontiguousarray(values, np.uint8 if values.dtype == np.uint8 else "<f4")
            text = base64.b64encode(kept.tobytes()).decode("ascii")
            packed[name] = {"type": "u1" if kept.dtype == np.uint8 else "f4", "shape": kept.shape, "data": text}
        return {"arrays": packed, **self.about}


class Moments(NamedTuple):
    """What is shown of the trajectories: how many seeds, and which steps."""

    seeds: int
    steps: NDArray[np.int64]


def choose(pixels: int, samples: int, steps: int) -> Moments:
    """Choose as many seeds and steps as the size of the page allows; the first and the last step are among them."""
    frames = min(_FRAMES, steps)
    seeds = min(_SEEDS, samples, max(1, _BYTES // (_ROWS * frames * pixels)))
    if seeds * _ROWS * frames * pixels > _BYTES:
        frames = max(2, _BYTES // (_ROWS * pixels))
    return Moments(seeds, np.unique(np.linspace(0, steps - 1, frames).round().astype(int)))


def reduce(images: FloatArray) -> NDArray[np.float32]:
    """Average images (..., channel, height, width) over areas until no side is longer than `LARGEST_SIDE`."""
    height, width = images.shape[-2:]
    factor = LARGEST_SIDE / max(height, width)
    values = torch.as_tensor(np.ascontiguousarray(images), dtype=torch.float32)
    if factor < 1:
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        flat = torch.nn.functional.adaptive_avg_pool2d(values.reshape(-1, *images.shape[-3:]), size)
        values = flat.reshape(*images.shape[:-2], *size)
    result: NDArray[np.float32] = values.numpy()
    return result


def to_bytes(images: FloatArray) -> NDArray[np.uint8]:
    """Convert images in [-1, 1] to bytes, clipped."""
    return (np.clip(images, -1, 1) * _RANGE + _MIDDLE).round().astype(np.uint8)


def build(
    basis: Eigenbasis,
    trajectory: xr.Dataset,
    table: pd.DataFrame,
    sampler: str,
    jumped: Sequence[FloatArray],
) -> Scene:
    """Build the scene of a study.

    Args:
        basis: of the data.
        trajectory: first samples of the main sampler, with `state`, `endpoint`, `seed`, `alpha` and `sigma`.
        table: `teleport.csv`.
        sampler: id of the sampler whose jumps are shown.
        jumped: first images after each number of skipped steps of the sweep, shape (sample, channel, height, width) each.
    """
    shape = reduce(np.zeros((1, *basis.image_shape))).shape[1:]
    pixels = int(np.prod(shape))
    moments = choose(pixels, trajectory.sizes["sample"], trajectory.sizes["step"])
    chosen = trajectory.isel(sample=slice(moments.seeds))
    rank = min(basis.rank, int(np.clip(_COMPONENT_BYTES // pixels, *_COMPONENTS)))
    jumps = rows_of_jumps(table, sampler)
    arrays = {
        **_trajectories(basis, chosen, moments.steps),
        **_numbers(basis, chosen, moments.steps, rank),
        **_components(basis, rank),
        "jumped": to_bytes(reduce(np.stack(jumped)))[: len(jumps), : max(1, _JUMP_BYTES // (len(jumps) * pixels))],
    }
    about = {
        "shape": list(shape),
        "seeds": chosen["seed"].values.tolist(),
        "steps": moments.steps.tolist(),
        "jumps": jumps,
        "measures": sweep.measure_names(str(table["extractor"].iloc[0])),
    }
    return Scene(arrays, about)


def rows_of_jumps(table: pd.DataFrame, sampler: str) -> list[dict[str, Any]]:
    """Return the network calls and losses of a sampler's jumps by the Gaussian, None for what was not measured."""
    rows = sweep.truncated(table, sampler)
    names = ["skipped_steps", "nfe", *(f"{loss}{end}" for loss in sweep.LOSSES for end in ("", "_low", "_high"))]
    return [
        {name: None if pd.isna(row[name]) else float(row[name]) for name in names} for _, row in rows[names].iterrows()
    ]


def _trajectories(basis: Eigenbasis, chosen: xr.Dataset, steps: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the images of network and theory at the chosen steps, shape (seed, step, channel, height, width) each."""
    grid = trajectories.grid_of(chosen)
    states, endpoints = chosen["state"].values, chosen["endpoint"].values
    predicted = comparison.closed_form_trajectory(GaussianDenoiser(basis), torch.from_numpy(states[:, 0]), grid)
    found = {"network": (states, endpoints), "theory": (predicted.state.numpy(), predicted.endpoint.numpy())}
    contrast = np.maximum(1, _CONTRAST * states.std((0, 2, 3, 4)))[steps, None, None, None]
    arrays: dict[str, NDArray[Any]] = {}
    for name, (state, endpoint) in found.items():
        difference = reduce(np.diff(state, axis=1)[:, np.minimum(steps, len(grid) - 2)])
        largest = np.abs(difference).max((2, 3, 4), keepdims=True)
        arrays |= {
            f"{name}_state": to_bytes(reduce(state[:, steps]) / contrast),
            f"{name}_difference": to_bytes(difference / np.where(largest > 0, largest, 1)),
            f"{name}_endpoint": to_bytes(reduce(endpoint[:, steps])),
        }
    error = np.square(found["network"][0] - found["theory"][0]).mean((2, 3, 4))
    arrays["error"] = (error / np.square(states).mean((2, 3, 4)))[:, steps]
    return arrays


def _numbers(basis: Eigenbasis, chosen: xr.Dataset, steps: NDArray[np.int64], rank: int) -> dict[str, NDArray[Any]]:
    """Return noise levels, variances, coefficients of states and endpoint estimates, and the plane of each trajectory."""
    grid = trajectories.grid_of(chosen)
    levels = [grid[int(step)] for step in steps]
    states, endpoints = (torch.from_numpy(chosen[name].values[:, steps]) for name in ("state", "endpoint"))
    of_state = [gaussian.coefficients(basis, states[:, place], level) for place, level in enumerate(levels)]
    of_endpoint = [basis.coefficients(endpoints[:, place]) for place in range(len(steps))]
    paths = [
        geometry.plane_coordinates(path.reshape(len(path), -1)) for path in chosen["state"].values.astype(np.float64)
    ]
    return {
        "alpha": np.array([level.alpha for level in levels]),
        "sigma": np.array([level.sigma for level in levels]),
        "variances": basis.variances.numpy()[:_VARIANCES],
        "state_coefficients": torch.stack(of_state, 1).numpy()[..., :rank],
        "endpoint_coefficients": torch.stack(of_endpoint, 1).numpy()[..., :rank],
        "plane": np.stack(paths)[:, steps],
    }


def _components(basis: Eigenbasis, rank: int) -> dict[str, NDArray[Any]]:
    """Return the images of the leading components, and the value that each one's brightest byte stands for."""
    vectors = reduce(basis.vectors[:, :rank].T.reshape(rank, *basis.image_shape).numpy())
    largest = np.abs(vectors).max((1, 2, 3), keepdims=True)
    return {"components": to_bytes(vectors / largest), "component_scale": largest.ravel()}
