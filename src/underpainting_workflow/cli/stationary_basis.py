"""The options `--stationary` and `--vae` of the command `basis`: a covariance per frequency, of images or of their latents."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from underpainting.io.errors import InputError, Problem

if TYPE_CHECKING:
    from torch import Tensor

    from underpainting.images import datasets

PIXELS = 2**20  # of images that go through the VAE at once


def add_options(group: Any) -> None:
    """Add the options."""
    text = (
        "one covariance of the channels per spatial frequency: for images or latents of any size, in a file below 1 MB"
    )
    group.add_argument("--stationary", action="store_true", help=text)
    text = "encode the images of SOURCE by this VAE first, folder of an AutoencoderKL (SD, SDXL, SD3, Flux); with --stationary"
    group.add_argument("--vae", type=Path, metavar="FOLDER", help=text)


def require_options(options: argparse.Namespace) -> None:
    """Check that the options fit each other.

    Raises:
        InputError: they do not.
    """
    if options.vae is not None and not options.stationary:
        raise InputError(Problem("--vae is for a stationary basis", "add --stationary"))
    usual = {
        "rank": None,
        "per_class": False,
        "network": None,
        "pipeline": None,
        "method": "auto",
        "precision": "float64",
        "seed": 0,
    }
    given = [name for name, value in usual.items() if getattr(options, name) != value]
    if options.stationary and given:
        raise InputError(Problem(f"--stationary does not go with --{given[0].replace('_', '-')}", "leave it out"))


def write(options: argparse.Namespace, source: datasets.Source, target: datasets.ImageFormat, name: str) -> None:
    """Estimate the basis of a source of images, write it, and print what it is.

    Args:
        target: format to which the images are converted.
        name: of the images.

    Raises:
        ValueError: the images, or the VAE, cannot be used.
    """
    from underpainting.basis import stationary
    from underpainting.denoisers.latent_encoder import LatentEncoder

    encoder = LatentEncoder.load(options.vae) if options.vae is not None else None
    about = {"source": name, "latents": asdict(encoder.scale) if encoder else None}
    batches = _images(options, source, target)
    found = stationary.fit(map(encoder, batches) if encoder else batches, about)
    kept = found.reduced()
    stationary.save(kept, options.output)
    kind = f"latents of {options.vae.resolve().name}" if encoder else "images"
    print(f"{options.output}: stationary basis of {len(kept.mean)} channels, for {kind} of any size")
    spread = f"{found.height} x {found.width}, {kept.height} x {kept.width} frequencies kept"
    print(f"{name}, {found.about['count']:,} images as {spread}; {options.output.stat().st_size:,} bytes")


def _images(options: argparse.Namespace, source: datasets.Source, target: datasets.ImageFormat) -> Iterator[Tensor]:
    """Yield batches of images in [-1, 1]."""
    import torch

    from underpainting.images import datasets

    at_once = max(1, PIXELS // target.size**2)
    for pixels, _ in datasets.read_batches(source, target, at_once, options.limit):
        yield torch.from_numpy(pixels).float() / 127.5 - 1
