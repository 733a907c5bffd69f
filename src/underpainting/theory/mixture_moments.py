r"""Mixtures from moments: a mode per class, with a full, low-rank or isotropic covariance (Sec. 5, App. J).

full        every component above rounding
low_rank    the leading components, and the mean of the variances left out along every other direction
isotropic   the mean of all variances, along every direction
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.theory.mixtures import Mixture, Mode

FloatArray = NDArray[np.float64]
Covariance = Literal["full", "low_rank", "isotropic"]


def check_covariance(covariance: str, rank: int | None) -> None:
    """Check that a kind of covariance and a rank are compatible.

    Raises:
        ValueError: an unknown kind, low_rank without a rank, or a rank for another kind.
    """
    if covariance not in ("full", "low_rank", "isotropic"):
        raise ValueError(f"covariance {covariance!r} is unknown; use full, low_rank or isotropic")
    if covariance == "low_rank" and (rank is None or rank < 1):
        raise ValueError(f"covariance low_rank needs a rank of at least 1, got {rank}")
    if covariance != "low_rank" and rank is not None:
        raise ValueError(f"covariance {covariance} takes no rank; leave rank out, or set covariance to low_rank")


def _check_classes(counts: FloatArray, pixels: int, rank: int | None) -> None:
    for label, count in enumerate(counts):
        if not count > 0:
            raise ValueError(f"class {label} has no image; leave it out of the mixture, or add images of it")
        if count < 2:
            raise ValueError(
                f"class {label} has {count:g} image, too few for a covariance; add images, or leave it out"
            )
        limit = min(pixels, math.ceil(count) - 1)
        if rank is not None and rank > limit:
            raise ValueError(
                f"rank {rank} is not possible: class {label} has {count:g} images of {pixels} pixels, a rank of {limit} "
                f"at most; set rank to {limit} or less, or add images"
            )


def mode_of_covariance(
    mean: FloatArray, covariance: FloatArray, image_shape: tuple[int, ...], kind: Covariance, rank: int | None = None
) -> Mode:
    """Build a mode from mean and covariance; a full one keeps the components with variance above rounding.

    Args:
        mean: shape (pixel,).
        covariance: shape (pixel, pixel); isotropic takes the variances, shape (pixel,), as well.
        image_shape: (channel, height, width).
        kind: full, low_rank or isotropic.
        rank: number of components of low_rank; the mean of the variances left out is the rest.
    """
    if kind == "isotropic":
        total = float(covariance.sum() if covariance.ndim == 1 else np.trace(covariance))
        none = torch.zeros(len(mean), 0, dtype=torch.float64)
        return Mode(torch.tensor(mean, dtype=torch.float64), none, none[0], total / len(mean))
    return mode_of_basis(eigenbasis.dense(mean, covariance, image_shape), rank)


def mode_of_basis(basis: Eigenbasis, rank: int | None) -> Mode:
    """Build a mode from the leading `rank` components, the mean of the others as rest; rank None keeps all, rest 0."""
    if rank is not None:
        return Mode.of_basis(eigenbasis.truncate(basis, rank=rank), spread=True)
    rounding = basis.pixels * torch.finfo(torch.float64).eps
    kept = int((basis.variances > rounding * basis.variances.max()).sum()) if basis.rank else 0
    return Mode.of_basis(eigenbasis.truncate(basis, rank=max(kept, 1)))


def _matrices(covariances: Iterable[ArrayLike], kind: Covariance) -> Iterable[FloatArray]:
    for covariance in covariances:
        matrix = np.asarray(covariance, np.float64)
        if matrix.ndim != 2 and kind != "isotropic":
            raise ValueError(
                f"covariance {kind} needs covariance matrices, but the moments hold variances only; set covariance to "
                "isotropic, or take moments that are not diagonal"
            )
        yield matrix


def of_moments(
    counts: ArrayLike,
    means: ArrayLike,
    covariances: Iterable[ArrayLike],
    image_shape: tuple[int, ...],
    covariance: Covariance = "full",
    rank: int | None = None,
) -> Mixture:
    """Build the mixture with one mode per class from the moments of each class.

    Args:
        counts: images of each class, shape (class,); the weights are proportional to them.
        means: shape (class, pixel).
        covariances: shape (class, pixel, pixel), or one (pixel, pixel) after the other, which a generator may compute;
            isotropic takes the variances of the pixels, (class, pixel), as well.
        image_shape: (channel, height, width).
        covariance: full, low_rank (the leading components, with the mean of the variances left out as rest) or isotropic.
        rank: number of components of low_rank.

    Raises:
        ValueError: a class has no image, too few for a covariance, or too few for the rank; or the shapes do not fit.
    """
    check_covariance(covariance, rank)
    counts, means = np.asarray(counts, np.float64), np.asarray(means, np.float64)
    if means.shape != (len(counts), math.prod(image_shape)):
        raise ValueError(
            f"means of shape {means.shape} do not fit {len(counts)} classes of images of shape {image_shape}"
        )
    _check_classes(counts, means.shape[1], rank)
    modes = [
        mode_of_covariance(mean, matrix, image_shape, covariance, rank)
        for mean, matrix in zip(means, _matrices(covariances, covariance), strict=True)
    ]
    return Mixture(torch.from_numpy(counts / counts.sum()), modes, image_shape)
