"""Reads the variances of a basis file alone, without importing torch, so that it is fast."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from underpainting.io.conventions import IMAGE_RANGE, KEY
from underpainting.io.errors import InputError, MissingFileError, Problem
from underpainting.io.messages import describe_error

FORMAT, STATIONARY = "underpainting.basis/1", "underpainting.stationary/1"
_REMEDY = "give a file that `underpainting basis` wrote"
_ROUNDING = 1e-6  # relative


def read_variances(path: str | Path) -> NDArray[np.float64]:
    """Read the variances of all components of a basis file that `save_basis` or `stationary.save` wrote.

    Components that the file leaves out get the mean of the variance that it leaves out. A stationary basis has those of images
    as large as its grid of frequencies.

    Returns:
        shape (pixel,), in squared image units; decreasing, unless the basis is stationary.

    Raises:
        InputError: the file is missing, is no basis, or one of images in another range, or its variances are not those
            of its card.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(Problem(f"{path}: there is no such file", _REMEDY))
    try:
        with safe_open(path, "np") as file:
            card = json.loads((file.metadata() or {})[KEY])
            if card.get("about", {}).get("format") == STATIONARY:
                return _of_spectrum(np.asarray(file.get_tensor("spectrum"), np.float64), card["about"]["width"])
            kept = np.asarray(file.get_tensor("variances"), np.float64)
        return _completed(kept, card)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(Problem(f"{path}: no basis ({describe_error(error)})", _REMEDY)) from error


def _completed(kept: NDArray[np.float64], card: dict[str, Any]) -> NDArray[np.float64]:
    """Add the components that are left out, after a check of the variances against the card."""
    if card["format"] != FORMAT or tuple(card["image_range"]) != IMAGE_RANGE:
        raise ValueError(f"its format is {card['format']}, of images in {card['image_range']}")
    total, explained = card["total_variance"], card["total_variance"] * card["explained_variance"]
    if len(kept) != card["rank"] or not abs(kept.sum() - explained) <= _ROUNDING * total:
        raise ValueError("its variances are not those of its card")
    missing = prod(card["image_shape"]) - len(kept)
    return np.append(kept, np.full(missing, max(total - explained, 0.0) / max(missing, 1)))


def _of_spectrum(packed: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the eigenvalues of a stationary basis' matrices, each as often as its frequency occurs: f and -f."""
    matrices = unpacked_spectrum(packed).transpose(2, 3, 0, 1)
    once = [0] + ([width // 2] if width % 2 == 0 else [])
    times = np.where(np.isin(np.arange(packed.shape[3]), once), 1, 2)
    found = np.linalg.eigvalsh(matrices).clip(min=0)
    return np.repeat(found, times, axis=1).ravel()


def unpacked_spectrum(packed: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return the Hermitian matrices S of a file: their real part stands on and above the diagonal, the imaginary below.

    Args:
        packed: shape (channel, channel, height, width // 2 + 1).
    """
    upper = np.triu(np.ones(packed.shape[:2], bool))[..., None, None]
    real, below = np.where(upper, packed, packed.swapaxes(0, 1)), np.where(upper, 0.0, packed)
    matrices: NDArray[np.complex128] = real + 1j * (below - below.swapaxes(0, 1))
    return matrices
