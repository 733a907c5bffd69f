r"""Fit of a Gaussian mixture to images without labels: k-means or expectation maximisation, then moments (App. J).

The clusters are found among the coefficients of the leading principal components (scikit-learn). With the
responsibilities r_ni of image n there, one or zero for k-means, the moments of mode i in pixel space are

    n_i     = sum_n r_ni
    mu_i    = sum_n r_ni x_n / n_i
    Sigma_i = sum_n r_ni (x_n - mu_i)(x_n - mu_i)^T / (n_i - sum_n r_ni^2 / n_i)

which for k-means are the sample moments of each cluster, with n_i - 1. They are sums over batches: memory beside the
images is one matrix, (pixel, pixel) for all components of few pixels, (pixel, rank) otherwise.

Components: at most 50. They hold most of the variance of natural images; the others are close to noise that contributes to all
distances alike. The covariance of a mode among the components is estimated from its images alone: EM uses at most one
component for every five images of a mode.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.theory import mixture_moments
from underpainting.theory.mixture_moments import Covariance
from underpainting.theory.mixtures import Mixture, Mode

FloatArray = NDArray[np.float64]
Images = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]
Method = Literal["kmeans", "em"]

COMPONENTS = 50
_BATCH = 1024
_DENSE_PIXELS = 4096  # above, the eigenvectors of a covariance matrix take minutes
_DENSE_PIXELS_LEADING = 1024  # the same if only the leading ones are requested, which are found faster without it
_STARTS = 4
_NEGLIGIBLE = 1e-12
_REGULARISATION = 1e-6  # fraction of the components' mean variance, so that a mode of equal images has a density


def fit(
    images: Images,
    modes: int,
    method: Method = "kmeans",
    covariance: Covariance = "full",
    rank: int | None = None,
    seed: int = 0,
    *,
    image_shape: tuple[int, ...],
) -> tuple[Mixture, Labels]:
    """Fit a mixture of `modes` Gaussians; the same seed gives the same mixture.

    Args:
        images: in [-1, 1], shape (sample, pixel).
        modes: number of Gaussians.
        method: kmeans, or em with the covariances among the leading components full (isotropic ones: spherical).
        covariance: full, low_rank or isotropic, in pixel space.
        rank: number of components of low_rank.
        seed: seed of the starting points.
        image_shape: (channel, height, width).

    Returns:
        the mixture, and the mode of each image, shape (sample,); modes are sorted by decreasing weight.

    Raises:
        ValueError: fewer images than modes, an unknown method, or a mode with too few images.
    """
    mixture_moments.check_covariance(covariance, rank)
    _check_request(len(images), modes, method)
    coefficients = _coefficients(images, image_shape, _components(images, modes, method), seed)
    shares = _shares(coefficients, modes, method, covariance, seed)
    clusters = [_Cluster(images, share) for share in shares.T]
    _check(clusters, rank)
    sizes = np.array([cluster.size for cluster in clusters])
    fitted = [_mode(cluster, image_shape, covariance, rank, seed) for cluster in clusters]
    return Mixture(torch.from_numpy(sizes / sizes.sum()), fitted, image_shape), shares.argmax(1).astype(np.int64)


def _check_request(count: int, modes: int, method: str) -> None:
    if not 1 <= modes <= count:
        raise ValueError(f"{modes} modes cannot be fitted to {count} images; take 1 to {count}, or add images")
    if method not in ("kmeans", "em"):
        raise ValueError(f"method {method!r} is unknown; use kmeans or em")


def _components(images: Images, modes: int, method: Method) -> int:
    most = min(COMPONENTS, images.shape[1], max(len(images) - 1, 1))
    return most if method == "kmeans" else min(most, max(len(images) // (5 * modes), 1))


def _batches(images: Images) -> Iterator[FloatArray]:
    for start in range(0, len(images), _BATCH):
        yield np.asarray(images[start : start + _BATCH], np.float64)


def _coefficients(images: Images, image_shape: tuple[int, ...], components: int, seed: int) -> FloatArray:
    """Compute the coefficients of the leading principal components, shape (sample, component)."""
    everything = _Cluster(images, np.ones(len(images)))
    basis = everything.basis(image_shape, components, seed)
    return np.concatenate([basis.coefficients(torch.from_numpy(batch)).numpy() for batch in _batches(images)])


def _shares(coefficients: FloatArray, modes: int, method: Method, covariance: Covariance, seed: int) -> FloatArray:
    """Compute the responsibility of each mode for each image, shape (sample, mode), the largest mode first."""
    with threadpool_limits(1):  # sums in the order of the threads would differ from run to run
        shares = (
            _kmeans(coefficients, modes, seed) if method == "kmeans" else _em(coefficients, modes, covariance, seed)
        )
    return shares[:, np.argsort(-shares.sum(0), kind="stable")]


def _kmeans(coefficients: FloatArray, modes: int, seed: int) -> FloatArray:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct images than modes: _check says so
        labels = KMeans(modes, n_init=_STARTS, random_state=seed).fit_predict(coefficients)
    return np.eye(modes)[labels]


def _em(coefficients: FloatArray, modes: int, covariance: Covariance, seed: int) -> FloatArray:
    from sklearn.mixture import GaussianMixture

    kind = "spherical" if covariance == "isotropic" else "full"
    least = max(_REGULARISATION * float(coefficients.var(0).mean()), float(np.finfo(np.float64).tiny))
    model = GaussianMixture(modes, covariance_type=kind, reg_covar=least, max_iter=300, random_state=seed)
    return np.asarray(model.fit(coefficients).predict_proba(coefficients), np.float64)


@dataclass(frozen=True)
class _Cluster:
    """Images of one mode with their responsibilities in [0, 1], shape (sample,), read in batches."""

    images: Images
    weights: FloatArray

    @property
    def size(self) -> float:
        return float(self.weights.sum())

    @property
    def support(self) -> int:
        """Number of images with a weight that counts."""
        return int((self.weights > _NEGLIGIBLE).sum())

    @property
    def freedom(self) -> float:
        """Divisor of the scatter, n - sum r^2 / n."""
        return self.size - float(np.square(self.weights).sum()) / self.size

    def parts(self) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield the images with a weight that counts, with their weights, shapes (sample, pixel) and (sample, 1)."""
        chosen = np.flatnonzero(self.weights > _NEGLIGIBLE)
        for start in range(0, len(chosen), _BATCH):
            rows = chosen[start : start + _BATCH]
            yield np.asarray(self.images[rows], np.float64), self.weights[rows, None]

    def mean(self) -> FloatArray:
        total = np.zeros(self.images.shape[1])
        for images, weights in self.parts():
            total += (weights * images).sum(0)
        return total / self.size

    def rows(self, mean: FloatArray) -> Iterator[FloatArray]:
        """Yield rows whose products sum to the covariance."""
        for images, weights in self.parts():
            yield np.sqrt(weights / self.freedom) * (images - mean)

    def variances(self, mean: FloatArray) -> FloatArray:
        return np.sum([np.square(rows).sum(0) for rows in self.rows(mean)], axis=0)

    def covariance(self, mean: FloatArray) -> FloatArray:
        total = np.zeros((len(mean), len(mean)))
        for rows in self.rows(mean):
            total += rows.T @ rows
        return total

    def basis(self, image_shape: tuple[int, ...], rank: int | None, seed: int = 0) -> Eigenbasis:
        """Compute the leading components, all for rank None; without a pixel-by-pixel matrix for many pixels."""
        mean, pixels = self.mean(), self.images.shape[1]
        if pixels <= (_DENSE_PIXELS if rank is None else _DENSE_PIXELS_LEADING):
            return eigenbasis.truncate(eigenbasis.dense(mean, self.covariance(mean), image_shape), rank=rank)
        count = self.support
        scale = np.sqrt(max(count - 1, 1))
        found = eigenbasis.randomized(
            lambda: (scale * rows for rows in self.rows(mean)),
            np.zeros(pixels),
            float(self.variances(mean).sum()),
            count,
            image_shape,
            rank or min(pixels, count - 1),
            seed=seed,
        )
        return Eigenbasis(
            torch.from_numpy(mean), found.vectors, found.variances, found.total_variance, found.image_shape
        )


def _check(clusters: list[_Cluster], rank: int | None) -> None:
    for index, cluster in enumerate(clusters):
        if cluster.size < 2 or cluster.freedom < 0.5:
            raise ValueError(
                f"mode {index} got {cluster.size:.3g} images, too few for a covariance; ask for fewer than "
                f"{len(clusters)} modes, or add images"
            )
        limit = min(cluster.images.shape[1], cluster.support - 1)
        if rank is not None and rank > limit:
            raise ValueError(
                f"rank {rank} is not possible: mode {index} has {cluster.support} images of {cluster.images.shape[1]} "
                f"pixels, a rank of {limit} at most; set rank to {limit} or less, or ask for fewer modes"
            )


def _mode(cluster: _Cluster, image_shape: tuple[int, ...], covariance: Covariance, rank: int | None, seed: int) -> Mode:
    if covariance == "isotropic":
        mean = cluster.mean()
        return mixture_moments.mode_of_covariance(mean, cluster.variances(mean), image_shape, "isotropic")
    return mixture_moments.mode_of_basis(cluster.basis(image_shape, rank, seed), rank)
