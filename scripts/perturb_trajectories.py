"""Measure and predict the gains of perturbations of the main sampler's trajectories (Eq. 14, 63)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting import denoisers, meter
from underpainting.analysis import perturbation
from underpainting.analysis.perturbation import Directions, Response
from underpainting.basis import eigenbasis
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.io.artifacts import array
from underpainting.samplers import trajectories
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Flow, Sampler
from underpainting.theory.gaussian import GaussianDenoiser
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

GAIN = ("step", "sample", "direction", "time")
BEFORE = "times before the perturbation"


def padded(parts: list[np.ndarray[Any, Any]], length: int) -> np.ndarray[Any, Any]:
    """Stack gains of several steps along a new first axis; NaN before each step."""
    return np.stack(
        [
            np.pad(part, [(0, 0)] * (part.ndim - 1) + [(length - part.shape[-1], 0)], constant_values=np.nan)
            for part in parts
        ]
    )


def measured(
    sampler: Sampler,
    denoiser: denoisers.Denoiser,
    directions: Directions,
    shape: tuple[int, ...],
    config: dict[str, Any],
    coloured_by: Flow | None,
) -> list[Response]:
    """Measure the response to a perturbation at every selected step."""
    first = config["first_seed"]
    noise = initial_noise(range(first, first + config["seeds"]), shape)
    states = perturbation.unperturbed_states(sampler, denoiser, noise, config["steps"], coloured_by)
    half = max(config["batch_size"] // 2, 1)
    return [
        perturbation.perturb(sampler, denoiser, states[step], step, directions, config["strength"], batch=half)
        for step in config["steps"]
    ]


def dataset(
    sampler: Sampler,
    directions: Directions,
    responses: list[Response],
    predicted: list[Any],
    steps: list[int],
    mean_variance: float,
) -> xr.Dataset:
    """Collect everything in one dataset; `time` is the sampler step at which a difference is measured."""
    length = len(sampler.grid)
    arrays = {
        name: array(
            padded([getattr(response, name) for response in responses], length), GAIN, f"gain: {name}", missing=BEFORE
        )
        for name in Response._fields
    }
    for place, name in enumerate(("predicted_state", "predicted_endpoint")):
        gains = padded([one[place] for one in predicted], length)
        arrays[name] = array(gains, ("step", "direction", "time"), f"gain by theory: {name}", missing=BEFORE)
    return xr.Dataset(
        {
            **arrays,
            "perturbed_at": array(np.array(steps), "step", "sampler step of the perturbation"),
            "component": array(
                np.array(directions.components),
                "direction",
                "number of the component, 0 for the largest variance; -1 for none",
            ),
            "variance": array(directions.variances.numpy(), "direction", "data variance along the direction"),
            "mean_variance": array(mean_variance, (), "mean variance of a pixel of the data"),
            "alpha": array(sampler.grid.alpha, "time", "signal scale"),
            "sigma": array(sampler.grid.sigma, "time", "noise scale"),
        },
        attrs={"kinds": list(directions.kinds), "off_manifold_dimension": directions.off_manifold_dimension},
    )


def main(inputs: dict[str, str], output: str, study: str, config: dict[str, Any], compute: Compute) -> None:
    """Perturb, continue sampling, compare with theory, write the gains."""
    denoiser, schedule = denoisers.load_denoiser(Path(inputs["index"]).parent, compute)
    basis = eigenbasis.load(inputs["eigenbasis"])
    sampler = trajectories.make_sampler(config["sampler"], schedule, basis)
    coloured_by = GaussianDenoiser(basis).state if config["sampler"].get("coloured_start") else None
    directions = perturbation.make_directions(
        basis,
        [number - 1 for number in config["components"]],  # study files count from 1
        config["random"],
        config["off_manifold"],
        seed=config["seed"],
    )
    meter.plan(evaluations=perturbation.network_evaluations(sampler, config["seeds"], len(directions), config["steps"]))
    with torch.inference_mode():
        responses = measured(sampler, denoiser, directions, basis.image_shape, config, coloured_by)
    predicted = [perturbation.predict_gains(basis, directions, sampler.grid, step) for step in config["steps"]]
    digests = {name: artifacts.digest(inputs[name]) for name in ("weights", "scheduler", "eigenbasis")}
    mean_variance = basis.total_variance / basis.pixels
    result = dataset(sampler, directions, responses, predicted, config["steps"], mean_variance)
    artifacts.save(result, output, origin(study, **digests, config=config))


if __name__ == "__main__":
    run(main)
