"""Distances between generated and real images of one sampler and skip, from stored features."""

from typing import TYPE_CHECKING, Any

import numpy as np

from underpainting import artifacts, fidelity
from underpainting.jobs import job
from underpainting.origins import use_threads
from underpainting.writing import write_json

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


def main(generated: list[str], real: str, output: str, sampler: str, skip: int, config: dict[str, Any]) -> None:
    """One row of the sweep's table."""
    shards = [artifacts.load(file) for file in generated]
    features = np.concatenate([shard["features"].values for shard in shards])
    scores = fidelity.compare(features, artifacts.load(real)["features"].values, **config)
    place = {name: shards[0][name].item() for name in ("nfe", "alpha", "sigma")}
    write_json({"sampler": sampler, "skip": skip, **place, **scores._asdict(), "n": len(features)}, output)


if __name__ == "__main__":
    with job(snakemake):
        use_threads(snakemake.threads)
        names, inputs = snakemake.wildcards, snakemake.input
        main(
            list(inputs.generated),
            inputs.real,
            snakemake.output[0],
            names.sampler,
            int(names.skip),
            snakemake.params.config,
        )
