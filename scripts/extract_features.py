"""Extract every set of features of the images in one file, generated ones or the real ones that they are compared with."""

from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting.io import artifacts
from underpainting.quality import fidelity, held_out
from underpainting.quality.extractors import INCEPTION, Extractors
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run


def reference(images: xr.DataArray, trained_here: bool) -> tuple[xr.DataArray, dict[str, xr.DataArray]]:
    """Return the real images to compare with, and which of them are held out."""
    held = held_out.held_out_indices(len(images))
    chosen = held if trained_here else np.arange(len(images))
    about = {
        "image": artifacts.array(chosen, "sample", "number of the image"),
        "held_out": artifacts.array(np.isin(chosen, held), "sample", "whether no features were learned from it"),
    }
    return images[chosen], about


def main(images: str, extractor: str | None, autoencoder: str, output: str, study: str, config: dict[str, Any]) -> None:
    """Extract features batch by batch, write them with the labels that identify the images in the sweep."""
    data = artifacts.load(images)
    real_or_generated = artifacts.require_range(data["images"], images)
    trained_here = config["extractor"] != INCEPTION
    if config["reference"]:
        real_or_generated, kept = reference(real_or_generated, trained_here)
    else:
        kept = {name: data[name].load() for name in ("seed", "nfe", "alpha", "sigma")}
    found = Extractors(config["extractor"], extractor, autoencoder).load()
    parts = [
        {name: fidelity.extract_features(each, batch) for name, each in found.items()}
        for batch in (fidelity.to_bytes(torch.from_numpy(part)) for part in artifacts.batches(real_or_generated, 512))
    ]
    features = {
        name: artifacts.array(
            np.concatenate([part[name] for part in parts]),
            ("sample", name.replace("features", "feature")),
            f"images: {name}",
        )
        for name in found
    }
    result = xr.Dataset({**features, **kept}, attrs={"trained_here": trained_here} if config["reference"] else {})
    artifacts.save(result, output, origin(study, images=artifacts.digest(images)))


if __name__ == "__main__":
    run(main)
