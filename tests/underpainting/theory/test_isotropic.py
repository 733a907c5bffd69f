"""The isotropic Gaussian against the general closed form with equal variances, and against its own flow."""

from __future__ import annotations

import pytest
import torch

from underpainting.basis import eigenbasis
from underpainting.noise.levels import NoiseLevel, vp_level
from underpainting.theory import gaussian, isotropic

SHAPE = (1, 3, 4)
SOURCE, TARGET = vp_level(8.0), vp_level(0.7)


def basis(variance: float = 0.3) -> eigenbasis.Eigenbasis:
    """A complete basis with equal variances, its axes turned at random."""
    torch.manual_seed(0)
    vectors = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64))[0]
    variances = torch.full((12,), variance, dtype=torch.float64)
    return eigenbasis.Eigenbasis(torch.linspace(-1, 1, 12).double(), vectors, variances, 12 * variance, SHAPE)


def test_it_is_the_gaussian_with_equal_variances() -> None:
    images = torch.randn(5, *SHAPE, dtype=torch.float64)
    model = isotropic.Isotropic.of(basis())
    wanted = gaussian.state(basis(), images, SOURCE, TARGET)
    torch.testing.assert_close(isotropic.state(model, images, SOURCE, TARGET), wanted, rtol=1e-12, atol=1e-12)
    wanted = gaussian.endpoint(basis(), images, TARGET)
    torch.testing.assert_close(isotropic.IsotropicDenoiser(basis())(images, *TARGET), wanted, rtol=1e-12, atol=1e-12)


def test_its_variance_is_the_mean_variance_of_a_pixel_whatever_the_basis_holds() -> None:
    whole = eigenbasis.basis_of_images(torch.randn(50, 12, dtype=torch.float64).numpy(), SHAPE)
    part = eigenbasis.truncate(whole, rank=2)
    assert isotropic.Isotropic.of(part).variance == pytest.approx(float(whole.variances.mean()))


def test_noise_is_carried_to_states_of_its_own_variance() -> None:
    model, noise = isotropic.Isotropic.of(basis(0.3)), torch.randn(4000, *SHAPE)
    start = SOURCE.alpha * model.mean + (SOURCE.sigma**2 + SOURCE.alpha**2 * 0.3) ** 0.5 * noise
    moved = isotropic.state(model, start, SOURCE, NoiseLevel(1.0, 0.0))
    assert moved.dtype == start.dtype
    assert float((moved - model.mean).var()) == pytest.approx(0.3, rel=0.03)
