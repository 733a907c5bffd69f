"""Perturb trajectories of latents, time x strength, along their own components and at random (Fig. 5 D, 19-22)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr

from underpainting import meter
from underpainting.analysis import geometry, perturbation, perturbation_grid, trajectory_components
from underpainting.analysis.perturbation import Directions
from underpainting.analysis.perturbation_grid import GridResponse
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import LatentModel
from underpainting.denoisers.prompted import Guidance
from underpainting.io import artifacts
from underpainting.io.artifacts import array
from underpainting.quality.image_distance import ImageDistance, make_distance
from underpainting.samplers import trajectories as sampled
from underpainting.samplers.walk import Sampler
from underpainting_workflow import prompt_gaussians
from underpainting_workflow.decoded import byte_images, decode
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
GRID = ("sample", "step", "direction", "strength")
BEFORE = "times before the perturbation"


class Experiment(NamedTuple):
    """What perturbs and measures, the same for all trajectories."""

    model: LatentModel
    sampler: Sampler
    distance: ImageDistance
    bases: list[Eigenbasis]
    config: dict[str, Any]

    def basis_of(self, prompt: int) -> Eigenbasis | None:
        """Return the Gaussian of a prompt's latents, that of all latents if the prompt has none; None if none is known."""
        return self.bases[self.config["gaussians"][prompt]] if self.bases else None

    @property
    def strengths(self) -> list[float]:
        """Strengths of both signs, in units of the norm of the noise, ascending."""
        return [-value for value in reversed(self.config["strengths"])] + list(self.config["strengths"])

    @property
    def sizes(self) -> list[float]:
        """The same in units of the state; the norm of the noise is the root of the number of values."""
        return [strength * float(np.prod(self.model.latent_shape)) ** 0.5 for strength in self.strengths]

    @property
    def components(self) -> list[int]:
        """Components of the directions, from 0; -1 for a random one."""
        return [*self.config["components"], *[-1] * self.config["random"]]


def directions(one: xr.Dataset, experiment: Experiment) -> FloatArray:
    """Return the components of a trajectory's noise predictions, then random directions, shape (direction, pixel)."""
    states, endpoints = (
        one[name].values.reshape(1, one.sizes["step"], -1).astype(float) for name in ("state", "endpoint")
    )
    noise = geometry.noise_predictions(states, endpoints, sampled.grid_of(one))[0]
    chosen = experiment.config["components"]
    found = trajectory_components.components(noise, max(chosen) + 1).vectors[chosen]
    drawn = perturbation_grid.random_directions(experiment.config["random"], noise.shape[1], int(one["seed"]))
    return np.concatenate([found, drawn])


def responses(one: xr.Dataset, vectors: FloatArray, experiment: Experiment) -> list[GridResponse]:
    """Perturb one trajectory at every selected step."""
    config = experiment.config
    embedding = experiment.model.embed([config["prompts"][int(one["prompt"])]])
    denoiser = experiment.model.denoiser(embedding, Guidance(config["guidance"]))
    return [
        perturbation_grid.perturb(
            experiment.sampler,
            denoiser,
            torch.from_numpy(one["state"].values[step]),
            step,
            vectors,
            experiment.sizes,
            batch=config["batch_size"],
        )
        for step in config["steps"]
    ]


def measured(
    one: xr.Dataset, found: list[GridResponse], pictures: list[FloatArray], experiment: Experiment
) -> xr.Dataset:
    """Collect distances and projections of one trajectory, with a sample axis of length 1."""
    length, steps = len(experiment.sampler.grid), experiment.config["steps"]
    projection = np.full((1, len(steps), *found[0].projection.shape[:2], length), np.nan, np.float32)
    for row, (step, response) in enumerate(zip(steps, found, strict=True)):
        projection[0, row, :, :, step:] = response.projection
    distances = np.stack([_distances(images, experiment.distance) for images in pictures])[None]
    return xr.Dataset(
        {
            "distance": array(distances, GRID, experiment.distance.label),
            "latent_distance": array(
                np.stack([response.distance for response in found])[None], GRID, "norm of the difference of latents"
            ),
            "projection": array(projection, (*GRID, "time"), "difference along the direction", missing=BEFORE),
            "seed": one["seed"].expand_dims("sample"),
            "prompt": one["prompt"].expand_dims("sample"),
        },
        attrs={"distance": experiment.distance.label},
    )


def _distances(images: FloatArray, distance: ImageDistance) -> FloatArray:
    """Compute the distance of the images (direction, strength + 1, ...) from the first of each row, without that itself."""
    reference, others = torch.from_numpy(images[:, :1]), torch.from_numpy(images[:, 1:])
    pairs = others.flatten(0, 1), reference.expand_as(others).flatten(0, 1)
    return distance(*pairs).reshape(others.shape[:2]).numpy()


def decoded(response: GridResponse, model: LatentModel) -> FloatArray:
    """Decode the images of one step, the unperturbed one first, shape (direction, strength + 1, channel, height, width)."""
    reference = response.reference.expand(len(response.final), 1, *response.reference.shape)
    return decode(model, torch.cat([reference, response.final], 1))


def predicted(vectors: FloatArray, prompt: int, experiment: Experiment) -> dict[str, xr.DataArray]:
    """Predict the gains of one trajectory by the Gaussian of its prompt's latents (Eq. 14)."""
    basis = experiment.basis_of(prompt)
    if basis is None:
        return {}
    unit = torch.from_numpy(vectors)
    variances = (unit @ basis.vectors).square() @ basis.variances
    numbers = tuple(experiment.components)
    kinds = tuple("random" if number < 0 else "component" for number in numbers)
    towards = Directions(unit, kinds, numbers, variances, 0)  # type: ignore[arg-type]
    length = len(experiment.sampler.grid)
    gains = np.full((1, len(experiment.config["steps"]), len(unit), length), np.nan, np.float32)
    for row, step in enumerate(experiment.config["steps"]):
        gains[0, row, :, step:] = perturbation.predict_gains(basis, towards, experiment.sampler.grid, step)[0]
    return {
        "predicted": array(gains, ("sample", "step", "direction", "time"), "gain by theory", missing=BEFORE),
        "variance": array(variances[None].numpy(), ("sample", "direction"), "variance of latents along the direction"),
    }


def settings(experiment: Experiment) -> dict[str, xr.DataArray]:
    """Return the arrays that all trajectories share."""
    grid = experiment.sampler.grid
    return {
        "component": array(
            np.array(experiment.components), "direction", "number of the component from 0; -1 for random"
        ),
        "perturbed_at": array(np.array(experiment.config["steps"]), "step", "sampler step of the perturbation"),
        "strength": array(np.array(experiment.strengths), "strength", "perturbation over the norm of the noise"),
        "size": array(np.array(experiment.sizes), "strength", "perturbation in units of the state"),
        "alpha": array(grid.alpha, "time", "signal scale"),
        "sigma": array(grid.sigma, "time", "noise scale"),
    }


class Shown:
    """Images of the shown seeds and directions, collected while the grids are measured."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment, self._found = experiment, dict[tuple[int, int], FloatArray]()

    def keep(self, one: xr.Dataset, pictures: list[FloatArray]) -> None:
        """Keep the images of a trajectory, ordered by strength with the unperturbed one in the middle, if it is shown."""
        half = len(self._experiment.config["strengths"])
        order = [*range(1, half + 1), 0, *range(half + 1, 2 * half + 1)]
        config = self._experiment.config
        for seed, component in config["shown"]:
            if (int(one["prompt"]), int(one["seed"])) == (config["prompt"], seed):
                place = self._experiment.components.index(component)
                self._found[seed, component] = np.stack([images[place][order] for images in pictures])

    def dataset(self) -> xr.Dataset:
        """Return the images (case, step, strength, channel, height, width)."""
        cases = [tuple(case) for case in self._experiment.config["shown"]]
        images = np.stack([self._found[case] for case in cases])
        both = self._experiment.strengths
        strengths = [*both[: len(both) // 2], 0.0, *both[len(both) // 2 :]]
        return xr.Dataset(
            {
                "image": byte_images(images, ("case", "step", "strength"), "final images"),
                "seed": array(np.array([seed for seed, _ in cases]), "case", "seed of the initial noise"),
                "component": array(
                    np.array([number for _, number in cases]), "case", "component from 0; -1 for random"
                ),
                "perturbed_at": array(np.array(self._experiment.config["steps"]), "step", "step of the perturbation"),
                "strength": array(np.array(strengths), "strength", "perturbation over the norm of the noise"),
            }
        )


def grids(data: xr.Dataset, experiment: Experiment, shown: Shown) -> Iterator[xr.Dataset]:
    """Yield the measures of one trajectory after the other."""
    for number in range(data.sizes["sample"]):
        one = data.isel(sample=number).load()
        vectors = directions(one, experiment)
        found = responses(one, vectors, experiment)
        pictures = [decoded(response, experiment.model) for response in found]
        shown.keep(one, pictures)
        both = {**predicted(vectors, int(one["prompt"]), experiment), **settings(experiment)}
        yield measured(one, found, pictures, experiment).assign(both)


def chosen(data: xr.Dataset, config: dict[str, Any]) -> xr.Dataset:
    """Select the trajectories of the first prompts and seeds, and those that are shown."""
    seeds = np.unique(data["seed"].values)[: config["seeds"]]
    kept = (data["prompt"].values < config["prompt_count"]) & np.isin(data["seed"].values, seeds)
    shown = (data["prompt"].values == config["prompt"]) & np.isin(
        data["seed"].values, [seed for seed, _ in config["shown"]]
    )
    return data.isel(sample=np.flatnonzero(kept | shown))


def main(inputs: dict[str, str], outputs: dict[str, str], study: str, config: dict[str, Any], compute: Compute) -> None:
    """Perturb, continue sampling, measure; write the measures and the shown images."""
    model = LatentModel.load(Path(inputs["index"]).parent, compute)
    bases = prompt_gaussians.load(inputs["gaussians"]) if "gaussians" in inputs else []
    sampler = sampled.make_sampler(config["sampler"], model.schedule)
    distance = make_distance(config["distance"], inputs.get("distance"))
    experiment = Experiment(model, sampler, distance, bases, config)
    data = chosen(artifacts.load(inputs["trajectories"]), config)
    each = perturbation_grid.network_evaluations(
        sampler, config["steps"], len(experiment.components), len(experiment.sizes)
    )
    meter.plan(evaluations=data.sizes["sample"] * each * (2 if config["guidance"] > 1 else 1))
    provenance = origin(
        study, config=config, **{name: artifacts.digest(file) for name, file in inputs.items() if "config" not in name}
    )
    shown = Shown(experiment)
    with torch.inference_mode():
        artifacts.save_stream(grids(data, experiment, shown), outputs["responses"], "sample", provenance)
    artifacts.save(shown.dataset(), outputs["images"], provenance)


if __name__ == "__main__":
    run(main)
