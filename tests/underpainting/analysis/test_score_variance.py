"""The explained fraction against automatic differentiation and expectations in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from underpainting.analysis import score_variance
from underpainting.analysis.score_variance import SquaredNorms
from underpainting.basis.eigenbasis import Eigenbasis, truncate
from underpainting.noise.levels import NoiseLevel, vp_level
from underpainting.samplers.randomness import initial_noise
from underpainting.theory.gaussian import GaussianDenoiser

LEVEL = NoiseLevel(0.8, 0.6)


def covariance_of(basis: Eigenbasis, level: NoiseLevel) -> Tensor:
    signal = basis.vectors @ basis.variances.diag() @ basis.vectors.T
    return level.sigma**2 * torch.eye(basis.pixels, dtype=torch.float64) + level.alpha**2 * signal


def data_of(basis: Eigenbasis, count: int) -> Tensor:
    coefficients = initial_noise(range(10**6, 10**6 + count), (basis.rank,)).double() * basis.variances.sqrt()
    return (basis.mean + coefficients @ basis.vectors.T).reshape(count, *basis.image_shape)


def squares_of(basis: Eigenbasis, count: int, level: NoiseLevel) -> SquaredNorms:
    """The whole basis as reference, its two leading components as model."""
    images = score_variance.add_noise(data_of(basis, count), level, range(count))
    reference, model = (GaussianDenoiser(each)(images, *level) for each in (basis, truncate(basis, rank=2)))
    return score_variance.squared_norms(reference, model, images, level)


def explained(squares: SquaredNorms) -> float:
    """The fraction of the reference's variance that the model explains."""
    return 1 - float(squares.residual.sum() / squares.total.sum())


def test_squares_are_those_of_the_log_densities_gradients(basis: Eigenbasis) -> None:
    images = score_variance.add_noise(data_of(basis, 6), LEVEL, range(6))
    found = squares_of(basis, 6, LEVEL)
    scores = []
    for each in (basis, truncate(basis, rank=2)):
        density = MultivariateNormal(LEVEL.alpha * each.mean, covariance_of(each, LEVEL))
        flat = images.flatten(1).clone().requires_grad_()
        scores.append(torch.autograd.grad(density.log_prob(flat).sum(), flat)[0])
    scale = LEVEL.sigma**2
    assert np.allclose(found.total, scale * scores[0].square().sum(1), rtol=1e-10)
    assert np.allclose(found.residual, scale * (scores[0] - scores[1]).square().sum(1), rtol=1e-10)


def test_fraction_is_its_expectation(basis: Eigenbasis) -> None:
    level = vp_level(0.3)
    covariance = covariance_of(basis, level)
    precision = torch.linalg.inv(covariance)
    difference = precision - torch.linalg.inv(covariance_of(truncate(basis, rank=2), level))
    expected = 1 - float(torch.trace(difference @ covariance @ difference) / torch.trace(precision))
    assert 0 < expected < 0.99
    assert explained(squares_of(basis, 2000, level)) == pytest.approx(expected, abs=0.03)


def test_fraction_depends_on_the_ratio_alone(basis: Eigenbasis) -> None:
    exploding, preserving = (explained(squares_of(basis, 40, level)) for level in (NoiseLevel(1.0, 0.4), vp_level(0.4)))
    assert exploding == pytest.approx(preserving, rel=1e-10)


def test_a_perfect_model_explains_all_and_no_noise_prediction_nothing(basis: Eigenbasis) -> None:
    images = score_variance.add_noise(data_of(basis, 5), LEVEL, range(5))
    reference = GaussianDenoiser(basis)(images, *LEVEL)
    perfect = score_variance.squared_norms(reference, reference, images, LEVEL)
    silent = score_variance.squared_norms(reference, images / LEVEL.alpha, images, LEVEL)
    assert explained(perfect) == 1
    assert explained(silent) == pytest.approx(0, abs=1e-12)


def test_noise_belongs_to_the_seed() -> None:
    images = torch.linspace(-1, 1, 24).reshape(2, 3, 2, 2)
    both = score_variance.add_noise(images, LEVEL, [7, 8])
    assert torch.equal(both[1:], score_variance.add_noise(images[1:], LEVEL, [8]))
    noise = (both - LEVEL.alpha * images) / LEVEL.sigma
    assert torch.allclose(noise, initial_noise([7, 8], (3, 2, 2)), atol=1e-6) and both.dtype == torch.float32


def test_slips_are_told() -> None:
    images = torch.zeros(2, 1, 2, 2)
    with pytest.raises(ValueError, match="no score at sigma = 0"):
        score_variance.squared_norms(images, images, images, NoiseLevel(1.0, 0.0))
    with pytest.raises(ValueError, match="one shape"):
        score_variance.squared_norms(images, images[:1], images, LEVEL)
    with pytest.raises(ValueError, match="as many seeds"):
        score_variance.add_noise(images, LEVEL, [1])
