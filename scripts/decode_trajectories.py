"""Decode trajectories of latents for the figures: every step, components of one trajectory, and the image moved along them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting.analysis import geometry, trajectory_components
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import LatentModel
from underpainting.io import artifacts
from underpainting.io.artifacts import array
from underpainting.samplers import trajectories as sampled
from underpainting_workflow.decoded import byte_images, decode
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


def flat(values: xr.DataArray) -> FloatArray:
    """Flatten the latents of one trajectory, shape (step, pixel), float64."""
    return values.values.reshape(len(values), -1).astype(np.float64)


def steps(model: LatentModel, shown: xr.Dataset) -> dict[str, xr.DataArray]:
    """Decode states, differences and endpoint estimates of every step, shape (sample, step, channel, height, width)."""
    differences = [trajectory_components.scaled_differences(flat(state)) for state in shown["state"]]
    latents = {
        "state": (shown["state"].values, "state x_t"),
        "difference": (np.stack(differences), "difference of states, with the norm of the final one"),
        "endpoint": (shown["endpoint"].values, "endpoint estimate"),
    }
    dims = ("sample", "step")
    return {f"{name}_image": byte_images(decode(model, values), dims, text) for name, (values, text) in latents.items()}


def points(one: xr.Dataset) -> dict[str, FloatArray]:
    """Return the sets of points of one trajectory, each of shape (step, pixel)."""
    states, endpoints = flat(one["state"]), flat(one["endpoint"])
    noise = geometry.noise_predictions(states[None], endpoints[None], sampled.grid_of(one))[0]
    return {"state": states, "difference": np.diff(states, axis=0), "endpoint": endpoints[:-1], "noise": noise}


def components(model: LatentModel, one: xr.Dataset, config: dict[str, Any]) -> dict[str, xr.DataArray]:
    """Decode the components of one trajectory by themselves and around its image."""
    final, sets = flat(one["state"])[-1], points(one)
    count = min(config["components"], *(len(values) - 1 for values in sets.values()))
    vectors = np.stack([trajectory_components.components(values, count).vectors for values in sets.values()])
    near = vectors[:, : config["around"]].reshape(-1, final.size)
    moved = trajectory_components.moved_along(final, near, config["strengths"])
    around = decode(model, moved.reshape(len(sets), -1, len(config["strengths"]), final.size))
    alone = decode(model, np.linalg.norm(final) * vectors)
    return {
        "vector_image": byte_images(alone, ("set", "component"), "component, with the norm of the final state"),
        "around_image": byte_images(around, ("set", "near", "strength"), "final state moved along components"),
        "strength": array(
            np.array(config["strengths"], float), "strength", "movement over the norm of the final state"
        ),
        **plane(model, final, vectors[list(sets).index("endpoint")], config),
    }


def plane(
    model: LatentModel, final: FloatArray, vectors: FloatArray, config: dict[str, Any]
) -> dict[str, xr.DataArray]:
    """Decode the image moved in the plane of two components of the endpoint estimates."""
    chosen = [min(number, len(vectors) - 1) for number in config["plane"]]
    rows = trajectory_components.moved_along(final, vectors[chosen[:1]], config["strengths"])[0]
    columns = trajectory_components.moved_along(final, vectors[chosen[1:]], config["strengths"])[0] - final
    images = decode(model, rows[:, None] + columns[None])
    return {
        "plane_image": byte_images(images, ("row", "column"), "final state moved along two components"),
        "plane_component": array(np.array(chosen), "axis", "number of the component from 0"),
    }


def main(inputs: dict[str, str], output: str, study: str, config: dict[str, Any], compute: Compute) -> None:
    """Decode the shown trajectories; the components are those of the first one."""
    model = LatentModel.load(Path(inputs["index"]).parent, compute)
    data = artifacts.load(inputs["trajectories"])
    of_prompt = data.isel(sample=np.flatnonzero(data["prompt"].values == config["prompt"]))
    chosen = [int(np.flatnonzero(of_prompt["seed"].values == seed)[0]) for seed in config["seeds"]]
    shown = of_prompt.isel(sample=chosen).load()
    with torch.inference_mode():
        arrays = {**steps(model, shown), **components(model, shown.isel(sample=0), config)}
    digests = {name: artifacts.digest(inputs[name]) for name in ("vae", "trajectories")}
    result = xr.Dataset({**arrays, **shown[["seed", "prompt"]]}, attrs={"sets": list(points(shown.isel(sample=0)))})
    artifacts.save(result, output, origin(study, **digests, config=config))


if __name__ == "__main__":
    run(main)
