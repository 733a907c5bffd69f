"""Draw Fig. 15: trajectories along single components and off the manifold, with the closed form."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.figure import Figure

from underpainting.analysis import comparison, perturbation
from underpainting.basis import eigenbasis
from underpainting.io import shards
from underpainting.plotting import components
from underpainting.samplers import trajectories
from underpainting.theory.gaussian import GaussianDenoiser
from underpainting_workflow.origins import use_threads

NAMES = {"random": "random", "off_manifold": "off the manifold"}


def draw(files: dict[str, list[str]], _: dict[str, Any]) -> Figure:
    """Draw the first trajectories and their closed-form predictions, projected onto the directions."""
    use_threads(1)
    basis = eigenbasis.load(files["eigenbasis"][0])
    directions = perturbation.make_directions(
        basis, components.spread(basis.variances.numpy()).tolist(), off_manifold=1
    )
    batch = shards.load_first(files["trajectories"], components.TRAJECTORIES)
    states, grid = torch.from_numpy(batch["state"].values), trajectories.grid_of(batch)
    mean = torch.from_numpy(grid.alpha)[:, None] * basis.mean
    actual, predicted = (
        ((images.double().flatten(2) - mean) @ directions.vectors.T).numpy()
        for images in (states, comparison.closed_form_trajectory(GaussianDenoiser(basis), states[:, 0], grid).state)
    )
    names = [
        f"along $u_{{{number + 1}}}$" if kind == "component" else NAMES[kind]
        for kind, number in zip(directions.kinds, directions.components, strict=True)
    ]
    return components.components(actual, predicted, directions.variances.numpy(), names)
