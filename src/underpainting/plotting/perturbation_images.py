"""Fig. 19-21: images of perturbed trajectories, time x strength."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from underpainting.plotting import images, manifold, style


@style.styled
def perturbed(final: xr.DataArray, label: str) -> Figure:
    """Draw the final images of a trajectory that is perturbed along one direction.

    Args:
        final: images (step, strength, channel, height, width) with coordinates `perturbed_at` (step) and
            `strength`, among them 0.
        label: direction, sampler, seed and prompt.
    """
    rows, columns = final.sizes["step"], final.sizes["strength"]
    width = min(style.WIDTH - 0.5, 0.75 * columns)
    figure = style.new_figure(images.grid_height(rows, columns, width) + 0.7, width + 0.5)
    axes = figure.subplots()
    steps = [str(step) for step in final["perturbed_at"].values]
    images.draw_grid(axes, list(final.values), steps, manifold.strengths(final["strength"].values))
    axes.set_ylabel("perturbed at sampler step (0 is noise)")
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("strength of the perturbation, in units of the norm of the noise")
    figure.suptitle(label, fontsize="medium")
    return figure
