"""Features of the images of one file, by the study's extractor."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from underpainting import artifacts
from underpainting.jobs import job
from underpainting.origins import origin, use_threads
from underpainting.quality import fidelity

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(images_file: str, weights: list[str], output: str, study: str, config: dict[str, Any]) -> None:
    """Read images batch by batch, keep their features and what tells where they stand in a sweep."""
    data = artifacts.load(images_file)
    images = artifacts.require_range(data["images"], images_file)
    extractor = fidelity.make_extractor(config["extractor"], weights[0] if weights else None)
    batches = (fidelity.to_bytes(torch.from_numpy(part)) for part in artifacts.batches(images, 512))
    features = np.concatenate([fidelity.extract(extractor, batch) for batch in batches])
    kept = {name: data[name].load() for name in ("seed", "nfe", "alpha", "sigma") if name in data}
    arrays = {"features": artifacts.array(features, ("sample", "feature"), "features of the images"), **kept}
    artifacts.save(xr.Dataset(arrays), output, origin(study, images=artifacts.digest(images_file)))


if __name__ == "__main__":
    with job(snakemake):
        use_threads(snakemake.threads)
        inputs = snakemake.input
        main(
            inputs.images,
            [inputs.extractor] if isinstance(inputs.extractor, str) else list(inputs.extractor),
            snakemake.output[0],
            snakemake.wildcards.study,
            snakemake.params.config,
        )
