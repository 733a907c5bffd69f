"""Log likelihood through noise against torch's multivariate normal, and the mean over draws of the noise."""

from __future__ import annotations

import math

import pytest
import torch

from tests.helpers.bases import make_basis
from underpainting.basis.eigenbasis import truncate
from underpainting.basis.likelihood import log_likelihood

PIXELS = 6
BASIS = make_basis(PIXELS, [3.0, 2.0, 1.0, 0.5, 0.3, 0.2], 0)
IMAGES = torch.randn(5, 1, 1, PIXELS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def normal(ratio: float) -> torch.distributions.MultivariateNormal:
    covariance = (BASIS.vectors * BASIS.variances) @ BASIS.vectors.T + ratio**2 * torch.eye(PIXELS, dtype=torch.float64)
    return torch.distributions.MultivariateNormal(BASIS.mean, covariance)


def test_without_noise_it_is_the_log_density() -> None:
    found = log_likelihood(BASIS, IMAGES, 0.0)
    assert torch.allclose(found, normal(0.0).log_prob(IMAGES.flatten(1)) / PIXELS)


def test_with_noise_it_is_the_mean_over_noise() -> None:
    noise = torch.randn(200_000, PIXELS, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    draws = normal(0.7).log_prob(IMAGES[0].flatten() + 0.7 * noise) / PIXELS
    error = float(draws.std()) / math.sqrt(len(draws))
    assert float(log_likelihood(BASIS, IMAGES[:1], 0.7)) == pytest.approx(float(draws.mean()), abs=4 * error)


def test_directions_outside_share_their_mean_variance() -> None:
    flat = make_basis(PIXELS, [3.0, 2.0, 0.4, 0.4, 0.4, 0.4], 3)
    cut = truncate(flat, rank=2)
    assert torch.allclose(log_likelihood(cut, IMAGES, 0.2), log_likelihood(flat, IMAGES, 0.2))


def test_what_has_no_density_is_refused() -> None:
    flat = make_basis(PIXELS, [3.0, 2.0], 3)
    with pytest.raises(ValueError, match="ratio above 0"):
        log_likelihood(flat, IMAGES, 0.0)
    with pytest.raises(ValueError, match="6 dimensions"):
        log_likelihood(flat, torch.zeros(2, 3), 1.0)
