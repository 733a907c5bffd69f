"""Loading of theories from their artifacts, each as a denoiser (Sec. 4-5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from underpainting.basis import eigenbasis
from underpainting.denoisers import Denoiser
from underpainting.io import artifacts
from underpainting.theory import mixtures, point_cloud
from underpainting.theory.theories import THEORIES, Theory


def basis_of_samples(files: Sequence[str]) -> eigenbasis.Eigenbasis:
    """Estimate the eigenbasis of a network's own samples.

    Args:
        files: sample artifacts, each with `images`, shape (sample, channel, height, width).
    """
    images = np.concatenate([artifacts.load(file)["images"].values for file in files])
    return eigenbasis.basis_of_images(images.reshape(len(images), -1).astype(np.float64), tuple(images.shape[1:]))


READERS: dict[str, Callable[[Any], Any]] = {
    "eigenbasis": eigenbasis.load,
    "mixture": mixtures.load,
    "dataset": point_cloud.from_dataset,
    "samples": basis_of_samples,
}
"""Functions that read a model of the data, which has an `image_shape`, by kind of artifact."""


def denoiser_of(theory: Theory, model: Any, rank: int | None = None) -> Denoiser:
    """Make the denoiser of a theory.

    Args:
        theory: theory of the denoiser.
        model: content of its artifact, as returned by a function of `READERS`.
        rank: number of leading components of an eigenbasis to keep; None for all.
    """
    module, name = theory.denoiser.split(".")
    kept = eigenbasis.truncate(model, rank=rank) if rank else model
    denoiser: Denoiser = getattr(import_module(f"underpainting.theory.{module}"), name)(kept)
    return denoiser


def load(name: str, files: Mapping[str, Any]) -> Denoiser:
    """Load the denoiser of a theory.

    Args:
        name: a key of `THEORIES`.
        files: artifacts by kind; only that of the theory is read.

    Raises:
        ValueError: an unknown theory.
    """
    if name not in THEORIES:
        raise ValueError(f"unknown theory {name!r}; known are {', '.join(THEORIES)}")
    theory = THEORIES[name]
    return denoiser_of(theory, READERS[theory.reads](files[theory.reads]))
