"""Gaussians predicted from text embeddings, on latents whose mean and variances are known functions of the words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from underpainting.basis import prompts
from underpainting.basis.eigenbasis import Eigenbasis, basis_of_images
from underpainting.basis.likelihood import log_likelihood
from underpainting.basis.prompts import CaptionedLatents, TextRegression, fit
from underpainting.io import tensor_files
from underpainting.io.tensor_files import TensorFileError
from underpainting.noise.levels import PURE_NOISE, vp_level
from underpainting.samplers.relative import ClassBases, make_integrator
from underpainting.teleport.jumps import ClassJump

WORDS = 5
SHAPE = (2, 2, 2)
SIZE = 8
RANDOM = np.random.default_rng(0)
FIRST, SECOND = RANDOM.standard_normal((2, WORDS, SIZE))
TOKENS = torch.from_numpy(RANDOM.standard_normal((2, WORDS, 6)))
PAIRS = [(first, second) for first in range(WORDS) for second in range(WORDS)]
NEW = (3, 4)
"""A combination of two words whose caption is left out of training."""


def embeddings(pairs: list[tuple[int, int]]) -> Tensor:
    """Embeddings of captions of two words, shape (caption, token, feature)."""
    return torch.stack([torch.stack([TOKENS[0, first], TOKENS[1, second]]) for first, second in pairs])


def latents(pairs: list[tuple[int, int]], each: int, strength: float = 0.0, product: float = 0.0) -> CaptionedLatents:
    """Latents around a sum of the words' vectors, with a spread that may depend on the first word.

    Args:
        pairs: the captions.
        each: latents of each caption.
        strength: log standard deviation of the first two dimensions per number of the first word.
        product: factor of a term that depends on both words.
    """
    captions = np.repeat(np.arange(len(pairs)), each)
    first, second = np.array(pairs)[captions].T
    spread = np.full((len(captions), SIZE), 0.5)
    spread[:, :2] *= np.exp(strength * (first - 2))[:, None]
    mean = FIRST[first] + SECOND[second] + product * (FIRST[first] * SECOND[second])
    values = mean + spread * np.random.default_rng(1).standard_normal(mean.shape)
    return CaptionedLatents(torch.from_numpy(values.reshape(-1, *SHAPE)), embeddings(pairs), torch.from_numpy(captions))


KNOWN = [pair for pair in PAIRS if pair != NEW]


def covariance(basis: Eigenbasis) -> Tensor:
    return (basis.vectors * basis.variances) @ basis.vectors.T


def test_the_mean_of_a_new_combination_of_known_words_is_their_sum() -> None:
    found, choice = fit(latents(KNOWN, 400), squared=(0,))
    (gaussian,) = found.gaussian_for(embeddings([NEW]))
    assert np.allclose(gaussian.mean, FIRST[3] + SECOND[4], atol=0.12)
    assert torch.allclose(covariance(gaussian), 0.25 * torch.eye(SIZE, dtype=torch.float64), atol=0.03)
    assert choice.ridge < 1e-1 and gaussian.image_shape == SHAPE


def test_variances_that_depend_on_a_word_are_found() -> None:
    found, choice = fit(latents(KNOWN, 200, strength=0.5), squared=(0,))
    assert choice.variance_ridge is not None
    for first in (0, 4):
        (gaussian,) = found.gaussian_for(embeddings([(first, 2)]))
        expected = (0.5 * np.exp(0.5 * (first - 2))) ** 2
        measured = covariance(gaussian).diagonal()[:2].numpy()
        assert np.allclose(np.log(measured / expected), 0, atol=0.25)


def test_one_covariance_is_kept_where_the_words_do_not_change_it() -> None:
    found, choice = fit(latents(KNOWN, 20), squared=(0,))
    assert choice.variance_ridge is None
    one, other = found.gaussian_for(embeddings([(0, 0), NEW]))
    assert torch.equal(one.variances, other.variances) and not torch.equal(one.mean, other.mean)


def test_products_are_chosen_where_they_help() -> None:
    many = [(first, second) for first in range(WORDS) for second in range(WORDS) for _ in range(2)]
    assert fit(latents(KNOWN, 50), squared=(0, 6))[1].squared == 0
    assert fit(latents(many, 50, product=2.0), squared=(0, 6))[1].squared == 6


def test_a_new_combination_is_more_likely_than_under_the_gaussian_of_all() -> None:
    """The measure by which the kinds of Gaussian are compared, on latents that no fit has seen."""
    data, unseen = latents(KNOWN, 100), latents(PAIRS, 50)
    held = unseen.latents[unseen.captions == PAIRS.index(NEW)]
    found, _ = fit(data)
    (predicted,) = found.gaussian_for(embeddings([NEW]))
    common = basis_of_images(data.latents.flatten(1).numpy(), SHAPE)
    assert log_likelihood(predicted, held, 1.0).mean() > log_likelihood(common, held, 1.0).mean() + 0.02


def test_the_largest_likelihood_chooses_a_large_ridge_for_words_without_effect() -> None:
    data = latents(KNOWN, 30)
    noise = torch.randn(data.latents.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found, choice = fit(data._replace(latents=noise), squared=(0,))
    assert choice.ridge == max(prompts.RIDGES) and choice.variance_ridge in (None, max(prompts.VARIANCE_RIDGES))
    assert max(float(one.mean.square().mean()) for one in found.gaussian_for(embeddings(PAIRS))) < 0.02


@given(st.integers(1, SIZE), st.integers(0, 100))
def test_a_gaussian_of_any_rank_is_valid_for_any_embedding(rank: int, seed: int) -> None:
    regression = REGRESSIONS[rank]
    strange = torch.randn(3, *regression.embedding_shape, generator=torch.Generator().manual_seed(seed)) * 10
    for gaussian in regression.gaussian_for(strange):
        assert gaussian.rank == rank and torch.isfinite(gaussian.mean).all()
        assert float(gaussian.variances.sum()) <= gaussian.total_variance * (1 + 1e-9)
        identity = gaussian.vectors.T @ gaussian.vectors
        assert torch.allclose(identity, torch.eye(rank, dtype=torch.float64), atol=1e-9)


REGRESSIONS: dict[int, TextRegression] = {
    rank: fit(latents(KNOWN, 20, strength=0.5), rank=rank)[0] for rank in range(1, SIZE + 1)
}


def test_jumps_and_relative_samplers_take_the_gaussians() -> None:
    bases = REGRESSIONS[SIZE].gaussian_for(embeddings([(0, 0), (4, 4)]))
    noise = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    target = vp_level(0.5)
    moved = ClassJump(bases, [0, 0, 1, 1])(noise, PURE_NOISE, target)
    integrator = make_integrator(ClassBases(bases[0], bases, torch.tensor([0, 0, 1, 1])), noise)
    carried = integrator.carry((noise * 1e6).flatten(1), 1e6, 0.5) * target.alpha
    assert torch.allclose(moved.flatten(1), carried, atol=1e-4)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path, regression = tmp_path / "regression.safetensors", REGRESSIONS[5]
    prompts.save(regression, path, {"text": "digits"})
    first = path.read_bytes()
    read, about = prompts.load(path)
    for one, other in zip(
        read.gaussian_for(embeddings(PAIRS)), regression.gaussian_for(embeddings(PAIRS)), strict=True
    ):
        assert torch.allclose(one.mean, other.mean, atol=1e-5)
        assert torch.allclose(covariance(one), covariance(other), atol=1e-5)
    assert about == {"text": "digits"}
    prompts.save(regression, path, {"text": "digits"})
    assert path.read_bytes() == first


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    tensor_files.write(path, {"a": torch.zeros(1)}, {"format": "another"})
    with pytest.raises(TensorFileError, match="another"):
        prompts.load(path)
    with pytest.raises(TensorFileError, match="cannot be read"):
        prompts.load(tmp_path / "missing.safetensors")


def test_embeddings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="not those of the text encoder"):
        REGRESSIONS[1].gaussian_for(torch.zeros(1, 7, 3))
    with pytest.raises(ValueError, match="not finite"):
        REGRESSIONS[1].gaussian_for(torch.full((1, 2, 6), torch.nan))


def test_data_that_do_not_fit_are_refused() -> None:
    data = latents(KNOWN, 4)
    with pytest.raises(ValueError, match="too few"):
        fit(latents(PAIRS[:9], 4))
    with pytest.raises(ValueError, match="not one of the 24"):
        fit(data._replace(captions=data.captions + 1))
    with pytest.raises(ValueError, match="number of each latent's caption"):
        fit(data._replace(captions=data.captions[1:]))
    with pytest.raises(ValueError, match="not finite"):
        fit(data._replace(latents=data.latents * torch.nan))
    with pytest.raises(ValueError, match="same embedding"):
        fit(data._replace(embeddings=torch.zeros_like(data.embeddings)))
