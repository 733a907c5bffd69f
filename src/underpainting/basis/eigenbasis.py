r"""Computes the eigenbasis of a data set: Sigma = U diag(lambda) U^T (Sec. 4.1, App. G).

Three methods give the same basis; choose by the memory available (D pixels, N images, r components):

    dense        eigendecomposition of the D x D covariance                                   O(D^3)
    gram         eigendecomposition of the N x N Gram matrix, for N < D                       O(N^2 D)
    randomized   block Krylov space from a random start (Musco & Musco 2015), over a stream   O(N D r)

Only the first forms a D x D matrix. `randomized` holds a few D x r matrices and one block of images at a time; `gram`
holds all images in float64.

`randomized` computes the best basis within the span of C W, C^2 W, ..., for the covariance C and random columns W.
The last power alone (Halko et al. 2011) costs as many passes, and explains half a per cent less of images with a 1/f
spectrum.

The sign of an eigenvector is arbitrary; here its largest entry is positive, so that two runs agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.float64]
Batches = Callable[[], Iterable[NDArray[np.floating[Any]]]]


class GaussianBasis(Protocol):
    """Mean and principal components of a Gaussian of images, as the closed forms need them.

    An `Eigenbasis` holds its components as a matrix, a `basis.stationary.SizedBasis` as Fourier modes.
    """

    @property
    def mean(self) -> Tensor:
        """mu, shape (pixel,)."""
        ...

    @property
    def variances(self) -> Tensor:
        """lambda, shape (component,)."""
        ...

    @property
    def total_variance(self) -> float:
        """Trace of the covariance."""
        ...

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channel, height, width)."""
        ...

    @property
    def pixels(self) -> int:
        """Number of values of an image."""
        ...

    @property
    def rank(self) -> int:
        """Number of components, at most `pixels`."""
        ...

    def project(self, centred: Tensor) -> Tensor:
        """Compute U^T y, shape (sample, component), of y, shape (sample, pixel)."""
        ...

    def combine(self, coefficients: Tensor, onto: Tensor) -> Tensor:
        """Compute `onto` + U c, shape (sample, pixel), of c, shape (sample, component)."""
        ...

    def like(self, tensor: Tensor) -> GaussianBasis:
        """Return the basis with mean and components in the dtype and on the device of a tensor."""
        ...


@dataclass(frozen=True)
class Eigenbasis:
    """Mean, principal axes and variances of a data set, in float64.

    Attributes:
        mean: mu, shape (pixel,).
        vectors: U, orthonormal columns, shape (pixel, component).
        variances: lambda, decreasing and not negative, shape (component,), in squared image units.
        total_variance: trace of the covariance, including the omitted components.
        image_shape: (channel, height, width), with channel * height * width = pixel.

    Raises:
        ValueError: the shapes do not fit together, or the variances are negative or not sorted.
    """

    mean: Tensor
    vectors: Tensor
    variances: Tensor
    total_variance: float
    image_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        pixels, rank = self.vectors.shape
        if self.mean.shape != (pixels,) or self.variances.shape != (rank,) or prod(self.image_shape) != pixels:
            raise ValueError(
                f"an eigenbasis of {pixels} pixels and {rank} components does not fit a mean of shape "
                f"{tuple(self.mean.shape)}, variances of shape {tuple(self.variances.shape)} "
                f"and images of shape {self.image_shape}"
            )
        if rank and (self.variances.min() < 0 or (self.variances.diff() > 0).any()):
            raise ValueError("the variances of an eigenbasis must be sorted, largest first, and not negative")

    @property
    def pixels(self) -> int:
        return self.vectors.shape[0]

    @property
    def rank(self) -> int:
        return self.vectors.shape[1]

    @property
    def explained_variance(self) -> float:
        """Fraction of the total variance within the basis; 1 for data without variance."""
        return float(self.variances.sum()) / self.total_variance if self.total_variance > 0 else 1.0

    def to(self, device: torch.device | str) -> Eigenbasis:
        """Return the same basis on another device."""
        return replace(
            self, mean=self.mean.to(device), vectors=self.vectors.to(device), variances=self.variances.to(device)
        )

    def project(self, centred: Tensor) -> Tensor:
        """Compute U^T y, shape (sample, component), of y, shape (sample, pixel)."""
        return centred @ self.vectors

    def combine(self, coefficients: Tensor, onto: Tensor) -> Tensor:
        """Compute `onto` + U c, shape (sample, pixel), of c, shape (sample, component)."""
        return torch.addmm(onto, coefficients, self.vectors.T)

    def like(self, tensor: Tensor) -> Eigenbasis:
        """Return the basis with mean and vectors in the dtype and on the device of a tensor."""
        return replace(self, mean=self.mean.to(tensor), vectors=self.vectors.to(tensor))

    def coefficients(self, images: Tensor) -> Tensor:
        """Compute U^T (x - mu), shape (sample, component), of images (sample, channel, height, width)."""
        return (images.flatten(1).to(self.mean.dtype) - self.mean) @ self.vectors


def _sorted_and_signed(variances: FloatArray, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    order = np.argsort(variances)[::-1]
    variances, vectors = np.clip(variances[order], 0.0, None), vectors[:, order]
    if not vectors.size:
        return variances, vectors
    largest = vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])]
    return variances, vectors * np.where(largest < 0, -1.0, 1.0)


def _basis(
    mean: FloatArray, vectors: FloatArray, variances: FloatArray, total: float, shape: tuple[int, ...]
) -> Eigenbasis:
    variances, vectors = _sorted_and_signed(variances, vectors)
    return Eigenbasis(
        torch.from_numpy(np.ascontiguousarray(mean, np.float64)),
        torch.from_numpy(np.ascontiguousarray(vectors, np.float64)),
        torch.from_numpy(np.ascontiguousarray(variances, np.float64)),
        float(total),
        tuple(shape),
    )


def dense(mean: FloatArray, covariance: FloatArray, image_shape: tuple[int, ...]) -> Eigenbasis:
    """Compute all components from the covariance matrix.

    Args:
        mean: shape (pixel,).
        covariance: symmetric, shape (pixel, pixel).
        image_shape: (channel, height, width).
    """
    variances, vectors = np.linalg.eigh(covariance)
    return _basis(mean, vectors, variances, np.trace(covariance), image_shape)


def gram(images: FloatArray, image_shape: tuple[int, ...], rank: int | None = None) -> Eigenbasis:
    """Compute the components with non-zero variance, at most N - 1, from the Gram matrix of N < pixel images.

    Args:
        images: flattened, shape (sample, pixel), float64.
        image_shape: (channel, height, width).
        rank: compute only this many leading components, to save memory; all if not given.
    """
    count = len(images)
    mean = images.mean(0)
    centred = images - mean
    scale = max(count - 1, 1)
    values, left = np.linalg.eigh(centred @ centred.T / scale)
    values, left = values[::-1], left[:, ::-1]
    rounding = count * np.finfo(np.float64).eps
    # the variance of equal images: rounding of their mean
    tolerance = max(float(values.max(initial=0.0)) * rounding, _sum_of_squares(images) / scale * rounding**2)
    kept = np.flatnonzero(values > tolerance)[:rank]
    vectors = centred.T @ (left[:, kept] / np.sqrt(values[kept] * scale))
    # Vectors of small eigenvalues are orthogonal only up to rounding; QR corrects that, since R is close to diagonal.
    # Largest first: QR keeps the first vectors and corrects the later ones, which have the small eigenvalues.
    orthonormal, upper = np.linalg.qr(vectors)
    total = _sum_of_squares(centred) / scale
    return _basis(mean, orthonormal * np.sign(np.diag(upper)), values[kept], total, image_shape)


def basis_of_images(images: FloatArray, image_shape: tuple[int, ...]) -> Eigenbasis:
    """Compute all components with non-zero variance of images in memory, by the cheaper of the two exact methods.

    Args:
        images: flattened, shape (sample, pixel), float64.
        image_shape: (channel, height, width).
    """
    if len(images) <= images.shape[1]:
        return gram(images, image_shape)
    return dense(images.mean(0), np.cov(images, rowvar=False), image_shape)


def of_factor(mean: FloatArray, factor: FloatArray, image_shape: tuple[int, ...]) -> Eigenbasis:
    """Compute all components with non-zero variance of the covariance F^T F, from the smaller of F^T F and F F^T.

    Args:
        mean: shape (pixel,).
        factor: F, shape (row, pixel).
        image_shape: (channel, height, width).
    """
    rows, pixels = factor.shape
    if rows >= pixels:
        return dense(mean, factor.T @ factor, image_shape)
    _, roots, vectors = np.linalg.svd(factor, full_matrices=False)
    kept = roots > roots.max(initial=0.0) * pixels * np.finfo(np.float64).eps
    return _basis(mean, vectors[kept].T, roots[kept] ** 2, _sum_of_squares(factor), image_shape)


def _sum_of_squares(array: FloatArray) -> float:
    return float(sum(np.vdot(row, row) for row in array))


def randomized(
    batches: Batches,
    mean: FloatArray,
    total_variance: float,
    count: int,
    image_shape: tuple[int, ...],
    rank: int,
    *,
    oversample: int = 16,
    power_iterations: int = 3,
    seed: int = 0,
    block_bytes: int = 256 * 2**20,
) -> Eigenbasis:
    """Compute the leading components without a pixel-by-pixel matrix (Musco & Musco 2015, Alg. 2).

    Args:
        batches: returns all flattened images at each call, in batches of shape (sample, pixel), float32 or float64.
        mean: their mean, shape (pixel,).
        total_variance: trace of their covariance.
        count: number of images.
        image_shape: (channel, height, width).
        rank: number of components requested.
        oversample: extra random directions.
        power_iterations: powers of C beyond the first; each reads the data once more and holds `rank` more columns.
        seed: of the random start.
        block_bytes: memory for images in float64; a larger batch is processed in pieces.

    Raises:
        ValueError: the rank exceeds what the images can have.
    """
    limit = min(len(mean), max(count - 1, 1))
    if not 1 <= rank <= limit:
        raise ValueError(f"rank {rank} is not possible: {count} images of {len(mean)} pixels have rank {limit} at most")
    width = min(rank + oversample, limit)
    blocks = partial(_centred, batches, mean, max(1, block_bytes // (8 * len(mean))))
    start = np.random.default_rng(seed).standard_normal((len(mean), width))
    basis = _krylov(blocks, start, limit, power_iterations)
    values, rotation = np.linalg.eigh(_scatter_within(blocks(), basis) / max(count - 1, 1))
    values, rotation = values[::-1][:rank], rotation[:, ::-1][:, :rank]
    return _basis(mean, _times(basis, rotation), values, total_variance, image_shape)


def _krylov(
    blocks: Callable[[], Iterable[FloatArray]], start: FloatArray, limit: int, iterations: int
) -> list[FloatArray]:
    """Compute orthonormal columns, one matrix per power of the scatter matrix, at most `limit` columns in total."""
    first, upper = np.linalg.qr(_scatter_times(blocks(), start))
    floor = len(start) * np.finfo(np.float64).eps * float(np.abs(upper).max())
    basis = [first]
    for _ in range(iterations):
        room = limit - sum(part.shape[1] for part in basis)
        if not room:
            break
        basis.append(_new_directions(_scatter_times(blocks(), basis[-1])[:, :room], basis, floor))
        if not basis[-1].size:
            break
    return basis


def _new_directions(columns: FloatArray, basis: list[FloatArray], floor: float) -> FloatArray:
    """Return orthonormal columns that span the part of `columns` outside `basis`; none for columns within it.

    Projects twice: the first pass leaves rounding errors, which matter for columns almost within the basis.
    """
    for least in (floor, 0.5):
        for part in basis:
            columns -= part @ (part.T @ columns)
        columns, upper = np.linalg.qr(columns)
        columns = columns[:, np.abs(np.diag(upper)) > least]
    return columns


def _times(basis: list[FloatArray], matrix: FloatArray) -> FloatArray:
    """Multiply concatenated matrices by one matrix; return shape (pixel, column)."""
    product, row = np.zeros((len(basis[0]), matrix.shape[1])), 0
    for part in basis:
        product += part @ matrix[row : row + part.shape[1]]
        row += part.shape[1]
    return product


def _centred(batches: Batches, mean: FloatArray, size: int) -> Iterator[FloatArray]:
    """Yield the images minus their mean, in float64, at most `size` at a time."""
    for batch in batches():
        for start in range(0, len(batch), size):
            yield batch[start : start + size] - mean


def _scatter_times(blocks: Iterable[FloatArray], basis: FloatArray) -> FloatArray:
    """Compute X^T X Q for centred images X, shape (sample, pixel), and columns Q, shape (pixel, column)."""
    product = np.zeros_like(basis)
    for block in blocks:
        product += block.T @ (block @ basis)
    return product


def _scatter_within(blocks: Iterable[FloatArray], basis: list[FloatArray]) -> FloatArray:
    """Compute Q^T X^T X Q, shape (column, column), for the columns Q of concatenated matrices."""
    small = np.zeros((sum(part.shape[1] for part in basis),) * 2)
    for block in blocks:
        projected = np.hstack([block @ part for part in basis])
        small += projected.T @ projected
    return small


def truncate(basis: Eigenbasis, *, rank: int | None = None, explained_variance: float | None = None) -> Eigenbasis:
    """Return the leading components: at most `rank`, and the fewest that reach the fraction `explained_variance`.

    Raises:
        ValueError: the rank is not between 1 and the number of pixels, or the fraction is not in (0, 1].
    """
    keep = basis.rank
    if explained_variance is not None:
        if not 0 < explained_variance <= 1:
            raise ValueError(f"explained_variance must lie in (0, 1], got {explained_variance}")
        reached = basis.variances.cumsum(0) >= explained_variance * basis.total_variance * (1 - 1e-12)
        keep = min(keep, int((~reached).sum()) + 1)
    if rank is not None:
        if not 1 <= rank <= basis.pixels:
            raise ValueError(f"rank {rank} is not possible: the images have {basis.pixels} pixels")
        keep = min(keep, rank)
    return replace(basis, vectors=basis.vectors[:, :keep].contiguous(), variances=basis.variances[:keep].clone())


def save(basis: Eigenbasis, path: str | Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a basis as an artifact."""
    import xarray as xr

    from underpainting.io import artifacts

    arrays = {
        "mean": artifacts.array(basis.mean.numpy(), "pixel", "mean image, flattened"),
        "vectors": artifacts.array(
            basis.vectors.numpy(), ("pixel", "component"), "principal axes, orthonormal columns"
        ),
        "variances": artifacts.array(basis.variances.numpy(), "component", "variance along each axis"),
        "total_variance": artifacts.array(basis.total_variance, (), "trace of the covariance"),
    }
    attributes = {"image_shape": list(basis.image_shape), "range": list(artifacts.IMAGE_RANGE)}
    artifacts.save(xr.Dataset(arrays, attrs=attributes), path, provenance)


def load(path: str | Path) -> Eigenbasis:
    """Read a basis that `save` wrote.

    Raises:
        ArtifactError: the file is missing, holds no basis, or its basis is of images in another range.
    """
    from underpainting.io import artifacts

    data = artifacts.load(path)
    if tuple(data.attrs.get("range", ())) != artifacts.IMAGE_RANGE or "vectors" not in data:
        raise artifacts.ArtifactError(
            f"{path}: not an eigenbasis of images in {list(artifacts.IMAGE_RANGE)}; compute it again from images in that range"
        )
    mean, vectors, variances = (
        torch.from_numpy(np.ascontiguousarray(data[name].values, np.float64))
        for name in ("mean", "vectors", "variances")
    )
    return Eigenbasis(
        mean,
        vectors,
        variances,
        float(data["total_variance"]),
        tuple(int(size) for size in data.attrs["image_shape"]),
    )
