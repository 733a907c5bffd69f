"""Stationary Gaussians: against the covariance over all shifts, at other sizes, on disk, in jumps and the relative sampler."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from underpainting.basis import stationary
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.stationary import StationaryBasis
from underpainting.basis.variances import read_variances
from underpainting.io.tensor_files import TensorFileError
from underpainting.noise.levels import NoiseLevel, vp_level
from underpainting.samplers.relative import RelativeIntegrator, variances_of
from underpainting.theory import gaussian

HERE, THERE = vp_level(8.0), vp_level(1.5)


def fields(count: int, channels: int, height: int, width: int) -> Tensor:
    """Random periodic fields, correlated between neighbours and, with a shift, between channels."""
    noise = torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    return noise + 0.8 * noise.roll(1, 3) + 0.5 * noise.roll((1, 1), (1, 2)) - 0.4 * noise.roll(-1, 2) + 0.2


def explicit(images: Tensor) -> Eigenbasis:
    """The eigenbasis of the covariance of images in all their shifts, from the matrix itself."""
    count, shape = len(images), images.shape[1:]
    mean = images.mean((0, 2, 3))
    centred = images - mean[:, None, None]
    shifted = [centred.roll((down, right), (2, 3)).flatten(1) for down in range(shape[1]) for right in range(shape[2])]
    covariance = sum(((one.T @ one) for one in shifted), torch.zeros(())) / (count * len(shifted))
    variances, vectors = torch.linalg.eigh(covariance)
    order = variances.argsort(descending=True)
    flat = mean.repeat_interleave(shape[1] * shape[2])
    return Eigenbasis(flat, vectors[:, order], variances[order].clamp(min=0), float(variances.sum()), tuple(shape))


@given(st.integers(1, 3), st.integers(2, 7), st.integers(2, 7))
def test_the_components_are_orthonormal_and_as_many_as_pixels(channels: int, height: int, width: int) -> None:
    images = fields(12, channels, height, width)
    basis = stationary.fit([images[:5], images[5:]], {}).at(height, width)
    identity = torch.eye(basis.pixels, dtype=torch.float64)
    matrix = basis.project(identity)
    assert matrix.shape == identity.shape == (basis.rank, basis.pixels)
    assert torch.allclose(matrix @ matrix.T, identity, atol=1e-12)
    assert torch.allclose(basis.combine(matrix, torch.zeros_like(identity)), identity, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 5, 4), (2, 4, 7)])
def test_jumps_and_estimates_are_those_of_the_covariance_over_all_shifts(shape: tuple[int, int, int]) -> None:
    images = fields(4000, *shape)
    sized, matrix = stationary.fit([images], {}).at(*shape[1:]), explicit(images)
    state = torch.randn(5, *shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    for function, levels in (
        (gaussian.state, (HERE, THERE)),
        (gaussian.endpoint, (HERE,)),
        (gaussian.score, (HERE,)),
        (gaussian.coloured_noise, (HERE,)),
        (gaussian.state, (NoiseLevel(0.0, 1.0), NoiseLevel(0.4, 0.6))),
    ):
        ours, theirs = (function(basis, state, *levels) for basis in (sized, matrix))  # type: ignore[operator]
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))
    found, expected = (variances_of(basis) for basis in (sized, matrix))
    assert sorted(found) == pytest.approx(sorted(expected), rel=2e-3)


def test_the_relative_sampler_is_exact_for_gaussian_data_of_any_size() -> None:
    sized = stationary.fit([fields(40, 2, 8, 8)], {}).at(6, 10)
    like = torch.randn(3, sized.pixels, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    integrator, state, ratios = RelativeIntegrator(sized, like), like * 9.0, [9.0, 4.0, 1.0, 0.2, 0.0]
    shape = (3, *sized.image_shape)
    for here, there in pairwise(ratios):
        endpoint = gaussian.endpoint(sized, state, NoiseLevel(1.0, here))
        state = integrator.step(state, endpoint, here, there)
    exact = gaussian.state(sized, (like * 9.0).reshape(shape), NoiseLevel(1.0, 9.0), NoiseLevel(1.0, 0.0))
    assert torch.allclose(state, exact.flatten(1), atol=1e-10)


def test_the_variance_of_a_pixel_is_the_same_at_all_sizes() -> None:
    basis = stationary.fit([fields(60, 2, 16, 16)], {})
    spread = {
        size: float(basis.at(*size).total_variance) / (2 * size[0] * size[1]) for size in [(16, 16), (32, 24), (9, 40)]
    }
    assert list(spread.values()) == pytest.approx([spread[16, 16]] * 3, rel=0.02)
    assert float(basis.at(64, 64).variances.min()) >= 0


def test_samples_of_another_size_have_the_correlations_of_the_images() -> None:
    """The field's correlation with its right and lower neighbours, at twice the size of the images."""
    images = fields(400, 2, 16, 16)
    sized = stationary.fit([images], {}).at(32, 32)
    white = torch.randn(200, sized.pixels, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    samples = sized.combine(white * sized.variances.sqrt(), sized.mean).reshape(-1, *sized.image_shape)
    for shift, axis in ((1, 3), (1, 2)):
        found, expected = (
            ((one - one.mean()) * (one - one.mean()).roll(shift, axis)).mean((0, 2, 3)) for one in (samples, images)
        )
        assert torch.allclose(found, expected, atol=0.05)


def test_a_file_is_read_back_and_kept_below_its_limit(tmp_path: Path) -> None:
    basis, file = stationary.fit([fields(20, 4, 24, 24)], {"source": "fields"}), tmp_path / "latents.safetensors"
    stationary.save(basis, file)
    found = stationary.load(file)
    assert stationary.is_file(file) and found.about == {"source": "fields", "count": 20}
    assert torch.allclose(found.spectrum, basis.spectrum, rtol=1e-6, atol=1e-7)
    assert sorted(read_variances(file)) == pytest.approx(
        sorted(basis.at(24, 24).variances.tolist()), rel=1e-5, abs=1e-6
    )
    small = stationary.fit([torch.randn(8, 16, 64, 64)], {}).reduced()
    stationary.save(small, file)
    assert file.stat().st_size < 1_000_000 and (small.height, small.width) == (32, 32)
    assert small.at(32, 32).total_variance / 32**2 == pytest.approx(16, rel=0.05)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_reduced_spectrum_keeps_the_powers_of_images(power: float) -> None:
    """S = |f|^-power on 64 x 64 frequencies: on 16 x 16 the kept ones are exact, those between within a factor."""
    rows, columns = (
        torch.fft.fftfreq(64, dtype=torch.float64)[:, None],
        torch.fft.rfftfreq(64, dtype=torch.float64)[None],
    )
    density = (rows.square() + columns.square()).sqrt().clamp(min=1 / 128) ** -power
    full = StationaryBasis(torch.zeros(1), density[None, None].to(torch.complex128), 64, {})
    small = full.reduced(16 * 16 * 4)
    assert (small.height, small.width) == (16, 16)
    assert torch.allclose(small.spectrum.real[0, 0], density[::4, ::4])
    again = small.at(64, 64)
    assert again.total_variance == pytest.approx(full.at(64, 64).total_variance, rel=0.35)
    assert float(again.variances.max()) == pytest.approx(float(density.max()))


def test_a_channel_without_variance_stays_at_its_mean() -> None:
    images = torch.cat([fields(30, 1, 6, 6), torch.full((30, 1, 6, 6), 0.7, dtype=torch.float64)], 1)
    sized = stationary.fit([images], {}).at(6, 6)
    noise = torch.randn(3, 2, 6, 6, dtype=torch.float64)
    image = gaussian.state(sized, noise, NoiseLevel(0.0, 1.0), NoiseLevel(1.0, 0.0))
    assert torch.allclose(image[:, 1], torch.full((3, 6, 6), 0.7, dtype=torch.float64), atol=1e-6)


def test_other_files_and_too_few_images_are_refused(tmp_path: Path) -> None:
    from underpainting.io import tensor_files

    file = tmp_path / "other.safetensors"
    tensor_files.write(file, {"mean": torch.zeros(1)}, {"format": "another/1"})
    with pytest.raises(TensorFileError, match="no file of a stationary basis"):
        stationary.load(file)
    assert not stationary.is_file(file) and not stationary.is_file(tmp_path / "nothing")
    with pytest.raises(ValueError, match="at least two images, got 1"):
        stationary.fit([torch.zeros(1, 1, 4, 4)], {})
    with pytest.raises(ValueError, match="does not fit 2 channels"):
        StationaryBasis(torch.zeros(2), torch.zeros(1, 1, 4, 3, dtype=torch.complex128), 4, {})
