"""Distances between generated and real images of one sampler and skip, from stored features."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from underpainting import artifacts
from underpainting.jobs import job
from underpainting.origins import use_threads
from underpainting.quality import fidelity, frechet
from underpainting.writing import write_json

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake

FloatArray = NDArray[np.float64]


def features_of(files: list[str]) -> FloatArray:
    """The features of all shards, shape (sample, feature)."""
    return np.concatenate([artifacts.load(file)["features"].values for file in files])


def main(files: dict[str, Any], output: str, sampler: str, skip: int, config: dict[str, Any]) -> None:
    """One row of the sweep's table."""
    real = artifacts.load(files["real"])["features"].values
    moments, features = frechet.Real.of(real), features_of(files["generated"])
    found = frechet.bootstrap(features, moments, config["resamples"])
    row: dict[str, Any] = fidelity.compare(features, real, **config["scores"])._asdict()
    row["fd_low"], row["fd_high"] = found.interval()
    if files["plain"] or not skip:
        plain = frechet.bootstrap(features_of(files["plain"]), moments, config["resamples"]) if skip else found
        row["loss"], row["loss_low"], row["loss_high"] = frechet.relative_loss(found, plain)
    first = artifacts.load(files["generated"][0])
    place = {name: first[name].item() for name in ("nfe", "alpha", "sigma")}
    jump = "gaussian" if skip else "none"
    write_json(
        {"sampler": sampler, "design": "truncate", "jump": jump, "skip": skip, **place, **row, "n": len(features)},
        output,
    )


if __name__ == "__main__":
    with job(snakemake):
        use_threads(snakemake.threads)
        names, inputs = snakemake.wildcards, dict(snakemake.input.items())
        for several in ("generated", "plain"):
            inputs[several] = [inputs[several]] if isinstance(inputs[several], str) else list(inputs[several])
        main(inputs, snakemake.output[0], names.sampler, int(names.skip), snakemake.params.config)
