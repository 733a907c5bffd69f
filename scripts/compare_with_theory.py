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
from underpainting.theory import flow, theories
from underpainting.theory.flow import Trajectory
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

Predictor = Callable[[torch.Tensor, NoiseGrid], Trajectory]
EXAMPLES = 8


def predictor(model: str, basis: eigenbasis.Eigenbasis, inputs: dict[str, str], config: dict[str, Any]) -> Predictor:
    """Return the function by which a theory carries initial states through a grid."""
    if model == "gaussian":
        return lambda initial, grid: comparison.gaussian_trajectory(basis, initial, grid)
    denoiser, method = theories.load(model, inputs), config["solver"]
    return lambda initial, grid: flow.integrate(denoiser, initial, grid, method)


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


def compare(basis: eigenbasis.Eigenbasis, predict: Predictor, batch: xr.Dataset, null: bool) -> xr.Dataset:
    """Compute the errors of a batch of trajectories, those of the null model if requested, and the theory's own images."""
    states, endpoints = torch.from_numpy(batch["state"].values), torch.from_numpy(batch["endpoint"].values)
    grid = trajectories.grid_of(batch)
    found = comparison.isotropic_squared_errors(basis, states, endpoints, grid) if null else None
    prediction = predict(states[:, 0], grid)
    return xr.Dataset(
        {
            **of_errors(comparison.squared_errors(basis, prediction, states, endpoints)),
            **(of_errors(found, "isotropic_", ", of the isotropic Gaussian") if found else {}),
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
    predict = predictor(model, basis, inputs, config)
    parts = [
        compare(basis, predict, batch, null=model == "gaussian")
        for batch in shards.batches(trajectories, config["batch_size"])
    ]
    examples = parts[0]["endpoint"]
    result = shards.concatenate(part.drop_vars("endpoint") for part in parts).assign(endpoint=examples)
    digests = {name: artifacts.digest(file) for name, file in inputs.items()}
    provenance = origin(study, model=model, **digests, shards=[artifacts.digest(file) for file in trajectories])
    artifacts.save(result, output, provenance)


if __name__ == "__main__":
    run(main)
