"""Fig. 15: trajectories along single components and off the manifold, beside the closed form."""

from typing import TYPE_CHECKING, Any

import torch

from underpainting.analysis import comparison, perturbation
from underpainting.basis import eigenbasis
from underpainting.io import shards
from underpainting.plotting import components, style
from underpainting.samplers import trajectories
from underpainting_workflow.jobs import job
from underpainting_workflow.origins import use_threads

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake

NAMES = {"random": "random", "off_manifold": "off the manifold"}


def main(basis_file: str, files: list[str], outputs: list[str], config: dict[str, Any]) -> None:
    """Predict the first trajectories, and project both onto the directions."""
    basis = eigenbasis.load(basis_file)
    pushes = perturbation.directions(basis, components.spread(basis.variances.numpy()).tolist(), off_manifold=1)
    batch = shards.first(files, components.TRAJECTORIES)
    states, grid = torch.from_numpy(batch["state"].values), trajectories.grid_of(batch)
    mean = torch.from_numpy(grid.alpha)[:, None] * basis.mean
    actual, predicted = (
        ((images.double().flatten(2) - mean) @ pushes.vectors.T).numpy()
        for images in (states, comparison.predict(basis, states[:, 0], grid).state)
    )
    names = [
        f"along $u_{{{number + 1}}}$" if kind == "component" else NAMES[kind]
        for kind, number in zip(pushes.kinds, pushes.components, strict=True)
    ]
    figure = components.components(actual, predicted, pushes.variances.numpy(), names)
    style.save(figure, outputs, config["dpi"])


if __name__ == "__main__":
    with job(snakemake):
        use_threads(snakemake.threads)
        inputs = snakemake.input
        main(inputs.eigenbasis, list(inputs.trajectories), list(snakemake.output), snakemake.params.config)
