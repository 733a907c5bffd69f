"""Reads the images of a study's data set artifact as bytes, for training and for the point cloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from underpainting.io import artifacts


def load_bytes(path: str | Path) -> NDArray[np.uint8]:
    """Read all images of a data set artifact as bytes, shape (sample, channel, height, width), to save memory."""
    images = artifacts.require_range(artifacts.load(path)["images"], path)
    parts = [np.round((part + 1.0) * 127.5).astype(np.uint8) for part in artifacts.batches(images, 1024)]
    return np.concatenate(parts)
