"""The command `plan`: choose sampler, grid and jump for a number of network calls."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake_provenance.command_line import Commands, add
from underpainting.io.errors import InputError, Problem

if TYPE_CHECKING:
    from underpainting.teleport.choice import Candidate, Choice, Estimate

HEADINGS = ("sampler", "grid", "steps", "skipped by the jump", "images", "RMSE", "95 %", "typical error")
_LIMITS = """\
RMSE: distance from a finer solution ({}) from the same noise, in images of range [-1, 1]; the interval is over the images.
The choice has the least typical error, the root of the geometric mean over images, in which no single image decides.
Not measured: the distribution of the images (Frechet distance); longer jumps, and others than the Gaussian's; errors that a
candidate shares with the finer solution."""


def register(commands: Commands) -> None:
    """Add the command `plan`."""
    text = "choose sampler, grid and jump for a number of network calls, by a few images of the network"
    command = add(commands, "plan", _plan, text)
    command.set_defaults(anywhere=True)
    command.add_argument("basis", type=Path, metavar="BASIS", help="*.safetensors, of `underpainting basis`")
    command.add_argument("network", type=Path, metavar="NETWORK", help="folder of a diffusers pipeline")
    command.add_argument("--calls", type=_count, required=True, metavar="N", help="network calls for an image")
    text = "images that candidates are judged by, two or more; default: 8"
    command.add_argument("--images", type=_count, default=8, metavar="N", help=text)
    text = "most network calls per image that choosing may cost; default: 10 times --calls, more with fewer than six images"
    command.add_argument("--budget", type=_count, metavar="N", help=text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 1000")
    return int(text)


def _plan(options: argparse.Namespace) -> int:
    import torch

    from underpainting.basis.stored import load_basis
    from underpainting.denoisers import load_denoiser
    from underpainting.samplers.randomness import initial_noise
    from underpainting.teleport.choice import choose

    if options.images < 2:
        raise InputError(Problem("an interval needs two images", "give --images 2 or more"))
    denoiser, scheduler = load_denoiser(options.network)
    noise = initial_noise(range(options.images), denoiser.image_shape)
    try:
        basis = load_basis(options.basis).all_images
        with torch.inference_mode():
            choice = choose(denoiser, scheduler, basis, noise, options.calls, options.budget)
    except ValueError as error:
        raise InputError(Problem(str(error), "correct the options, or give another basis")) from error
    print("\n".join(_lines(choice, options)))
    return 0


def _lines(choice: Choice, options: argparse.Namespace) -> Iterator[str]:
    yield f"| {' | '.join(HEADINGS)} |"
    yield f"|{' --- |' * len(HEADINGS)}"
    for estimate in choice.estimates:
        yield f"| {' | '.join(_cells(estimate))} |"
    spent = choice.evaluations / options.images
    yield "\n" + _LIMITS.format(_words(choice.reference))
    yield f"\n{spent:.1f} network calls per image; {choice.calls} calls of one image to {options.images}"
    yield f"choice: {_words(choice.best)}\n"
    yield "from underpainting.pipeline import TeleportBasis, TeleportPipeline"
    yield f'pipe = TeleportPipeline.from_pretrained("{options.network}", basis=TeleportBasis.from_file("{options.basis}"))'
    arguments = ", ".join(f"{key}={value!r}".replace("'", '"') for key, value in choice.best.arguments().items())
    yield f"images = pipe(batch_size=16, {arguments}).images"


def _cells(estimate: Estimate) -> list[str]:
    from underpainting.analysis.statistics import clip
    from underpainting.quality.reference_solution import rmse_interval

    (sampler, grid, steps, skipped), errors = estimate
    between = ""
    if len(errors) > 1 and estimate.rmse < float("inf"):
        found = clip(rmse_interval(errors), 0)
        between = f"{found.low:.4f} to {found.high:.4f}"
    return [
        sampler,
        grid,
        str(steps),
        f"{skipped:.1%}",
        str(len(errors)),
        f"{estimate.rmse:.4f}",
        between,
        f"{estimate.typical:.4f}",
    ]


def _words(candidate: Candidate) -> str:
    jump = (
        f" after a jump of {candidate.skipped_fraction:.1%} of the network's time" if candidate.skipped_fraction else ""
    )
    return f"{candidate.sampler} on the grid {candidate.grid}, {candidate.steps} steps{jump}"
