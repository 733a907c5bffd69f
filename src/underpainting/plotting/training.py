"""Training loss of a study's network."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from underpainting.plotting import style
from underpainting.plotting.images import FloatArray


def smooth(values: FloatArray, width: int) -> FloatArray:
    """Compute the centred moving average over `width` values (odd), over fewer at the ends."""
    window = np.ones(width)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


@style.styled
def loss(losses: FloatArray) -> Figure:
    """Draw the training loss by optimizer step, and its moving average.

    Args:
        losses: mean squared error per value, shape (step,).
    """
    figure = style.new_figure(2.5, width=5.0)
    axes = figure.subplots()
    steps = np.arange(1, len(losses) + 1)
    width = min(2 * (len(losses) // 60) + 1, len(losses))
    axes.plot(steps, losses, color="C0", alpha=0.3, lw=0.6, linestyle="-", label="each step")
    axes.plot(steps, smooth(losses, width), color="C0", linestyle="-", label=f"moving average over {width} steps")
    axes.set(xlabel="optimizer step", ylabel="mean squared error", xlim=(0, len(losses) + 1))
    style.log_y_axis(axes, float(losses.min()), float(losses.max()))
    axes.legend()
    style.panel_title(axes, "", "Training loss of the denoiser")
    return figure
