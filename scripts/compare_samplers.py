"""Decode the final images of every sampler and scale of guidance, and measure how far samplers differ (Fig. 23, App. B.8.1)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import LatentModel
from underpainting.io import artifacts
from underpainting.io.artifacts import array
from underpainting.quality.image_distance import ImageDistance, make_distance
from underpainting_workflow.decoded import byte_images, decode
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
RUNS = ("sampler", "guidance", "sample")


def next_seed(data: xr.Dataset) -> list[int]:
    """Return for each sample the place of the next seed of the same prompt; of the last seed the first one."""
    prompts, seeds = data["prompt"].values, data["seed"].values
    found = []
    for prompt, seed in zip(prompts, seeds, strict=True):
        same = np.flatnonzero(prompts == prompt)
        ordered = same[np.argsort(seeds[same])]
        found.append(int(ordered[(list(seeds[ordered]).index(seed) + 1) % len(ordered)]))
    return found


def between(first: FloatArray, second: FloatArray, distance: ImageDistance) -> FloatArray:
    """Compute the distance of each pair of images, shape (sample,)."""
    return distance(torch.from_numpy(first), torch.from_numpy(second)).numpy()


def compared(
    images: FloatArray, final: FloatArray, others: list[int], distance: ImageDistance
) -> dict[str, xr.DataArray]:
    """Measure the distance of every image to that of the main sampler, and of the main sampler's images to another seed's.

    Args:
        images: shape (sampler, guidance, sample, channel, height, width), the main sampler first.
        final: latents, (sampler, guidance, sample, pixel).
        others: place of another seed of the same prompt.
        distance: between images.
    """
    of_samplers = np.stack(
        [[between(of_scale, main, distance) for of_scale, main in zip(rows, images[0], strict=True)] for rows in images]
    )
    of_seeds = np.stack([between(main, main[others], distance) for main in images[0]])
    return {
        "distance": array(of_samplers, RUNS, f"{distance.label} to the main sampler's image"),
        "seed_distance": array(of_seeds, RUNS[1:], f"{distance.label} of the main sampler's image to another seed's"),
        "latent_distance": array(
            np.linalg.norm(final - final[:1], axis=-1), RUNS, "norm of the difference to the main sampler's latent"
        ),
        "latent_seed_distance": array(
            np.linalg.norm(final[0] - final[0][:, others], axis=-1), RUNS[1:], "the same to another seed's latent"
        ),
    }


def main(inputs: dict[str, list[str]], output: str, study: str, config: dict[str, Any], compute: Compute) -> None:
    """Read the final latents, decode, compare; the trajectories are listed by sampler, then by scale."""
    (index,), files = inputs["index"], inputs["trajectories"]
    model = LatentModel.load(Path(index).parent, compute)
    distance = make_distance(config["distance"], next(iter(inputs.get("distance", [])), None))
    first = artifacts.load(files[0])[["prompt", "seed"]].load()
    final = np.stack([artifacts.load(file)["state"].isel(step=-1).values for file in files])
    grid = (len(config["labels"]), len(config["guidance"]))
    latents = final.reshape(*grid, *final.shape[1:])
    with torch.inference_mode():
        images = decode(model, latents)
    arrays = compared(images, latents.reshape(*latents.shape[:3], -1).astype(float), next_seed(first), distance)
    of_prompt = np.flatnonzero(first["prompt"].values == config["prompt"])[: config["examples"]]
    result = xr.Dataset(
        {
            **arrays,
            **first,
            "image": byte_images(images[:, :, of_prompt], ("sampler", "guidance", "example"), "final images"),
            "example_seed": array(first["seed"].values[of_prompt], "example", "seed of the initial noise"),
        },
        attrs={
            "samplers": list(config["labels"]),
            "labels": list(config["labels"].values()),
            "scales": config["guidance"],
            "distance": distance.label,
        },
    )
    digests = {"trajectories": [artifacts.digest(file) for file in files], "vae": artifacts.digest(inputs["vae"][0])}
    artifacts.save(result, output, origin(study, **digests, config=config))


if __name__ == "__main__":
    run(main)
