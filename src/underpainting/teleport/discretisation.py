r"""Discretisation loss of a sampler's own steps, from the variances of the data alone.

On Gaussian data a sampler is a linear map along each component. It carries the standard deviation of the states at one level,
sqrt(m_k) with m_k = sigma^2 + alpha^2 lambda_k, to some sqrt(v_k) at the image, where sqrt(lambda_k) would be exact (Eq. 9). Seen
through noise of standard deviation r, the images that it makes and the data differ by

    loss = 1/2 sum_k (q_k - 1 - ln q_k),      q_k = (v_k + r^2) / (lambda_k + r^2)        nats per image

the Kullback-Leibler divergence between two Gaussians. A sampler of order p misses v_k by order N^-p, so the loss falls as N^-2p.

r restricts the loss to the part that a Gaussian describes: outlines are visible through strong noise, details are not, and a
covariance does not predict the effect of the steps on details. r = 1 is half the width of the image range.
"""

from __future__ import annotations

from torch import Tensor

from underpainting.noise.levels import NoiseLevel
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler, sample
from underpainting.theory import gaussian

SEEN = 1.0
DRAWS = 256
"""Number of walks of a stochastic sampler; a deterministic one needs a single walk."""


class _Components:
    """The exact denoiser of centred Gaussian data in the coordinates of its eigenbasis.

    Args:
        variances: lambda, shape (component,).
    """

    def __init__(self, variances: Tensor) -> None:
        self._variances = variances

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        return images * gaussian.endpoint_gain(self._variances, NoiseLevel(alpha, sigma))


def made_variances(variances: Tensor, sampler: Sampler, begin: int = 0) -> Tensor:
    """Compute the variances v_k of a sampler's images from states exact at step `begin`, shape (component,).

    A relative sampler is exact on Gaussian data.

    Args:
        variances: lambda, shape (component,), float64.
        sampler: with N steps.
        begin: the step at which its states are exact, 0 <= begin < N.
    """
    if sampler.kind.relative:
        return variances
    sampler = sampler.unclipped()  # coefficients have no image range
    exact = gaussian.marginal_variance(variances, sampler.grid[begin]).sqrt().reshape(1, 1, 1, -1)
    if not sampler.kind.stochastic:
        return sample(sampler, _Components(variances), exact, begin).flatten().square()
    seeds = range(DRAWS)
    states = exact * initial_noise(seeds, (1, 1, len(variances))).double()
    return sample(sampler, _Components(variances), states, begin, seeds).square().mean(0).flatten()


def loss(variances: Tensor, sampler: Sampler, begin: int = 0, seen: float = SEEN) -> float:
    """Compute the divergence between the data and a sampler's images from exact states, in nats per image.

    Args:
        variances: lambda, shape (component,), float64.
        sampler: with N steps.
        begin: the step at which its states are exact, 0 <= begin < N.
        seen: r, standard deviation of the noise that is added to both, in image units.
    """
    ratio = (made_variances(variances, sampler, begin) + seen**2) / (variances + seen**2)
    return float(0.5 * (ratio - 1 - ratio.log()).sum())
