"""Fig. 1 for latents: a generation in three rows of decoded images, and the trajectory of its latents in a plane."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from underpainting.plotting import generation, images, prompts, style


@style.styled
def latent_generation(trajectory: xr.Dataset, decoded: xr.Dataset, count: int, prompt: str) -> Figure:
    """Draw one trajectory of latents in decoded snapshots (A), in the plane of x_0 and x_T (B), and as weights of the two (C).

    Args:
        trajectory: one sample with `state` (step, channel, height, width), `alpha` and `sigma` (step).
        decoded: its images `state_image`, `difference_image`, `endpoint_image` (step, channel, height, width).
        count: number of snapshots.
        prompt: shown in the heading.
    """
    chosen = images.choose_snapshots(trajectory.sizes["step"], count)
    rows = [decoded[f"{name}_image"].values[chosen] for name in ("state", "difference", "endpoint")]
    upper, lower = images.grid_height(3, len(chosen), 5.6) + 0.5, 2.75
    figure = style.new_figure(upper + lower)
    top, bottom = style.split_in_two(figure, upper, lower)
    axes = top.subplots()
    images.draw_grid(axes, rows, generation.ROWS, [str(step) for step in chosen])
    style.panel_title(axes, "A", f"{prompts.quote(prompt)}: decoded, by sampler step (0 is noise)")
    generation.draw_plane_and_weights(bottom, trajectory)
    return figure
