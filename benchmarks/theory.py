"""Moments against the bare matrix product that they need."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Ratio, ratio
from underpainting.basis import moments


def moments_cost(images: int = 4096, pixels: int = 3072, batch: int = 1024) -> Ratio:
    """Streaming covariance of byte images, against one float64 product of the same size.

    The reference is what BLAS does for a general product; numpy recognises X^T X and saves half of it, for both sides.
    """
    generator = np.random.default_rng(0)
    data = generator.random((images, pixels), np.float32)
    ready = data.astype(np.float64)

    def streaming() -> None:
        moments.moments_of_batches((data[start : start + batch] for start in range(0, images, batch)), pixels)

    def product() -> None:
        ready.T @ ready

    name = f"moments, {images:,} images of {pixels:,} pixels"
    return ratio(name, streaming, "bare product X^T X", product, "at most 2.0", pairs=5)
