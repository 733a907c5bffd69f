r"""Rotation: a trajectory nearly rotates from noise to image in the plane of its ends (App. I), for any noise path.

Write w = sqrt(lambda), a = alpha_t - alpha_T b, b = sigma_t / sigma_T. Along a component of Gaussian data

    x_t = a x_0 + b x_T + R_t,     R_t = g c_k(T),     g = psi(t) - b - a psi(0)

and g is the slack of a triangle: p_t = (sigma_t, alpha_t w) obeys p_t = a (0, w) + b p_T, and g |p_T| = |p_t| - a w - b |p_T|.
So, as long as t is not noisier than T, g <= 0 for every path; without cancellation

    g = -2 a b w sigma_T^2 / (|p_T| (|p_T| + w alpha_T) (|p_t| + a w + b |p_T|))

From pure unit noise (alpha_T = 0, sigma_T = 1) g is the paper's J = |p_t| - alpha w - sigma. On alpha^2 + sigma^2 = 1 J has the
symmetry J(alpha, sigma; lambda) = w J(sigma, alpha; 1 / lambda), and with t = sigma / alpha it is least where

    w = 4 t^3 / ((1 + t^2)^2 + (1 - t^2) sqrt((1 + t^2)^2 + 4 t^2)),     w <= 1; for w > 1 by the symmetry

not where sigma = alpha w (Eq. 69), unless lambda = 1. Eq. 70 bounds J by -(2 - sqrt 2) = -0.586; that holds up to
lambda = 5.302 and fails beyond (J tends to -1). For every lambda

    |J| <= min(sigma, alpha w) <= sqrt(lambda / (lambda + 1))
    |J| <= (2 - sqrt 2) sqrt(sigma alpha w) <= (2 - sqrt 2) sqrt(w / 2)

the second from |p| + |q| - |p + q| <= (2 - sqrt 2) sqrt(|p| |q|) for p, q at right angles; it gives Eq. 70 for lambda <= 4.
Eq. 11 lacks the factor 4 that App. I.2 has, is relative to |x_T|^2, and is a mean over the noise: an x_T within the manifold
has no factor r / D. In Eq. 74 the root ends after lambda alpha^2. The signs of Eq. 12 and 75-78 are right for t from data
to noise.

Where the data are not Gaussian, a denoiser's x0_hat takes the place of x_0 (App. I.4): were it constant, the state would
rotate towards it. Functions of `variance` and of images have the types of those in `underpainting.theory.gaussian`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpainting.noise.levels import PURE_NOISE, FloatArray, NoiseLevel, vp_level
from underpainting.theory import gaussian
from underpainting.theory.gaussian import Values

if TYPE_CHECKING:
    from torch import Tensor

    from underpainting.basis.eigenbasis import Eigenbasis

SLACK = 2.0 - 2.0**0.5
_SMALLEST = 1e-300


def weights(alpha: Values, sigma: Values, source: NoiseLevel) -> tuple[Values, Values]:
    """Compute the weights of x_0 and of x_T in a rotating state: a = alpha - alpha_T b and b = sigma / sigma_T.

    Args:
        alpha, sigma: the level of the state; numbers or arrays of one shape.
        source: the level of x_T.

    Raises:
        ValueError: the source is noiseless, so that it spans no plane with x_0.
    """
    if source.sigma <= 0:
        raise ValueError("a rotation cannot start from sigma = 0: begin at a level with noise")
    noise_weight = sigma / source.sigma
    return alpha - source.alpha * noise_weight, noise_weight


def rotate(images: Tensor, endpoint: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
    """Compute a x_0 + b x_s, the state at `target` for a constant endpoint estimate (Eq. 81, 83); one step of DDIM.

    Args:
        images: x_s, shape (sample, ...).
        endpoint: x_0, or the constant x0_hat, same shape.
        source: the level of x_s, sigma > 0.
        target: the requested level.
    """
    data_weight, noise_weight = weights(target.alpha, target.sigma, source)
    return data_weight * endpoint + noise_weight * images


# --- remainder of a rotation, for Gaussian data -----------------------------------------------------------------------


def endpoint_deficit(variance: Values, source: NoiseLevel, target: NoiseLevel) -> Values:
    """Compute g / a, the endpoint's error from rotation along a component per c_k(T) (Eq. 74); J / alpha from noise.

    It begins at -w (alpha = 0), has shrunk to -(2 - sqrt 2) w where sigma = alpha w, and then falls to 0: never more than
    w, and monotonic in time.

    Args:
        variance: lambda.
        source: the level of x_T, sigma > 0.
        target: the level t, not noisier than `source`.
    """
    data_weight, noise_weight = weights(target.alpha, target.sigma, source)
    spread = variance**0.5
    start = gaussian.marginal_variance(variance, source) ** 0.5
    sides = gaussian.marginal_variance(variance, target) ** 0.5 + data_weight * spread + noise_weight * start
    off_axis = source.sigma**2 / (start * (start + source.alpha * spread))
    return -2.0 * noise_weight * spread * off_axis / (sides + (sides == 0))


def remainder_gain(variance: Values, source: NoiseLevel, target: NoiseLevel) -> Values:
    """Compute g = psi(t) - b - a psi(0), from c_k(T) to the remainder along a component, without cancellation.

    -min(b, a psi(0)) <= g <= 0 as long as the target is not noisier than the source.
    """
    return weights(target.alpha, target.sigma, source)[0] * endpoint_deficit(variance, source, target)


def remainder(basis: Eigenbasis, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
    """Compute R_t = x_t - a x_0 - b x_T, the remainder of the rotation (Eq. 65-66, 72), for any path and any alpha_T.

    It vanishes off the manifold.

    Args:
        basis: of the data.
        images: x_T, shape (sample, ...).
        source: the level of x_T, sigma > 0.
        target: the level t.
    """
    gain = remainder_gain(basis.variances, source, target)
    left = (gaussian.coefficients(basis, images, source) * gain) @ basis.vectors.T
    return left.reshape(images.shape).to(images.dtype)


def squared_remainder(basis: Eigenbasis, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
    """Compute |R_t|^2 = sum_k g_k^2 c_k(T)^2 (Eq. 71), shape (sample,), in the dtype of the basis.

    Args:
        images: x_T, shape (sample, ...).
        source: the level of x_T, sigma > 0.
        target: the level t.
    """
    gain = remainder_gain(basis.variances, source, target)
    return (gaussian.coefficients(basis, images, source) * gain).square().sum(1)


def deficit(variance: Values, level: NoiseLevel) -> Values:
    """Compute J = sqrt(m) - alpha w - sigma, never positive, without cancellation (Eq. 67-68).

    J = -2 sigma alpha w / (sqrt(m) + alpha w + sigma)."""
    return remainder_gain(variance, PURE_NOISE, level)


# --- size of the remainder ---------------------------------------------------------------------------------------------


def deepest(variance: float) -> NoiseLevel:
    """Find the variance-preserving level at which J is least (Eq. 69 is exact for lambda = 1 alone).

    Args:
        variance: lambda, positive.

    Raises:
        ValueError: a component without variance, whose J is 0 at every level.
    """
    if variance <= 0:
        raise ValueError(f"a component of variance {variance} has no deepest level: its deficit is 0 everywhere")
    spread = variance**0.5
    ratio = _deepest_ratio(min(spread, 1.0 / spread))
    return vp_level(ratio if spread <= 1 else 1.0 / ratio)


def _deepest_ratio(spread: float) -> float:
    """Compute sigma / alpha where J is least, for w <= 1; the cube of the ratio lies between w / 2 and w."""
    from scipy.optimize import brentq

    def excess(ratio: float) -> float:
        square = ratio**2
        root = np.sqrt((1.0 + square) ** 2 + 4.0 * square)
        return float(4.0 * ratio**3 / ((1.0 + square) ** 2 + (1.0 - square) * root) / spread - 1.0)

    return float(
        brentq(excess, 0.999 * (spread / 2.0) ** (1 / 3), 1.001 * spread ** (1 / 3), xtol=_SMALLEST, rtol=1e-14)
    )


def deficit_bound(variance: Values) -> Values:
    """Compute the upper bound of |J| over all variance-preserving levels: the right form of Eq. 70.

    min((2 - sqrt 2) sqrt(w / 2), sqrt(lambda / (lambda + 1))): at most 2 - sqrt 2 for lambda <= 4, below 1 for every lambda.
    """
    by_mean, by_smaller = SLACK * (variance**0.5 / 2.0) ** 0.5, (variance / (variance + 1.0)) ** 0.5
    return by_mean * (by_mean <= by_smaller) + by_smaller * (by_smaller < by_mean)


def mean_error(basis: Eigenbasis, source: NoiseLevel, target: NoiseLevel) -> float:
    """Compute E|R_t|^2 / E|x_T - alpha_T mu|^2 over the x_T of the forward process; sum_k J_k^2 / D from pure noise.

    There it is the mean of |R_t|^2 / |x_T|^2 too, since c_k^2 / |x_T|^2 has the mean 1 / D.

    Args:
        basis: of the data.
        source: the level of x_T, sigma > 0.
        target: the level t.
    """
    size = gaussian.marginal_variance(basis.variances, source)
    left = (remainder_gain(basis.variances, source, target).square() * size).sum()
    return float(left / (size.sum() + (basis.pixels - basis.rank) * source.sigma**2))


def mean_error_bound(variances: FloatArray, pixels: int) -> float:
    """Compute the bound of `mean_error` from pure noise, variance preserving (Eq. 11 with the factor 4 of App. I.2).

    It is at most (2 - sqrt 2)^2 r / D = 4 (1 - sqrt(2) / 2)^2 r / D for r components of lambda <= 4, and below r / D for any; for
    equal variances (the isotropic case) below lambda / (lambda + 1) r / D.

    Args:
        variances: lambda of the r components, shape (component,).
        pixels: D.

    Raises:
        ValueError: more components than pixels.
    """
    if len(variances) > pixels:
        raise ValueError(f"{len(variances)} components do not fit into {pixels} pixels")
    return float(np.square(deficit_bound(np.asarray(variances, np.float64))).sum() / pixels)


# --- the endpoint from the rotation ----------------------------------------------------------------------------------


def endpoint(images: Tensor, noise: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
    """Compute the endpoint of a state and its noise if the trajectory is a rotation (Eq. 73); its error is R_t / a.

    Args:
        images: x_t, shape (sample, ...).
        noise: x_T, same shape.
        source: the level of x_T, sigma > 0.
        target: the level t of `images`, less noisy than `source`.

    Raises:
        ValueError: the target is as noisy as the source or more: two states of one level span no plane.
    """
    data_weight, noise_weight = weights(target.alpha, target.sigma, source)
    if data_weight <= 0:
        raise ValueError(
            f"no endpoint follows from states at sigma / alpha = {source.ratio} and {target.ratio}: "
            "the second must be the less noisy one"
        )
    return (images - noise_weight * noise) / data_weight


# --- any denoiser ----------------------------------------------------------------------------------------------------


def attraction(source: NoiseLevel, target: NoiseLevel) -> float:
    """Compute the log of sigma / alpha at `target` over that at `source`: the integrated attraction (Eq. 79-80).

    It is negative from noise to data; x / alpha - x0_hat shrinks by its exponential while x0_hat stays constant.

    Raises:
        ValueError: sigma or alpha vanishes at one of the levels, where it is infinite.
    """
    if min(*source, *target) <= 0:
        raise ValueError(
            f"the attraction between {tuple(source)} and {tuple(target)} is infinite: keep alpha, sigma > 0"
        )
    return float(np.log(target.ratio) - np.log(source.ratio))


def scaled_velocity(images: Tensor, endpoint: Tensor, level: NoiseLevel, rate: NoiseLevel) -> Tensor:
    """Compute d(x / alpha) / dt = (sigma' / sigma - alpha' / alpha) (x / alpha - x0_hat), for any path (Eq. 12, 77-78).

    The rate is beta / sigma^2 on a variance-preserving path, for t from data to noise: backwards in t, as a sampler goes,
    the scaled state is attracted towards x0_hat.

    Args:
        images: x_t, shape (sample, ...).
        endpoint: x0_hat, same shape.
        level: their level, alpha > 0 and sigma > 0.
        rate: (d alpha / dt, d sigma / dt) there.

    Raises:
        ValueError: sigma or alpha vanishes.
    """
    if min(level) <= 0:
        raise ValueError(f"the scaled state has no velocity at {tuple(level)}: it needs alpha > 0 and sigma > 0")
    return (rate.sigma / level.sigma - rate.alpha / level.alpha) * (images / level.alpha - endpoint)


def conserved(images: Tensor, endpoint: Tensor, level: NoiseLevel) -> Tensor:
    """Compute the noise prediction (x_t - alpha_t x0_hat) / sigma_t, conserved by a flow with constant x0_hat (Eq. 82).

    Args:
        images: x_t, shape (sample, ...).
        endpoint: x0_hat, same shape.
        level: their level, sigma > 0.

    Raises:
        ValueError: the level is noiseless.
    """
    if level.sigma <= 0:
        raise ValueError("nothing is conserved at sigma = 0: the noise is gone; ask at a level with noise")
    return (images - level.alpha * endpoint) / level.sigma
