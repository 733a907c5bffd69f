"""Measure the images of one sampler after a jump: distances to real images, and differences from the network's own images."""

from typing import Any

import numpy as np
import torch

from underpainting.io import artifacts
from underpainting.io.writing import write_json
from underpainting.quality import distances, fidelity, reference_solution
from underpainting_workflow.runner import run


def from_network(samples: list[str], solution: str) -> np.ndarray[Any, Any]:
    """Return squared differences from the network's own images, over the seeds that both have."""
    own, shards = artifacts.load(solution), [artifacts.load(file) for file in samples]
    seeds = np.concatenate([shard["seed"].values for shard in shards])
    _, here, there = np.intersect1d(seeds, own["seed"].values, return_indices=True)
    images = torch.from_numpy(np.concatenate([shard["images"].values for shard in shards])[here])
    return reference_solution.squared_errors(images, torch.from_numpy(own["images"].values[there]))


def network_columns(
    samples: list[str], plain_samples: list[str], solution: str, skipped_steps: int
) -> dict[str, float]:
    """Return the RMSE to the network's own images, and its relative increase over the sampler without a jump."""
    errors = from_network(samples, solution)
    found = distances.interval_columns("rmse_to_network", *reference_solution.rmse_interval(errors)[:3])
    if plain_samples or not skipped_steps:
        plain = from_network(plain_samples, solution)[: len(errors)] if skipped_steps else errors
        found |= distances.interval_columns("network_loss", *reference_solution.relative_loss(errors, plain)[:3])
    return found


def main(
    generated: list[str],
    plain: list[str],
    samples: list[str],
    plain_samples: list[str],
    solution: str,
    real: str,
    output: str,
    sampler: str,
    skipped_steps: int,
    config: dict[str, Any],
) -> None:
    """Measure one row of the sweep's table."""
    references = distances.load_references(real)
    shards = [artifacts.load(file) for file in generated]
    features = distances.concatenate_features(shards)
    found = distances.measure_distances(features, references, config["resamples"])
    row: dict[str, Any] = fidelity.compare_features(features[""], references[""].features, **config["scores"])._asdict()
    row |= found.columns()
    count = len(features[""])
    if plain:
        without = distances.concatenate_features([artifacts.load(file) for file in plain], count)
        row |= found.losses(distances.measure_distances(without, references, config["resamples"]), "loss")
    elif not skipped_steps:
        row |= found.losses(found, "loss")
    if samples:
        row |= network_columns(samples, plain_samples, solution, skipped_steps)
    place = {name: shards[0][name].item() for name in ("nfe", "alpha", "sigma")}
    about = {
        "sampler": sampler,
        "design": "truncate",
        "jump": config["jump"] if skipped_steps else "none",
        "skipped_steps": skipped_steps,
    }
    write_json({**about, **place, **row, "n": count}, output)


if __name__ == "__main__":
    run(main)
