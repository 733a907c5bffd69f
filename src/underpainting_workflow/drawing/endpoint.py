"""Draw Fig. 4 A: endpoint estimates of a sampler and of the Gaussian solution from the same noise."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.figure import Figure

from underpainting.analysis import comparison as theory
from underpainting.basis import eigenbasis
from underpainting.io import shards
from underpainting.plotting import comparison
from underpainting.samplers import trajectories
from underpainting.theory.gaussian import GaussianDenoiser
from underpainting_workflow.origins import use_threads


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the endpoint estimates of the seed's trajectory, sampled and predicted."""
    use_threads(1)
    trajectory = shards.load_sample(files["trajectories"], config["seed"])
    initial = torch.from_numpy(trajectory["state"].values[:1])
    basis = eigenbasis.load(files["eigenbasis"][0])
    prediction = theory.closed_form_trajectory(GaussianDenoiser(basis), initial, trajectories.grid_of(trajectory))
    actual, predicted = trajectory["endpoint"].values, prediction.endpoint[0].numpy()
    return comparison.endpoint(actual, predicted, config["label"], config["snapshots"])
