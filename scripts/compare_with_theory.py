"""Compute the errors of one theory along a sampler's trajectories."""

from collections.abc import Callable
from typing import Any

import torch
import xarray as xr

from underpainting.analysis import comparison
from underpainting.basis import eigenbasis
from underpainting.io import artifacts, shards
from underpainting.io.artifacts import IMAGE_DIMS, array
from underpainting.noise.levels import NoiseGrid
from underpainting.samplers import trajectories
from underpainting.theory import flow, loading
from underpainting.theory.flow import Trajectory
from underpainting.theory.theories import THEORIES
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

Predictor = Callable[[torch.Tensor, NoiseGrid], Trajectory]
EXAMPLES = 8


def predictor(model: str, inputs: dict[str, str], config: dict[str, Any]) -> Predictor:
    """Return the function by which a theory carries initial states through a grid."""
    denoiser: Any = loading.load(model, inputs)
    if THEORIES[model].closed_form:
        return lambda initial, grid: comparison.closed_form_trajectory(denoiser, initial, grid)
    return lambda initial, grid: flow.integrate(denoiser, initial, grid, config["ode_method"])


def of_errors(errors: comparison.SquaredErrors, prefix: str = "", whose: str = "") -> dict[str, xr.DataArray]:
    """Convert the errors to labelled arrays."""
    per_step, per_component = ("sample", "step"), ("sample", "component")
    return {
        f"{prefix}state_error": array(
            errors.state.numpy(), per_step, f"squared error of the state, mean over pixels{whose}"
        ),
        f"{prefix}endpoint_error": array(
            errors.endpoint.numpy(), per_step, f"squared error of the endpoint estimate, mean over pixels{whose}"
        ),
        f"{prefix}component_error": array(
            errors.component.numpy(), per_component, f"squared error of the final image along each component{whose}"
        ),
    }


def compare(
    model: str, predictors: dict[str, Predictor], basis: eigenbasis.Eigenbasis, batch: xr.Dataset
) -> xr.Dataset:
    """Compute the errors of the theory and its null model on a batch of trajectories, and the theory's images."""
    states, endpoints = torch.from_numpy(batch["state"].values), torch.from_numpy(batch["endpoint"].values)
    found, grid = {}, trajectories.grid_of(batch)
    for name, predict in predictors.items():
        prediction = predict(states[:, 0], grid)
        found[name] = comparison.squared_errors(basis, prediction, states, endpoints)
    arrays = of_errors(found.pop(model))
    for name, errors in found.items():
        arrays |= of_errors(errors, f"{name}_", f", of the {THEORIES[name].label}")
    return xr.Dataset(
        {
            **arrays,
            "image": array(prediction.state[:, -1].numpy(), ("sample", *IMAGE_DIMS), "the model's final image"),
            "endpoint": array(
                prediction.endpoint[:EXAMPLES].numpy(),
                ("example", "step", *IMAGE_DIMS),
                "the model's endpoint estimates of the first trajectories",
            ),
            **{name: batch[name] for name in ("seed", "alpha", "sigma")},
        }
    )


def main(
    inputs: dict[str, str], trajectories: list[str], output: str, study: str, model: str, config: dict[str, Any]
) -> None:
    """Process the shards batch by batch, write the errors."""
    basis = eigenbasis.load(inputs["eigenbasis"])
    names = [name for name in (THEORIES[model].null, model) if name]  # the theory last, since its images are kept
    predictors = {name: predictor(name, inputs, config) for name in names}
    batches = shards.batches(trajectories, config["batch_size"])
    parts = [compare(model, predictors, basis, batch) for batch in batches]
    examples = parts[0]["endpoint"]
    result = shards.concatenate(part.drop_vars("endpoint") for part in parts).assign(endpoint=examples)
    digests = {name: artifacts.digest(file) for name, file in inputs.items()}
    provenance = origin(study, model=model, **digests, shards=[artifacts.digest(file) for file in trajectories])
    artifacts.save(result, output, provenance)


if __name__ == "__main__":
    run(main)
