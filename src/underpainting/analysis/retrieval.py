r"""Is generation retrieval? Generated images beside their nearest training images (Sec. 4.3).

With the exact score of a point cloud every trajectory ends in a training image. For a generated image x with its two nearest
training images at the distances d_1 <= d_2 (root mean square over pixels, in image units),

    ratio = d_1 / d_2,      memorised where ratio < 1/3                             (Yoon et al. 2023)

The ratio asks whether one training image is singled out; two nearly equal training images hide each other from it, so the
distance itself and the same numbers for training images among the others (`leave_one_out`) belong beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Nearest: TypeAlias = "Callable[[Tensor, int], tuple[Tensor, Tensor]]"
MEMORISED = 1 / 3


class Neighbours(NamedTuple):
    """What training images are near.

    Attributes:
        distance: to the nearest, root mean square over pixels, in image units, shape (sample,).
        ratio: of the nearest to the second-nearest distance, in [0, 1]; 0 at the nearest itself, shape (sample,).
        image: number of the nearest training image, shape (sample,).
    """

    distance: FloatArray
    ratio: FloatArray
    image: IntArray


def neighbours(images: Tensor, nearest: Nearest) -> Neighbours:
    """The nearest training image of each image.

    Args:
        images: shape (sample, channel, height, width).
        nearest: called as `nearest(images, k)`, gives distances (root mean square over pixels) and indices, shape (sample, k),
            nearest first; `functools.partial(point_cloud.nearest, cloud)`.
    """
    distances, indices = nearest(images, 2)
    return _neighbours(distances, indices)


def leave_one_out(images: Tensor, own: Tensor, nearest: Nearest) -> Neighbours:
    """The nearest *other* training image of training images: what distances and ratios are usual.

    A second copy of an image in the training set is another image, at the distance 0.

    Args:
        images: training images, shape (sample, channel, height, width).
        own: their indices among the training images, shape (sample,).
        nearest: as in `neighbours`; there are at least three training images.

    Raises:
        ValueError: there is not one index for each image.
    """
    if own.shape != (len(images),):
        raise ValueError(f"{len(images)} images need as many indices of their own, got shape {tuple(own.shape)}")
    distances, indices = nearest(images, 3)
    itself = indices == own.to(indices.device)[:, None]
    # where three copies come before the image itself, it is not among the three, and the last one goes
    itself[~itself.any(1), -1] = True
    others = (~itself).nonzero()[:, 1].reshape(-1, 2)
    return _neighbours(distances.gather(1, others), indices.gather(1, others))


def memorised(found: Neighbours, threshold: float = MEMORISED) -> BoolArray:
    """Which images single out one training image: ratio below the threshold, shape (sample,)."""
    return found.ratio < threshold


def agreement(first: Neighbours, second: Neighbours) -> BoolArray:
    """Whether two models, from the same seeds, end near the same training image, shape (sample,).

    Raises:
        ValueError: different numbers of images.
    """
    if first.image.shape != second.image.shape:
        raise ValueError(
            f"{len(first.image)} and {len(second.image)} images cannot be compared; take the same seeds of both models"
        )
    return first.image == second.image


def _neighbours(distances: Tensor, indices: Tensor) -> Neighbours:
    near, second = distances[:, :2].double().cpu().numpy().T
    ratio = near / np.where(second > 0, second, 1.0)
    return Neighbours(near.copy(), ratio, indices[:, 0].cpu().numpy().astype(np.int64))
