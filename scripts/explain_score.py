"""Measure how much of the network's score each theory explains, by noise level."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting import denoisers, meter
from underpainting.analysis import score_variance
from underpainting.denoisers.compute import Compute
from underpainting.io import artifacts
from underpainting.io.artifacts import array
from underpainting.noise.levels import vp_level
from underpainting.theory import loading
from underpainting.theory.theories import NULL
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

SUMS = ("ratio", "model", "sample")


def chosen_images(dataset: str, count: int) -> torch.Tensor:
    """Select evenly spaced training images, shape (sample, channel, height, width)."""
    images = artifacts.require_range(artifacts.load(dataset)["images"], dataset)
    places = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    return torch.from_numpy(np.ascontiguousarray(images[places].values, np.float32))


def explain(
    network: denoisers.Denoiser, models: list[denoisers.Denoiser], clean: torch.Tensor, ratio: float
) -> tuple[Any, Any]:
    """Return squared score errors of each theory, shape (model, sample), and squared scores of the network, shape (sample,)."""
    level = vp_level(ratio)
    noisy = score_variance.add_noise(clean, level, range(len(clean)))
    reference = network(noisy, *level)
    sums = [score_variance.squared_norms(reference, model(noisy, *level), noisy, level) for model in models]
    return np.stack([one.residual for one in sums]), sums[0].total


def main(inputs: dict[str, str], output: str, study: str, config: dict[str, Any], compute: Compute) -> None:
    """Add noise, denoise with the network, each theory and the null model, write the sums per image."""
    network, _ = denoisers.load_denoiser(Path(inputs["index"]).parent, compute)
    names = [*config["models"], NULL]
    models = [loading.load(name, inputs) for name in names]
    clean = chosen_images(inputs["dataset"], config["images"])
    meter.plan(evaluations=len(config["ratios"]) * len(clean))
    with torch.inference_mode():
        sums = [explain(network, models, clean, ratio) for ratio in config["ratios"]]
    result = xr.Dataset(
        {
            "residual": array(
                np.stack([one[0] for one in sums]), SUMS, "squared difference of the scores, times sigma^2"
            ),
            "total": array(
                np.stack([one[1] for one in sums]), ("ratio", "sample"), "squared score of the network, times sigma^2"
            ),
            "noise_to_signal": array(np.array(config["ratios"]), "ratio", "sigma / alpha"),
        },
        attrs={"models": names},
    )
    digests = {name: artifacts.digest(inputs[name]) for name in ("weights", "scheduler", "eigenbasis", "dataset")}
    artifacts.save(result, output, origin(study, **digests, config=config))


if __name__ == "__main__":
    run(main)
