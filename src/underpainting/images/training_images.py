"""The images of a study's data set artifact, as bytes: what networks are trained on and the point cloud is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from underpainting.io import artifacts


def load_bytes(path: str | Path) -> NDArray[np.uint8]:
    """All images of a data set artifact as bytes, shape (sample, channel, height, width): a quarter of float32's memory."""
    images = artifacts.require_range(artifacts.load(path)["images"], path)
    parts = [np.round((part + 1.0) * 127.5).astype(np.uint8) for part in artifacts.batches(images, 1024)]
    return np.concatenate(parts)
