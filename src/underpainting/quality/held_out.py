"""Images that no feature extractor learns from: the reference of every distance in features that were trained here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST = 10_000


def held_out(count: int, most: int = MOST, seed: int = 0) -> NDArray[np.int64]:
    """The numbers of the images held out: half of all, drawn at random, `most` at most; ascending.

    Args:
        count: number of images of the data set.
        most: how many are held out at most.
        seed: of the draw.
    """
    import numpy as np  # the checks of a start read `MOST` alone

    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[: min(count // 2, most)])


def others(count: int, held: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of the images that are not held out, ascending."""
    import numpy as np

    return np.setdiff1d(np.arange(count), held)
