r"""Distances of generated images to their nearest training images, a test for memorisation (Sec. 4.3).

With the exact score of a point cloud, every trajectory ends in a training image. For a generated image whose two nearest
training images have the distances d_1 <= d_2 (root mean square over pixels, in image units),

    ratio = d_1 / d_2,      memorised where ratio < 1/3                             (Yoon et al. 2023)

Of two nearly equal training images neither gives a small ratio. Compare, therefore, also d_1 itself, and the same numbers for
training images among the other training images (`leave_one_out_neighbours`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Nearest: TypeAlias = "Callable[[Tensor, int], tuple[Tensor, Tensor]]"
MEMORISED = 1 / 3
"""Ratio below which an image counts as memorised."""


class Neighbours(NamedTuple):
    """Nearest training image of each image.

    Attributes:
        distance: to the nearest training image, root mean square over pixels, in image units, shape (sample,).
        ratio: nearest over second-nearest distance, in [0, 1]; 0 for a copy of the nearest, shape (sample,).
        image: index of the nearest training image, shape (sample,).
    """

    distance: FloatArray
    ratio: FloatArray
    image: IntArray


def find_neighbours(images: Tensor, nearest: Nearest) -> Neighbours:
    """Find the nearest training image of each image.

    Args:
        images: shape (sample, channel, height, width).
        nearest: called as `nearest(images, k)`; returns distances (root mean square over pixels) and indices, both of shape
            (sample, k), nearest first. Use `functools.partial(point_cloud.nearest, cloud)`.
    """
    distances, indices = nearest(images, 2)
    return _neighbours(distances, indices)


def leave_one_out_neighbours(images: Tensor, indices: Tensor, nearest: Nearest) -> Neighbours:
    """Find the nearest *other* training image of training images, as a baseline of distances and ratios.

    A second copy of an image in the training set counts as another image, at distance 0.

    Args:
        images: training images, shape (sample, channel, height, width).
        indices: of these images among the training images, shape (sample,).
        nearest: as in `find_neighbours`; there are at least three training images.

    Raises:
        ValueError: the number of indices is not that of the images.
    """
    if indices.shape != (len(images),):
        raise ValueError(f"{len(images)} images need as many indices of their own, got shape {tuple(indices.shape)}")
    distances, found = nearest(images, 3)
    itself = found == indices.to(found.device)[:, None]
    # if three copies precede the image itself, it is not among the three, and the last one is dropped
    itself[~itself.any(1), -1] = True
    others = (~itself).nonzero()[:, 1].reshape(-1, 2)
    return _neighbours(distances.gather(1, others), found.gather(1, others))


def _neighbours(distances: Tensor, indices: Tensor) -> Neighbours:
    near, second = distances[:, :2].double().cpu().numpy().T
    ratio = near / np.where(second > 0, second, 1.0)
    return Neighbours(near.copy(), ratio, indices[:, 0].cpu().numpy().astype(np.int64))
