r"""Protocol of every model of the data: `denoiser(x, alpha, sigma) -> endpoint estimate`.

The endpoint estimate x0_hat = E[x_0 | x_t] contains all that a network or a theory predicts (Eq. 6); the rest is
derived:

    noise prediction   eps_hat = (x - alpha x0_hat) / sigma                                   (Eq. 5)
    score              s = (alpha x0_hat - x) / sigma^2
    velocity           dx/dt = alpha' x0_hat + sigma' eps_hat                                 (Eq. 4, 75)
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from underpainting.noise.levels import NoiseLevel


class Denoiser(Protocol):
    """Protocol of a function that estimates x_0 from x_t."""

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        """Compute the endpoint estimate x0_hat.

        Args:
            images: x_t = alpha x_0 + sigma noise, shape (sample, channel, height, width).
            alpha: signal scale, positive.
            sigma: noise scale, not negative.

        Returns:
            x0_hat, in the shape and dtype of `images`.
        """
        ...


def noise_prediction(images: Tensor, endpoint: Tensor, level: NoiseLevel) -> Tensor:
    """Compute eps_hat = (x - alpha x0_hat) / sigma, zero at sigma = 0 (Eq. 6 solved for the noise)."""
    return (images - level.alpha * endpoint) / level.sigma if level.sigma else torch.zeros_like(images)


class CountingDenoiser:
    """A denoiser that counts its network calls; one that says how many an estimate takes (`calls_at`) is believed.

    Attributes:
        calls: number of network calls, the NFE of one image.
        evaluations: sum of the numbers of images of these calls.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        self._denoiser = denoiser
        self.calls = self.evaluations = 0

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        calls_at = getattr(self._denoiser, "calls_at", None)
        calls = calls_at(sigma / alpha) if calls_at else 1
        self.calls += calls
        self.evaluations += calls * len(images)
        return self._denoiser(images, alpha, sigma)
