r"""Closed form: the probability flow of Gaussian data (Sec. 4, App. G-H), for any noise path.

For data N(mu, U diag(lambda) U^T), x_t has covariance sigma_t^2 I + alpha_t^2 U diag(lambda) U^T, and the
probability flow carries a state from the level s = (alpha_s, sigma_s) to t = (alpha_t, sigma_t) by

    x_t = alpha_t mu + U diag(psi_k) U^T y + (sigma_t / sigma_s) (I - U U^T) y,     y = x_s - alpha_s mu
    psi_k = sqrt(m_k(t) / m_k(s)),      m_k(t) = sigma_t^2 + alpha_t^2 lambda_k                       (Eq. 9)

The paper states it for alpha^2 + sigma^2 = 1; the same lines hold for EDM (alpha = 1) and flow matching. (Its projector
reads I - U^T U for I - U U^T, and the score under its Eq. 8 lacks a log.)

Functions of `variance` take a float, a numpy array or a tensor and return the same type; functions of images take
tensors of shape (sample, ...), compute in the dtype of the basis (float64) and return that of the images. Functions of
`variance` call methods of their arguments only, so that figures and tables, which have arrays, need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from underpainting.noise.levels import DATA, PURE_NOISE, FloatArray, NoiseLevel

if TYPE_CHECKING:
    from torch import Tensor

    from underpainting.basis.eigenbasis import Eigenbasis, GaussianBasis

Values = TypeVar("Values", float, FloatArray, "Tensor")


def marginal_variance(variance: Values, level: NoiseLevel) -> Values:
    """Compute m = sigma^2 + alpha^2 lambda, the variance of x_t along a direction with data variance lambda."""
    return level.sigma**2 + level.alpha**2 * variance


def psi(variance: Values, source: NoiseLevel, target: NoiseLevel) -> Values:
    """Compute the gain of the state along a component between two levels (Eq. 9, 44-45); lambda = 0: off the manifold.

    Raises:
        ValueError: the source is noiseless, where the state has no extent along directions without variance.
    """
    if source.sigma <= 0:
        raise ValueError("the flow cannot start from sigma = 0: what lies off the manifold there is lost")
    return (marginal_variance(variance, target) / marginal_variance(variance, source)) ** 0.5


def endpoint_gain(variance: Values, level: NoiseLevel) -> Values:
    """Compute alpha lambda / m, the gain from x_t - alpha_t mu to x0_hat - mu along a component (Eq. 49, 59).

    For a perturbation it is Eq. 63. A component without variance stays at the mean, at sigma = 0 too.
    """
    total = marginal_variance(variance, level)
    return level.alpha * variance / (total + (total == 0))


def xi(variance: Values, source: NoiseLevel, target: NoiseLevel) -> Values:
    """Compute the gain from the state's coefficient c_k at `source` to the endpoint estimate's at `target` (Eq. 13)."""
    return endpoint_gain(variance, target) * psi(variance, source, target)


def xi_rate(variance: Values, source: NoiseLevel, target: NoiseLevel, rate: NoiseLevel) -> Values:
    """Compute d xi / dt at `target`, per unit of the time of `rate` = (d alpha / dt, d sigma / dt) (Fig. 3 C).

    With w = alpha' sigma - alpha sigma':  d xi / dt = lambda sigma w / (sqrt(m_s) m_t^(3/2)).
    """
    total = marginal_variance(variance, target)
    turn = rate.alpha * target.sigma - target.alpha * rate.sigma
    start = marginal_variance(variance, source)
    return variance * target.sigma * turn / (start**0.5 * (total + (total == 0)) ** 1.5)


def perturbation_gain(variance: Values, level: NoiseLevel, target: NoiseLevel = DATA) -> Values:
    """Compute the gain of a perturbation of x_t along a component at `target` (Eq. 14); 0 off the manifold."""
    return psi(variance, level, target)


def critical_ratio(variance: Values) -> Values:
    """Compute the noise-to-signal ratio sigma / alpha at which a component emerges: sqrt(lambda) (Sec. 4.2)."""
    return variance**0.5


def critical_step(variances: FloatArray, ratio: FloatArray) -> FloatArray:
    """Compute the (fractional) step of a sampler's grid at which each component emerges.

    Args:
        variances: lambda, shape (component,), positive.
        ratio: sigma / alpha of the grid, decreasing along it, shape (step,).

    Returns:
        shape (component,); NaN where the grid never reaches the critical ratio.
    """
    finite = np.isfinite(ratio) & (ratio > 0)
    steps = np.flatnonzero(finite)
    log_ratio, predicted = np.log(ratio[finite]), 0.5 * np.log(variances)
    found = np.interp(-predicted, -log_ratio, steps, left=np.nan, right=np.nan)
    return np.asarray(found, np.float64)


def _centred(basis: GaussianBasis, images: Tensor, alpha: float) -> Tensor:
    if images.shape[1:].numel() != basis.pixels:
        raise ValueError(f"images of shape {tuple(images.shape[1:])} do not fit a basis of {basis.pixels} pixels")
    return images.flatten(1).to(basis.mean.dtype) - alpha * basis.mean


def _scaled(basis: GaussianBasis, centred: Tensor, gain: Tensor, off_manifold: float) -> Tensor:
    """Compute (U diag(gain) U^T + off_manifold (I - U U^T)) y, in two products."""
    return basis.combine(basis.project(centred) * (gain - off_manifold), off_manifold * centred)


def coefficients(basis: GaussianBasis, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute c_k = u_k^T (x_t - alpha_t mu), the coefficient of the state along each component.

    Args:
        images: x_t, shape (sample, ...).
        level: their level.

    Returns:
        shape (sample, component), in the dtype of the basis.
    """
    return basis.project(_centred(basis, images, level.alpha))


def state(basis: GaussianBasis, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
    """Carry states along the probability flow from one noise level to another: the jump (Eq. 9, 48, 64).

    Args:
        basis: of the data.
        images: x_s, shape (sample, channel, height, width) or (sample, pixel).
        source: their level, sigma > 0.
        target: the requested level.

    Returns:
        x_t, in the shape and dtype of `images`.
    """
    centred = _centred(basis, images, source.alpha)
    gain = psi(basis.variances, source, target)
    moved = _scaled(basis, centred, gain, target.sigma / source.sigma) + target.alpha * basis.mean
    return moved.reshape(images.shape).to(images.dtype)


def coloured_noise(basis: GaussianBasis, noise: Tensor, level: NoiseLevel) -> Tensor:
    """Turn white noise into states of x_t ~ N(alpha_t mu, alpha_t^2 Sigma + sigma_t^2 I), along the flow from alpha = 0.

    Where alpha_T is not 0, a network was trained on such states at its noisiest level, not on white noise.

    Args:
        noise: standard normal, shape (sample, channel, height, width) or (sample, pixel).
        level: (alpha_t, sigma_t).

    Returns:
        x_t, in the shape and dtype of `noise`.
    """
    return state(basis, noise, PURE_NOISE, level)


def endpoint(basis: GaussianBasis, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute the endpoint estimate x0_hat, the posterior mean of x_0 given x_t (Eq. 6, 49, 51-53, 59).

    Args:
        images: x_t, shape (sample, ...).
        level: their level.

    Returns:
        x0_hat, in the shape and dtype of `images`; always within mu + span(U).
    """
    centred = _centred(basis, images, level.alpha)
    estimate = _scaled(basis, centred, endpoint_gain(basis.variances, level), 0.0) + basis.mean
    return estimate.reshape(images.shape).to(images.dtype)


def score(basis: GaussianBasis, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute the score grad log p_t(x_t) = (sigma^2 I + alpha^2 Sigma)^-1 (alpha mu - x_t) (Eq. 8, 58), sigma > 0."""
    centred = _centred(basis, images, level.alpha)
    gain = -1.0 / marginal_variance(basis.variances, level)
    return _scaled(basis, centred, gain, -1.0 / level.sigma**2).reshape(images.shape).to(images.dtype)


def velocity(basis: GaussianBasis, images: Tensor, level: NoiseLevel, rate: NoiseLevel) -> Tensor:
    """Compute the velocity dx/dt of the probability flow (Eq. 8, 46-47, 50), per unit of the time of `rate`.

    Args:
        images: x_t, shape (sample, ...).
        level: their level, sigma > 0.
        rate: (d alpha / dt, d sigma / dt) there.
    """
    centred = _centred(basis, images, level.alpha)
    along = level.sigma * rate.sigma + level.alpha * rate.alpha * basis.variances
    gain = along / marginal_variance(basis.variances, level)
    moved = _scaled(basis, centred, gain, rate.sigma / level.sigma) + rate.alpha * basis.mean
    return moved.reshape(images.shape).to(images.dtype)


def noise_filter(basis: Eigenbasis, source: NoiseLevel) -> Tensor:
    """Compute the linear filter from initial noise to sample (Eq. 10): x_0 = mu + F (x_T - alpha_T mu).

    Returns:
        F = U diag(psi(0, lambda)) U^T, shape (pixel, pixel).
    """
    gain = psi(basis.variances, source, DATA)
    return (basis.vectors * gain) @ basis.vectors.T


class GaussianDenoiser:
    """The exact posterior mean of Gaussian data (Eq. 49).

    Args:
        basis: mean, components and variances of the data.
    """

    def __init__(self, basis: Eigenbasis) -> None:
        self.basis = basis

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        """Estimate the endpoint; see `denoisers.protocol.Denoiser`."""
        return endpoint(self.basis, images, NoiseLevel(alpha, sigma))

    def state(self, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
        """Carry states along the flow; see the function `state`."""
        return state(self.basis, images, source, target)
