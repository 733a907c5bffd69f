"""How good the images of one sampler and skip are: distances from real ones, and from the network's own images."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from underpainting.io import artifacts
from underpainting.io.writing import write_json
from underpainting.quality import distances, fidelity, own_solution
from underpainting_workflow.jobs import job
from underpainting_workflow.origins import use_threads

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake

JUMPS = {"teleport": "gaussian", "null": "isotropic"}


def from_network(samples: list[str], solution: str) -> np.ndarray[Any, Any]:
    """Squared differences from the network's own images, over the seeds that both have."""
    own, shards = artifacts.load(solution), [artifacts.load(file) for file in samples]
    seeds = np.concatenate([shard["seed"].values for shard in shards])
    _, here, there = np.intersect1d(seeds, own["seed"].values, return_indices=True)
    images = torch.from_numpy(np.concatenate([shard["images"].values for shard in shards])[here])
    return own_solution.squared_errors(images, torch.from_numpy(own["images"].values[there]))


def network_columns(files: dict[str, Any], skip: int) -> dict[str, float]:
    """Root mean squared difference from the network's own images, and how much larger it is than without a jump."""
    errors = from_network(files["samples"], files["solution"])
    found = own_solution.columns("rmse_to_network", own_solution.root_mean_square(errors))
    if files["plain_samples"] or not skip:
        plain = from_network(files["plain_samples"], files["solution"])[: len(errors)] if skip else errors
        found |= own_solution.columns("network_loss", own_solution.relative_loss(errors, plain))
    return found


def main(files: dict[str, Any], output: str, sampler: str, jump: str, skip: int, config: dict[str, Any]) -> None:
    """One row of the sweep's table."""
    real = distances.references(files["real"])
    shards = [artifacts.load(file) for file in files["generated"]]
    features = distances.features_of(shards)
    found = distances.measure(features, real, config["resamples"])
    row: dict[str, Any] = fidelity.compare(features[""], real[""].features, **config["scores"])._asdict()
    row |= found.columns()
    count = len(features[""])
    if files["plain"]:
        plain = distances.features_of([artifacts.load(file) for file in files["plain"]], count)
        row |= found.losses(distances.measure(plain, real, config["resamples"]), "loss")
    elif not skip:
        row |= found.losses(found, "loss")
    if files["samples"]:
        row |= network_columns(files, skip)
    place = {name: shards[0][name].item() for name in ("nfe", "alpha", "sigma")}
    about = {"sampler": sampler, "design": "truncate", "jump": jump if skip else "none", "skip": skip}
    write_json({**about, **place, **row, "n": count}, output)


if __name__ == "__main__":
    with job(snakemake):
        use_threads(snakemake.threads)
        names, inputs = snakemake.wildcards, dict(snakemake.input.items())
        for several in ("generated", "plain", "samples", "plain_samples"):
            inputs[several] = [inputs[several]] if isinstance(inputs[several], str) else list(inputs[several])
        main(inputs, snakemake.output[0], names.sampler, JUMPS[names.sweep], int(names.skip), snakemake.params.config)
