r"""Isotropic Gaussian: mean image and total variance, no covariance; the null model of the Gaussian.

With lambda = tr(Sigma) / D along every direction, the closed forms of `gaussian` need no basis:

    x_t = alpha_t mu + psi(lambda) (x_s - alpha_s mu)                                                 (Eq. 9)
    x0_hat = mu + alpha lambda / (sigma^2 + alpha^2 lambda) (x - alpha mu)                            (Eq. 49)

A result that the isotropic Gaussian reproduces is no evidence for the covariance.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.noise.levels import NoiseLevel
from underpainting.theory import gaussian


class Isotropic(NamedTuple):
    """A Gaussian with the same variance along every direction.

    Attributes:
        mean: mu, shape (channel, height, width), float64.
        variance: lambda, the mean variance of a pixel, in squared image units.
    """

    mean: Tensor
    variance: float

    @classmethod
    def of(cls, basis: Eigenbasis) -> Isotropic:
        """Build the isotropic Gaussian with the mean and the total variance of a basis."""
        return cls(basis.mean.reshape(basis.image_shape), basis.total_variance / basis.pixels)


def state(model: Isotropic, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
    """Carry states along the probability flow from one noise level to another (Eq. 9).

    Args:
        model: of the data.
        images: x_s, shape (sample, channel, height, width).
        source: their level, sigma > 0.
        target: the level to carry them to.

    Returns:
        x_t, in the shape and dtype of `images`.
    """
    centred = images.to(model.mean.dtype) - source.alpha * model.mean
    moved = target.alpha * model.mean + gaussian.psi(model.variance, source, target) * centred
    return moved.to(images.dtype)


def endpoint(model: Isotropic, images: Tensor, level: NoiseLevel) -> Tensor:
    """Compute the endpoint estimate x0_hat, the posterior mean of x_0 given x_t (Eq. 49).

    Args:
        model: of the data.
        images: x_t, shape (sample, channel, height, width).
        level: their level.

    Returns:
        x0_hat, in the shape and dtype of `images`.
    """
    centred = images.to(model.mean.dtype) - level.alpha * model.mean
    return (model.mean + gaussian.endpoint_gain(model.variance, level) * centred).to(images.dtype)


class IsotropicDenoiser:
    """The exact posterior mean of isotropic Gaussian data.

    Args:
        basis: source of the mean and the total variance.
    """

    def __init__(self, basis: Eigenbasis) -> None:
        self.model = Isotropic.of(basis)

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        """Estimate the endpoint; see `denoisers.protocol.Denoiser`."""
        return endpoint(self.model, images, NoiseLevel(alpha, sigma))

    def state(self, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
        """Carry states along the flow; see the function `state`."""
        return state(self.model, images, source, target)
