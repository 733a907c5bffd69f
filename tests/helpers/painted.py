"""scikit-learn's digits as bytes, and painted ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from underpainting.images.painted_digits import PaintedDigits, paint


def grey_digits(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the first images of scikit-learn's digits, shape (sample, 8, 8), and their labels."""
    data = load_digits()
    return np.round(data.images[:count] * (255 / 16)).astype(np.uint8), data.target[:count]


def painted(count: int) -> PaintedDigits:
    """Return painted digits of scikit-learn."""
    return paint(*grey_digits(count), seed=0)
