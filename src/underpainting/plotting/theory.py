"""Fig. 3: the closed form along the network's noise schedule."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from underpainting.noise.levels import NoiseGrid, NoiseLevel, grid_rate
from underpainting.plotting import style
from underpainting.plotting.images import FloatArray
from underpainting.theory import gaussian

SMALLEST = 1e-4


def decades(variances: FloatArray) -> FloatArray:
    """Return the powers of ten that cover a spectrum, and at least 0.01 to 10; none below 1e-4, which is invisible."""
    seen = variances[variances > SMALLEST]
    low = np.floor(np.log10(seen.min(initial=0.01)))
    high = np.ceil(np.log10(seen.max(initial=10.0)))
    return np.power(10.0, np.arange(high, low - 1, -1))


def curves(grid: NoiseGrid, lambdas: FloatArray) -> dict[str, FloatArray]:
    """Compute the four functions of Fig. 3 on a training grid, each of shape (step, lambda).

    Returns:
        `psi`, `xi` over the standard deviation, `rate` (its rate per unit of 1 - t/T, as a sampler runs), `gain`.
    """
    time = times(grid)
    rates = [NoiseLevel(*map(float, pair)) for pair in zip(*grid_rate(grid, time), strict=True)]
    spread, start = np.sqrt(lambdas), grid[0]
    return {
        "psi": np.stack([gaussian.psi(lambdas, start, level) for level in grid]),
        "xi": np.stack([gaussian.xi(lambdas, start, level) / spread for level in grid]),
        "rate": np.stack(
            [-gaussian.xi_rate(lambdas, start, level, rate) / spread for level, rate in zip(grid, rates, strict=True)]
        ),
        "gain": np.stack([gaussian.perturbation_gain(lambdas, level) for level in grid]),
    }


def times(grid: NoiseGrid) -> FloatArray:
    """Compute t / T of a training grid's levels, from 1 (noise) to 1 / T."""
    return np.arange(len(grid), 0, -1) / len(grid)


@style.styled
def theory(grid: NoiseGrid, variances: FloatArray) -> Figure:
    """Draw psi (A), xi over the standard deviation (B), its rate (C) and the gain of perturbations (D), by variance.

    Args:
        grid: the levels that the network knows, from noise to data.
        variances: the study's eigenvalues, marked on the colour bar.
    """
    lambdas = decades(variances)
    values, time = curves(grid, lambdas), times(grid)
    figure = style.new_figure(4.6)
    axes = figure.subplots(2, 2, sharex=True)
    norm = LogNorm(lambdas[-1] / 10**0.5, lambdas[0] * 10**0.5)
    colors = style.sequential_colormap().reversed()
    for panel, name in zip(axes.flat, ("psi", "xi", "rate", "gain"), strict=True):
        for value, curve in zip(lambdas, values[name].T, strict=True):
            panel.plot(time, curve, color=colors(norm(value)), linestyle="-")
    _label(axes.ravel().tolist(), grid, time)
    _critical(axes[1, 0], grid, lambdas, values["rate"], [colors(norm(value)) for value in lambdas])
    _bar(figure, axes.ravel().tolist(), ScalarMappable(norm, colors), lambdas, variances)
    return figure


def _label(axes: list[Axes], grid: NoiseGrid, time: FloatArray) -> None:
    headings = (
        ("A", r"State along a component", r"$\psi(t, \lambda)$"),
        ("B", r"Endpoint estimate along a component", r"$\xi(t, \lambda)\,/\,\sqrt{\lambda}$"),
        ("C", r"When a component emerges", r"$-\,\mathrm{d}(\xi/\sqrt{\lambda})\,/\,\mathrm{d}(t/T)$"),
        ("D", r"Effect of a perturbation at $t$ on $x_0$", r"$\sqrt{\lambda\,/\,(\sigma_t^2 + \lambda\alpha_t^2)}$"),
    )
    for panel, (letter, heading, quantity) in zip(axes, headings, strict=True):
        style.panel_title(panel, letter, heading)
        panel.set(xlim=(1, 0), ylabel=quantity)
    axes[0].plot(
        time,
        grid.sigma / grid.sigma[0],
        color=style.MUTED,
        linestyle="--",
        lw=1,
        label=r"off the manifold, $\lambda = 0$",
    )
    axes[0].legend(loc="lower left")
    for panel in (axes[0], axes[2], axes[3]):
        panel.set_yscale("log")
    axes[2].set_ylim(bottom=1e-2)
    for panel in axes[2:]:
        panel.set_xlabel("time $t/T$ (noise to data)")


def _critical(
    axes: Axes, grid: NoiseGrid, lambdas: FloatArray, rate: FloatArray, colors: list[tuple[float, ...]]
) -> None:
    """Draw dots where sigma = alpha sqrt(lambda)."""
    steps = gaussian.critical_step(lambdas, grid.sigma / grid.alpha)
    for step, curve, color in zip(steps, rate.T, colors, strict=True):
        if np.isfinite(step):
            at = np.interp(step, np.arange(len(grid)), times(grid))
            height = np.interp(step, np.arange(len(grid)), curve)
            axes.plot(at, height, "o", color=color, markeredgecolor="black", markeredgewidth=0.5, zorder=3)
    axes.plot(
        [], [], "o", color="white", markeredgecolor="black", label=r"critical time, $\sigma_t = \alpha_t\sqrt{\lambda}$"
    )
    axes.legend(loc="upper left")


def _bar(
    figure: Figure, axes: list[Axes], mappable: ScalarMappable, lambdas: FloatArray, variances: FloatArray
) -> None:
    bar = figure.colorbar(
        mappable, ax=axes, label=r"variance $\lambda$ (dashes: the eigenvalues of this study)", aspect=40, pad=0.02
    )
    bar.set_ticks(lambdas.tolist())
    bar.minorticks_off()
    seen = variances[(variances >= lambdas[-1] / 10**0.5) & (variances <= lambdas[0] * 10**0.5)]
    bar.ax.hlines(seen, 0, 0.35, color="white", lw=0.5)
