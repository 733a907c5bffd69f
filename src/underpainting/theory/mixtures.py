r"""Gaussian mixtures: density, responsibilities, score and endpoint estimate at any noise level (App. J.1-J.3).

Data p(x) = sum_i pi_i N(mu_i, Sigma_i), with Sigma_i = U_i diag(lambda_ik) U_i^T + rho_i (I - U_i U_i^T), become at the level
(alpha, sigma) the mixture of N(alpha mu_i, sigma^2 I + alpha^2 Sigma_i) (Eq. 87). With y = x - alpha mu_i, c = U_i^T y,
r = y - U_i c, m_k = sigma^2 + alpha^2 lambda_ik and m = sigma^2 + alpha^2 rho_i,

    log N_i = -1/2 [sum_k (c_k^2 / m_k + log m_k) + |r|^2 / m + (D - K) log m + D log 2 pi]
    w_i     = softmax_i(log pi_i + log N_i)                                                        (Eq. 86)
    score   = -sum_i w_i (U_i (c / m_k) + r / m)                                                   (Eq. 88-90)
    x0_hat  = sum_i w_i (mu_i + alpha U_i (lambda c / m_k) + alpha rho_i r / m)

The endpoint estimate is this sum, not (x + sigma^2 score) / alpha, which loses its significant digits at small sigma;
for the same reason |r|^2 is not computed as a difference of squares. (Eq. 96 lacks sigma_t^2 in front of its sum.)

Modes are taken one after the other with a running softmax: memory is that of a few batches of images, whatever their number.
Functions compute in the dtype of the mixture, with logits in float64, and return images in the dtype of the images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise.levels import NoiseLevel
from underpainting.theory.gaussian import endpoint_gain, marginal_variance
from underpainting.theory.softmax import NEGLIGIBLE, RunningSoftmax


@dataclass(frozen=True)
class Mode:
    """One Gaussian of a mixture, with covariance U diag(lambda) U^T + rest (I - U U^T).

    No component and a rest is isotropic; as many components as pixels is a full covariance; in between, a rest that is
    the mean of the variances left out is probabilistic PCA (Tipping & Bishop 1999), and rest 0 a degenerate Gaussian.

    Attributes:
        mean: mu, shape (pixel,).
        vectors: U, orthonormal columns, shape (pixel, component).
        variances: lambda, not negative, shape (component,), in squared image units.
        rest: rho, the variance along every other direction.

    Raises:
        ValueError: the shapes do not fit together, or a variance is negative.
    """

    mean: Tensor
    vectors: Tensor
    variances: Tensor
    rest: float

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.mean.shape != self.vectors.shape[:1]:
            raise ValueError(
                f"a mode with vectors of shape {tuple(self.vectors.shape)} does not fit a mean of shape "
                f"{tuple(self.mean.shape)}; the vectors are (pixel, component), the mean is (pixel,)"
            )
        if self.variances.shape != self.vectors.shape[1:] or self.rank > self.pixels:
            raise ValueError(
                f"a mode of {self.pixels} pixels with {self.rank} vectors does not fit variances of shape "
                f"{tuple(self.variances.shape)}; there is one per vector, and at most one vector per pixel"
            )
        if not self.rest >= 0 or (self.rank and not self.variances.min() >= 0):
            raise ValueError("the variances of a mode and its rest must not be negative")

    @property
    def pixels(self) -> int:
        return self.vectors.shape[0]

    @property
    def rank(self) -> int:
        return self.vectors.shape[1]

    @classmethod
    def of_basis(cls, basis: Eigenbasis, *, spread: bool = False) -> Mode:
        """Build the Gaussian of an eigenbasis; `spread` distributes the variance left out over the other directions."""
        left, others = basis.total_variance - float(basis.variances.sum()), basis.pixels - basis.rank
        return cls(basis.mean, basis.vectors, basis.variances, max(left / others, 0.0) if spread and others else 0.0)

    def to(self, target: torch.device | torch.dtype | str) -> Mode:
        """Return the same mode in another dtype or on another device."""
        return replace(
            self, mean=self.mean.to(target), vectors=self.vectors.to(target), variances=self.variances.to(target)
        )


@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture of images (Eq. 84).

    Attributes:
        weights: pi, positive, with sum 1 (float64, normalised against rounding), shape (mode,).
        modes: the Gaussians, all of one dtype, on one device.
        image_shape: (channel, height, width), with channel * height * width = pixel.

    Raises:
        ValueError: the weights are no distribution, or the modes do not fit them, each other or the image shape.
    """

    weights: Tensor
    modes: Sequence[Mode]
    image_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", torch.as_tensor(self.weights, dtype=torch.float64))
        object.__setattr__(self, "modes", tuple(self.modes))
        if not self.modes or self.weights.shape != (len(self.modes),):
            raise ValueError(f"{len(self.modes)} modes do not fit weights of shape {tuple(self.weights.shape)}")
        if not (self.weights > 0).all() or abs(float(self.weights.sum()) - 1.0) > 1e-6:
            raise ValueError("the weights of a mixture must be positive with sum 1; leave out modes without weight")
        object.__setattr__(self, "weights", self.weights / self.weights.sum())
        for index, mode in enumerate(self.modes):
            if mode.pixels != math.prod(self.image_shape):
                raise ValueError(
                    f"mode {index} of {mode.pixels} pixels does not fit images of shape {self.image_shape}"
                )
            if mode.mean.dtype != self.dtype:
                raise ValueError(f"mode {index} is {mode.mean.dtype}, mode 0 {self.dtype}; bring them to one dtype")

    @property
    def pixels(self) -> int:
        return self.modes[0].pixels

    @property
    def dtype(self) -> torch.dtype:
        return self.modes[0].mean.dtype

    @classmethod
    def of_basis(cls, basis: Eigenbasis) -> Mixture:
        """Build the one-mode mixture of `underpainting.theory.gaussian`, without variance off the basis."""
        return cls(torch.ones(1, dtype=torch.float64), (Mode.of_basis(basis),), basis.image_shape)

    def to(self, target: torch.device | torch.dtype | str) -> Mixture:
        """Return the same mixture in another dtype or on another device; the weights stay float64."""
        weights = self.weights if isinstance(target, torch.dtype) else self.weights.to(target)
        return replace(self, weights=weights, modes=tuple(mode.to(target) for mode in self.modes))


@dataclass(frozen=True)
class _View:
    """Images in the coordinates of one mode: y = U coefficients + residual; no residual for a full covariance."""

    coefficients: Tensor
    residual: Tensor | None
    variances: Tensor
    rest: float

    def combine(self, mode: Mode, along: Tensor, off: float) -> Tensor:
        """Compute (U diag(along) U^T + off (I - U U^T)) y."""
        combined = (self.coefficients * along) @ mode.vectors.T
        return combined if self.residual is None or not off else torch.add(combined, self.residual, alpha=off)


def _flat(mixture: Mixture, images: Tensor) -> Tensor:
    if images.shape[1:].numel() != mixture.pixels:
        raise ValueError(f"images of shape {tuple(images.shape[1:])} do not fit a mixture of {mixture.pixels} pixels")
    return images.flatten(1).to(mixture.dtype)


def _view(mode: Mode, images: Tensor, level: NoiseLevel) -> _View:
    centred = images - level.alpha * mode.mean
    coefficients = centred @ mode.vectors
    residual = None if mode.rank == mode.pixels else torch.addmm(centred, coefficients, mode.vectors.T, alpha=-1.0)
    return _View(coefficients, residual, marginal_variance(mode.variances, level), marginal_variance(mode.rest, level))


def _log_normal(view: _View, pixels: int) -> Tensor:
    """Compute log N(x; alpha mu, sigma^2 I + alpha^2 Sigma) of one mode, float64, shape (sample,)."""
    others = pixels - len(view.variances)
    if not (view.variances > 0).all() or (others and not view.rest > 0):
        raise ValueError("a mode without variance along some direction has no density at sigma = 0; take sigma > 0")
    double = torch.float64
    size = (view.coefficients.square() / view.variances).sum(1, dtype=double)
    log_volume = view.variances.to(double).log().sum() + pixels * math.log(2 * math.pi)
    if view.residual is not None:
        size = size + view.residual.square().sum(1, dtype=double) / view.rest
        log_volume = log_volume + others * math.log(view.rest)
    return -0.5 * (size + log_volume)


def _joint(mixture: Mixture, images: Tensor, level: NoiseLevel) -> Iterable[tuple[Mode, _View, Tensor]]:
    """Yield each mode, its view of the images, and log pi_i + log N_i."""
    for weight, mode in zip(mixture.weights.log(), mixture.modes, strict=True):
        view = _view(mode, images, level)
        yield mode, view, weight + _log_normal(view, mixture.pixels)


def log_density(mixture: Mixture, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute log p_t(x_t) in nats, with x_t as a flat vector (Eq. 87).

    Args:
        mixture: of the data.
        images: x_t, shape (sample, ...).
        level: their level.

    Returns:
        float64, shape (sample,).

    Raises:
        ValueError: the images do not fit, or a mode has no density at this level (sigma = 0 and a variance of 0).
    """
    return torch.stack([log for _, _, log in _joint(mixture, _flat(mixture, images), level)]).logsumexp(0)


def responsibilities(mixture: Mixture, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute the probability of each mode given x_t (Eq. 86, 92, 95).

    Args:
        mixture: of the data.
        images: x_t, shape (sample, ...).
        level: their level.

    Returns:
        float64, shape (sample, mode), rows with sum 1.

    Raises:
        ValueError: as `log_density`.
    """
    return torch.stack([log for _, _, log in _joint(mixture, _flat(mixture, images), level)], 1).softmax(1)


def score(mixture: Mixture, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute the score grad log p_t(x_t) (Eq. 85, 88-91, 93-94).

    Args:
        mixture: of the data.
        images: x_t, shape (sample, ...).
        level: their level.

    Returns:
        in the shape and dtype of `images`.

    Raises:
        ValueError: as `log_density`.
    """
    flat = _flat(mixture, images)
    running = RunningSoftmax(len(flat), flat.device)
    for mode, view, log in _joint(mixture, flat, level):
        weight = running.weigh(log[:, None])
        if (weight > NEGLIGIBLE).any():
            running.add(weight.to(flat.dtype) * view.combine(mode, -1.0 / view.variances, -1.0 / (view.rest or 1.0)))
    return running.average.reshape(images.shape).to(images.dtype)


def endpoint(mixture: Mixture, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute the endpoint estimate x0_hat, the posterior mean of x_0 given x_t (Eq. 96, with the missing sigma_t^2).

    Args:
        mixture: of the data.
        images: x_t, shape (sample, ...).
        level: their level.

    Returns:
        x0_hat, in the shape and dtype of `images`; x_t / alpha at sigma = 0.

    Raises:
        ValueError: the images do not fit the mixture.
    """
    flat = _flat(mixture, images)
    if level.sigma == 0:
        return images / level.alpha
    running = RunningSoftmax(len(flat), flat.device)
    for mode, view, log in _joint(mixture, flat, level):
        weight = running.weigh(log[:, None])
        if (weight > NEGLIGIBLE).any():
            moved = view.combine(mode, endpoint_gain(mode.variances, level), endpoint_gain(mode.rest, level))
            running.add(weight.to(flat.dtype) * (mode.mean + moved))
    return running.average.reshape(images.shape).to(images.dtype)


class MixtureDenoiser:
    """The exact posterior mean of a Gaussian mixture."""

    def __init__(self, mixture: Mixture) -> None:
        self.mixture = mixture

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        return endpoint(self.mixture, images, NoiseLevel(alpha, sigma))


def save(
    mixture: Mixture,
    path: str | Path,
    provenance: Mapping[str, Any] | None = None,
    *,
    labels: ArrayLike | None = None,
) -> None:
    """Write a mixture as an artifact; `labels`, the mode of every image of the data set, become the array `label`.

    The vectors, nearly all of the file, are float32: that turns an axis by 1e-7, far below the sampling error, and `load`
    makes them orthonormal to the rounding of float64 again. Means and variances are float64.
    """
    import xarray as xr

    from underpainting.io import artifacts

    vectors = np.concatenate([mode.vectors.T.numpy().astype(np.float32) for mode in mixture.modes])
    variances = np.concatenate([mode.variances.numpy().astype(np.float64) for mode in mixture.modes])
    means = np.stack([mode.mean.numpy().astype(np.float64) for mode in mixture.modes])
    ranks, rests = [mode.rank for mode in mixture.modes], [float(mode.rest) for mode in mixture.modes]
    arrays = {
        "weights": artifacts.array(mixture.weights.numpy(), "mode", "weight of each mode"),
        "means": artifacts.array(means, ("mode", "pixel"), "mean image of each mode, flattened"),
        "vectors": artifacts.array(vectors, ("component", "pixel"), "principal axes of all modes, orthonormal rows"),
        "variances": artifacts.array(variances, "component", "variance along each axis"),
        "ranks": artifacts.array(np.array(ranks, np.int64), "mode", "number of axes of each mode"),
        "rests": artifacts.array(np.array(rests), "mode", "variance of each mode along any other direction"),
    }
    if labels is not None:
        arrays["label"] = artifacts.array(np.asarray(labels, np.int64), "sample", "mode of each image")
    attributes = {"image_shape": list(mixture.image_shape), "range": list(artifacts.IMAGE_RANGE)}
    artifacts.save(xr.Dataset(arrays, attrs=attributes), path, provenance)


def _orthonormal(rows: NDArray[np.float32]) -> Tensor:
    """Restore orthonormality of rows, as columns (pixel, component): U <- U (3 - U^T U) / 2 squares the error."""
    vectors = torch.from_numpy(rows.astype(np.float64)).T
    return torch.addmm(1.5 * vectors, vectors, vectors.T @ vectors, alpha=-0.5).contiguous()


def load(path: str | Path) -> Mixture:
    """Read a mixture written by `save`, in float64.

    Raises:
        ArtifactError: the file is missing, holds no mixture, or one of images in another range.
    """
    from underpainting.io import artifacts

    data = artifacts.load(path)
    if tuple(data.attrs.get("range", ())) != artifacts.IMAGE_RANGE or "rests" not in data:
        raise artifacts.ArtifactError(
            f"{path}: not a mixture of images in {list(artifacts.IMAGE_RANGE)}; compute it again from images in that range"
        )
    stops = np.cumsum(data["ranks"].values)
    modes = [
        Mode(
            torch.from_numpy(data["means"][index].values.copy()),
            _orthonormal(data["vectors"][stop - rank : stop].values),
            torch.from_numpy(data["variances"][stop - rank : stop].values.copy()),
            float(data["rests"][index]),
        )
        for index, (rank, stop) in enumerate(zip(data["ranks"].values, stops, strict=True))
    ]
    shape = tuple(int(size) for size in data.attrs["image_shape"])
    return Mixture(torch.from_numpy(data["weights"].values.copy()), modes, shape)
