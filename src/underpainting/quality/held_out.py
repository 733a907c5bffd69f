"""Split of the images into those held out from all feature extractors, the reference of Frechet distances, and the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_HELD_OUT = 10_000


def held_out_indices(count: int, most: int = MAX_HELD_OUT, seed: int = 0) -> NDArray[np.int64]:
    """Draw the indices of the held-out images: half of all at random, at most `most`; ascending.

    Args:
        count: number of images of the data set.
        most: largest number of held-out images.
        seed: seed of the draw.
    """
    import numpy as np  # the checks at the start of a run import `MAX_HELD_OUT` alone

    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[: min(count // 2, most)])


def training_indices(count: int, held_out: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices of the images that are not held out, ascending."""
    import numpy as np

    return np.setdiff1d(np.arange(count), held_out)
