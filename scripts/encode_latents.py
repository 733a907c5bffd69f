"""Encode the images of a data set as latents of a study's model, and keep their attributes beside them."""

from collections.abc import Iterator
from pathlib import Path

import torch
import xarray as xr

from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import LatentModel
from underpainting.io import artifacts
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

DIMS = ("sample", *artifacts.IMAGE_DIMS)


def encoded(model: LatentModel, data: xr.Dataset, dataset: str) -> Iterator[xr.Dataset]:
    """Yield latents and attributes, batch by batch."""
    images = artifacts.require_range(data["images"], dataset)
    begin = 0
    for part in artifacts.batches(images, 512):
        latents = model.encode(torch.from_numpy(part)).cpu().numpy()
        rows = slice(begin, begin + len(part))
        begin += len(part)
        about = {"scaling_factor": model.scaling_factor, "vae": model.vae_digest, "words": data.attrs["words"]}
        arrays = {
            "latents": artifacts.array(latents, DIMS, "latents: VAE's posterior mean times its scaling factor"),
            "attributes": data["attributes"][rows].load(),
            "left_out": data["left_out"][rows].load(),
        }
        yield xr.Dataset(arrays, attrs=about)


def main(inputs: dict[str, str], dataset: str, output: str, study: str, compute: Compute) -> None:
    """Encode, write."""
    model = LatentModel.load(Path(inputs["index"]).parent, compute)
    digests = {name: artifacts.digest(inputs[name]) for name in ("vae", "vae_config")}
    provenance = origin(study, dataset=artifacts.digest(dataset), model=digests)
    artifacts.save_stream(encoded(model, artifacts.load(dataset), dataset), output, "sample", provenance)


if __name__ == "__main__":
    run(main)
