"""Every set of a study's features of the images of one file: generated ones, or the real ones that these are compared with."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from underpainting.io import artifacts
from underpainting.quality import fidelity, held_out
from underpainting.quality.extractors import INCEPTION, Extractors
from underpainting_workflow.jobs import job
from underpainting_workflow.origins import origin, use_threads

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def reference(images: xr.DataArray, trained_here: bool) -> tuple[xr.DataArray, dict[str, xr.DataArray]]:
    """The real images to compare with, and which of them are held out: all that are here, or all of the data set."""
    held = held_out.held_out(len(images))
    chosen = held if trained_here else np.arange(len(images))
    about = {
        "image": artifacts.array(chosen, "sample", "number of the image"),
        "held_out": artifacts.array(np.isin(chosen, held), "sample", "whether no features were learned from it"),
    }
    return images[chosen], about


def main(images_file: str, extractors: Extractors, output: str, study: str, config: dict[str, Any]) -> None:
    """Read images batch by batch, keep their features and what tells where they stand in a sweep."""
    data = artifacts.load(images_file)
    images = artifacts.require_range(data["images"], images_file)
    trained_here = extractors.name != INCEPTION
    if config["reference"]:
        images, kept = reference(images, trained_here)
    else:
        kept = {name: data[name].load() for name in ("seed", "nfe", "alpha", "sigma")}
    found = extractors.load()
    parts = [
        {name: fidelity.extract(extractor, batch) for name, extractor in found.items()}
        for batch in (fidelity.to_bytes(torch.from_numpy(part)) for part in artifacts.batches(images, 512))
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
    artifacts.save(result, output, origin(study, images=artifacts.digest(images_file)))


if __name__ == "__main__":
    with job(snakemake):
        use_threads(snakemake.threads)
        inputs, config = snakemake.input, snakemake.params.config
        weights = inputs.extractor if isinstance(inputs.extractor, str) else next(iter(inputs.extractor), None)
        extractors = Extractors(config["extractor"], weights, inputs.autoencoder)
        main(inputs.images, extractors, snakemake.output[0], snakemake.wildcards.study, config)
