r"""Stationary Gaussian of images: one covariance of the channels per spatial frequency, for any height and width.

Where every place of an image has the same statistics, Fourier modes of different frequency are independent:

    X(f) = sum_p x(p) exp(-2 pi i f.p) / sqrt(H W),      Cov X(f) = S(f),      S(-f) = conj S(f),      f in cycles per pixel

S(f) is a Hermitian matrix of the channels (the spectral density), and the mean is one number per channel. S is stored on a grid
of frequencies, and its logarithm interpolated between four neighbours: spectra of images are powers of f, and an exponential
has no negative eigenvalue. So one file serves images, or latents, of any size, and is small where U of an `Eigenbasis` is not:
4 x 128 x 128 latents have 65,536 components. What a stationary Gaussian lacks is all that depends on the place, such as a face
in the centre.

The components of a size are, for each pair of frequencies f and -f, sqrt(2) times real and imaginary part of V(f)^H X(f) with
S = V diag(lambda) V^H, and V^T X where f = -f. They are as many as pixels, real, and orthonormal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import prod, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from underpainting.basis.variances import STATIONARY as FORMAT
from underpainting.basis.variances import unpacked_spectrum
from underpainting.io import tensor_files
from underpainting.io.conventions import KEY
from underpainting.io.tensor_files import TensorFileError

LARGEST = 1_000_000  # bytes of the stored spectrum
_LEAST = 1e-12  # of the largest variance; less is none
_REMEDY = "make the file again with `underpainting basis --stationary`"


class _Modes(NamedTuple):
    """Places of the frequencies in the result of `rfft2`, flattened.

    Attributes:
        pairs: one of each f and -f.
        given, mirrored: those of the pairs whose -f is in the result too, and the places of these.
        alone: frequencies with f = -f.
    """

    pairs: Tensor
    given: Tensor
    mirrored: Tensor
    alone: Tensor


@cache
def _modes(height: int, width: int) -> _Modes:
    columns = width // 2 + 1
    edges = [0] + ([width // 2] if width % 2 == 0 else [])
    lower, still = range(1, (height + 1) // 2), [0] + ([height // 2] if height % 2 == 0 else [])
    given = [row * columns + column for column in edges for row in lower]
    mirrored = [(height - row) * columns + column for column in edges for row in lower]
    alone = [row * columns + column for column in edges for row in still]
    inner = [row * columns + column for row in range(height) for column in range(columns) if column not in edges]
    return _Modes(*(torch.tensor(places, dtype=torch.long) for places in (given + inner, given, mirrored, alone)))


@dataclass(frozen=True)
class SizedBasis:
    """A stationary Gaussian at one height and width, as a `GaussianBasis` with all its components.

    Attributes:
        mean: mu, shape (pixel,).
        variances: lambda, shape (component,); not sorted.
        image_shape: (channel, height, width).
        pairs: V of the pairs of frequencies, complex, shape (frequency, channel, component).
        alone: V of the frequencies with f = -f, real, shape (frequency, channel, component).
    """

    mean: Tensor
    variances: Tensor
    image_shape: tuple[int, ...]
    pairs: Tensor
    alone: Tensor

    @property
    def pixels(self) -> int:
        return prod(self.image_shape)

    @property
    def rank(self) -> int:
        return self.pixels

    @property
    def total_variance(self) -> float:
        """Trace of the covariance."""
        return float(self.variances.sum())

    def like(self, tensor: Tensor) -> SizedBasis:
        """Return the basis with mean and components in the dtype and on the device of a tensor."""
        return replace(
            self,
            mean=self.mean.to(tensor),
            pairs=self.pairs.to(tensor.device, tensor.dtype.to_complex()),
            alone=self.alone.to(tensor),
        )

    def to(self, device: torch.device | str) -> SizedBasis:
        """Return the same basis on another device."""
        here = {name: getattr(self, name).to(device) for name in ("mean", "variances", "pairs", "alone")}
        return replace(self, **here)

    def project(self, centred: Tensor) -> Tensor:
        """Compute the coefficients of the components, shape (sample, component), of y, shape (sample, pixel)."""
        modes = _modes(*self.image_shape[1:])
        spectrum = torch.fft.rfft2(centred.unflatten(1, self.image_shape), norm="ortho").flatten(2)
        turned = torch.einsum("fcd,ncf->nfd", self.pairs.conj(), spectrum[..., modes.pairs]) * sqrt(2)
        still = torch.einsum("fcd,ncf->nfd", self.alone, spectrum[..., modes.alone].real)
        return torch.cat([torch.view_as_real(turned.resolve_conj()).flatten(1), still.flatten(1)], 1)

    def combine(self, coefficients: Tensor, onto: Tensor) -> Tensor:
        """Compute `onto` plus the components times their coefficients, shape (sample, pixel)."""
        channels, height, width = self.image_shape
        modes = _modes(height, width)
        count = 2 * len(modes.pairs) * channels
        turned = coefficients[:, :count].unflatten(1, (len(modes.pairs), channels, 2)).contiguous()
        still = coefficients[:, count:].unflatten(1, (len(modes.alone), channels))
        spectrum = self.pairs.new_empty(len(coefficients), channels, height * (width // 2 + 1))
        spectrum[..., modes.pairs] = torch.einsum("fcd,nfd->ncf", self.pairs, torch.view_as_complex(turned)) / sqrt(2)
        spectrum[..., modes.mirrored] = spectrum[..., modes.given].conj()
        spectrum[..., modes.alone] = torch.einsum("fcd,nfd->ncf", self.alone, still).to(spectrum.dtype)
        images = torch.fft.irfft2(spectrum.unflatten(2, (height, width // 2 + 1)), (height, width), norm="ortho")
        return onto + images.flatten(1)


@dataclass(frozen=True)
class StationaryBasis:
    """Stationary Gaussian of images or latents of any size.

    Attributes:
        mean: of each channel, shape (channel,), float64.
        spectrum: S, complex128, shape (channel, channel, height, width // 2 + 1), on the frequencies of `rfft2`.
        width: of the grid of frequencies.
        about: of what it is: names, digests, numbers that JSON can hold.

    Raises:
        ValueError: the shapes do not fit each other.
    """

    mean: Tensor
    spectrum: Tensor
    width: int
    about: Mapping[str, Any]

    def __post_init__(self) -> None:
        channels = len(self.mean)
        if self.spectrum.shape[:2] != (channels, channels) or self.spectrum.shape[3] != self.width // 2 + 1:
            raise ValueError(f"a spectrum of shape {tuple(self.spectrum.shape)} does not fit {channels} channels")

    @property
    def height(self) -> int:
        """Height of the grid of frequencies."""
        return self.spectrum.shape[2]

    def at(self, height: int, width: int) -> SizedBasis:
        """Return the Gaussian of images of one size; an eigendecomposition per frequency, so keep it.

        Args:
            height, width: of the images, or of the latents.
        """
        modes, found = _modes(height, width), self._logarithms(height, width).flatten(2).permute(2, 0, 1)
        ends = [found[modes.pairs], found[modes.alone].real.contiguous()]
        (paired, pairs), (still, alone) = (torch.linalg.eigh(matrices) for matrices in ends)
        variances = torch.cat([paired.repeat_interleave(2), still.flatten()]).exp()
        mean = self.mean.repeat_interleave(height * width)
        variances = torch.where(variances > 2 * _LEAST * variances.max(), variances, 0.0)
        return SizedBasis(mean, variances, (len(self.mean), height, width), pairs, alone)

    def _logarithms(self, height: int, width: int) -> Tensor:
        """Return ln S at the frequencies of another size, shape (channel, channel, height, width // 2 + 1)."""
        values, vectors = torch.linalg.eigh(self.spectrum.permute(2, 3, 0, 1))
        floor = _LEAST * values.max().clamp(min=torch.finfo(values.dtype).tiny)
        turned = vectors * values.clamp(min=floor).log()[..., None, :]
        found = (turned @ vectors.mH).permute(2, 3, 0, 1)
        if (height, width) == (self.height, self.width):
            return found
        rows = torch.fft.fftfreq(height, dtype=torch.float64) * self.height
        columns = torch.fft.rfftfreq(width, dtype=torch.float64) * self.width
        return _between(_between(_completed(found, self.width), rows, 2), columns, 3)

    def reduced(self, largest: int = LARGEST) -> StationaryBasis:
        """Return the basis on half the frequencies, as often as its file needs for at most `largest` bytes.

        What is kept is exact; the lowest frequencies between are interpolated, too.
        """
        if self.spectrum.real.numel() * 4 <= largest or min(self.height, self.width) < 4:
            return self
        height, width = self.height // 2, self.width // 2
        found = self._logarithms(height, width).permute(2, 3, 0, 1)
        spectrum = torch.linalg.matrix_exp(found).permute(2, 3, 0, 1).contiguous()
        return replace(self, spectrum=spectrum, width=width).reduced(largest)


def _completed(spectrum: Tensor, width: int) -> Tensor:
    """Complete a spectrum of the frequencies of `rfft2` by S(-f) = conj S(f)."""
    rest = torch.arange(width // 2 + 1, width)
    rows = -torch.arange(spectrum.shape[2])
    return torch.cat([spectrum, spectrum[:, :, rows][..., width - rest].conj()], 3)


def _between(values: Tensor, places: Tensor, axis: int) -> Tensor:
    """Interpolate linearly along a periodic axis, at fractional places."""
    below, size = places.floor(), values.shape[axis]
    share = (places - below).reshape([-1 if number == axis else 1 for number in range(values.ndim)])
    first = below.long() % size
    return values.index_select(axis, first) * (1 - share) + values.index_select(axis, (first + 1) % size) * share


def fit(batches: Iterable[Tensor], about: Mapping[str, Any]) -> StationaryBasis:
    """Estimate the stationary Gaussian of images of one size in one pass.

    Args:
        batches: images or latents, each of shape (sample, channel, height, width), at least two in all.
        about: of what they are; the count is added.

    Raises:
        ValueError: fewer than two images.
    """
    count, sums, squares, width = 0, torch.zeros(()), torch.zeros(()), 0
    for batch in batches:
        width, count = batch.shape[3], count + len(batch)
        spectra = torch.fft.rfft2(batch.double(), norm="ortho")
        sums = sums + batch.double().mean((2, 3)).sum(0)
        squares = squares + torch.einsum("nchw,ndhw->cdhw", spectra, spectra.conj())
    if count < 2:
        raise ValueError(f"a covariance needs at least two images, got {count}")
    mean, squares = sums / count, squares / count
    height = squares.shape[2]
    squares[:, :, 0, 0] -= height * width * torch.outer(mean, mean)
    squares[:, :, 0, 0] *= count / (count - 1)
    return StationaryBasis(mean, squares, width, {**about, "count": count})


def save(basis: StationaryBasis, path: str | Path) -> None:
    """Write a basis as one safetensors file, in float32: the real part of S on and above the diagonal, the imaginary below."""
    upper = torch.ones(basis.spectrum.shape[:2], dtype=torch.bool).triu()[..., None, None]
    packed = torch.where(upper, basis.spectrum.real, basis.spectrum.imag).float()
    about = {"format": FORMAT, "width": basis.width, "about": dict(basis.about)}
    tensor_files.write(path, {"mean": basis.mean, "spectrum": packed}, about)


def is_file(path: str | Path) -> bool:
    """Return whether a file holds a stationary basis, by its metadata alone."""
    try:
        with safe_open(path, "pt") as file:
            content = json.loads((file.metadata() or {}).get(KEY, "{}"))
        return bool(content.get("about", {}).get("format") == FORMAT)
    except (SafetensorError, OSError, ValueError, AttributeError):
        return False


def load(path: str | Path) -> StationaryBasis:
    """Read a basis that `save` wrote.

    Raises:
        TensorFileError: the file is missing, damaged, or holds no stationary basis.
    """
    if not is_file(path):
        raise TensorFileError(f"{path}: no file of a stationary basis ({FORMAT}); {_REMEDY}")
    tensors, content = tensor_files.read(path)
    spectrum = torch.from_numpy(unpacked_spectrum(tensors["spectrum"].double().numpy()))
    return StationaryBasis(tensors["mean"].double(), spectrum, content["width"], content["about"])
