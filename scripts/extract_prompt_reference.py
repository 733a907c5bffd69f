"""Extract the features of real images of every prompt of the sweep, as many of each prompt, for Frechet distances."""

from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting.images import painted_digits
from underpainting.io import artifacts
from underpainting.quality import attributes, autoencoder, fidelity
from underpainting_workflow import prompt_gaussians
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


def chosen(file: str, prompts: list[str], most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of images of each prompt, as many of each and at most `most`, and the number of their prompt.

    Raises:
        ValueError: a prompt has no image.
    """
    found = artifacts.load(file)["attributes"].values
    places = [
        np.flatnonzero(prompt_gaussians.agreeing(found, painted_digits.read_caption(prompt))) for prompt in prompts
    ]
    if empty := [prompt for prompt, place in zip(prompts, places, strict=True) if not len(place)]:
        raise ValueError(f"no image of {file} agrees with the prompt {empty[0]!r}; use more images, or another prompt")
    each = min(most, *map(len, places))
    random = np.random.default_rng(0)
    taken = [np.sort(random.permutation(place)[:each]) for place in places]
    return np.concatenate(taken), np.repeat(np.arange(len(prompts)), each)


def extracted(file: str, prompts: list[str], most: int, networks: dict[str, Any], first: int) -> dict[str, np.ndarray]:
    """Extract the features of the chosen images, and return them with their prompts, numbered from `first`."""
    numbers, of_prompt = chosen(file, prompts, most)
    images = artifacts.require_range(artifacts.load(file)["images"], file)[numbers]
    data = fidelity.to_bytes(torch.from_numpy(images.values))
    features = {name: fidelity.extract_features(network.features, data) for name, network in networks.items()}
    return {**features, "prompt": of_prompt + first}


def main(dataset: str, classifier: str, autoencoder_file: str, output: str, study: str, config: dict[str, Any]) -> None:
    """Extract the known prompts, then those left out, as many images of each prompt of a group; write both."""
    networks = {
        "features": attributes.load(classifier).network,
        "autoencoder_features": autoencoder.load(autoencoder_file).network,
    }
    prompts, known = config["prompts"], config["known"]
    parts = [(0, prompts[:known]), (known, prompts[known:])]
    groups = [extracted(dataset, part, config["reference_images"], networks, first) for first, part in parts if part]
    values = {name: np.concatenate([group[name] for group in groups]) for name in groups[0]}
    dims = {"features": ("sample", "feature"), "autoencoder_features": ("sample", "autoencoder_feature")}
    arrays = {
        name: artifacts.array(array, dims.get(name, "sample"), f"real images: {name}") for name, array in values.items()
    }
    artifacts.save(xr.Dataset(arrays), output, origin(study, config=config, dataset=artifacts.digest(dataset)))


if __name__ == "__main__":
    run(main)
