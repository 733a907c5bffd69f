"""The command `grid`: print the noise levels that suit a basis best, for steps of Euler, DDIM or Heun of any network.

Imports neither torch nor Snakemake, so that it answers within a second.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake_provenance.command_line import Commands, add
from underpainting.io.errors import InputError, Problem

if TYPE_CHECKING:
    from underpainting.samplers.optimal_grid import FloatArray

DDPM_RANGE = (157.40724, 0.0100005)
"""sigma / alpha of the noisiest and the least noisy level of DDPM's schedule, beta from 1e-4 to 0.02 in 1,000 times."""

_CANCELS = (
    "on Gaussian data the errors of its steps cancel, and the grid that is best there is fitted to that; a network's errors "
    "do not cancel in the same way, and with that grid they can be larger than with a usual one"
)
_STOCHASTIC = "it adds noise during sampling, and the loss is that of a sampler without"
_KARRAS = "its levels are those of Karras et al. (2022), whatever the basis"
_REMEDY = "use --sampler euler, ddim or heun, or give that sampler one of its usual grids"


def register(commands: Commands) -> None:
    """Add the command `grid`."""
    text = "print sigma / alpha of the levels at which steps of Euler, DDIM or Heun lose least on images of a basis"
    command = add(commands, "grid", _grid, text)
    command.set_defaults(anywhere=True)
    command.add_argument("basis", type=Path, metavar="BASIS", help="*.safetensors, of `underpainting basis`")
    command.add_argument(
        "--sampler", default="euler", metavar="NAME", help="euler (default), ddim (the same levels) or heun"
    )
    command.add_argument("--steps", type=_steps, required=True, metavar="N", help="number of steps")
    text = "sigma / alpha of the first level: the noisiest that the network knows; default: {:g}, as of DDPM"
    command.add_argument("--sigma-max", type=float, metavar="SIGMA", help=text.format(DDPM_RANGE[0]))
    text = "sigma / alpha that the last level before the image stays above; default: {:g}, as of DDPM"
    command.add_argument("--sigma-min", type=float, metavar="SIGMA", help=text.format(DDPM_RANGE[1]))
    text = (
        "folder of a diffusers pipeline; the default of --sigma-max and --sigma-min is then the range of its schedule"
    )
    command.add_argument("--schedule", type=Path, metavar="FOLDER", help=text)
    command.add_argument("--json", action="store_true", help="print an object instead of one level per line")


def _steps(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is no number of steps from 1 to 1000")
    return int(text)


def _grid(options: argparse.Namespace) -> int:
    from underpainting.basis.variances import read_variances
    from underpainting.samplers import optimal_grid

    _require_closed_form(options.sampler)
    first, least = _range(options)
    variances = read_variances(options.basis)
    try:
        ratios = optimal_grid.optimal_ratios(variances, options.steps, first, least, options.sampler)
    except ValueError as error:
        raise InputError(Problem(str(error), "correct the options, or give another basis")) from error
    levels = [float(f"{ratio:.6g}") for ratio in ratios]
    print("\n".join(map(str, levels)) if not options.json else _object(options, levels, variances))
    return 0


def _require_closed_form(sampler: str) -> None:
    """Check that the closed form holds for a sampler, and that its best grid is of use."""
    from underpainting.samplers import optimal_grid, registry

    if sampler in optimal_grid.SAMPLERS:
        return
    if sampler not in registry.SAMPLERS:
        known = ", ".join(optimal_grid.SAMPLERS)
        raise InputError(Problem(f"the sampler {sampler[:100]!r} is not known", f"choose one of {known}"))
    raise InputError(Problem(f"no grid is optimised for {registry.SAMPLERS[sampler].label}: {_why(sampler)}", _REMEDY))


def _why(sampler: str) -> str:
    from underpainting.samplers.registry import SAMPLERS

    kind = SAMPLERS[sampler]
    return _STOCHASTIC if kind.stochastic else _KARRAS if kind.levels == "karras" else _CANCELS


def _range(options: argparse.Namespace) -> tuple[float, float]:
    """Return sigma_max and sigma_min."""
    from underpainting.noise.training_range import training_range

    first, least = training_range(options.schedule) if options.schedule else DDPM_RANGE
    given = (options.sigma_max, options.sigma_min)
    high, low = (one if one is not None else other for one, other in zip(given, (first, least), strict=True))
    return high, low


def _object(options: argparse.Namespace, levels: list[float], variances: FloatArray) -> str:
    from underpainting.samplers import optimal_grid

    loss = optimal_grid.loss(variances, levels, options.sampler)
    return json.dumps(
        {"sampler": options.sampler, "steps": options.steps, "sigmas": levels, "loss": float(f"{loss:.6g}")}
    )
