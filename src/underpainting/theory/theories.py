"""The analytic models of the data, each behind the denoiser protocol, from their artifacts (Sec. 4-5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from underpainting.basis import eigenbasis
from underpainting.denoisers import Denoiser
from underpainting.theory import isotropic, mixtures, point_cloud
from underpainting.theory.gaussian import GaussianDenoiser


def gaussian(path: str | Path) -> Denoiser:
    """One Gaussian, from an eigenbasis artifact."""
    return GaussianDenoiser(eigenbasis.load(path))


def flat(path: str | Path) -> Denoiser:
    """The isotropic Gaussian, from an eigenbasis artifact; the null model of the Gaussian."""
    return isotropic.IsotropicDenoiser(isotropic.Isotropic.of(eigenbasis.load(path)))


def mixture(path: str | Path) -> Denoiser:
    """A Gaussian mixture, from its artifact."""
    return mixtures.MixtureDenoiser(mixtures.load(path))


def cloud(path: str | Path) -> Denoiser:
    """The point cloud of the training images, from a data set artifact."""
    return point_cloud.PointCloudDenoiser(point_cloud.from_dataset(path))


LOADERS: Mapping[str, tuple[str, Callable[[str | Path], Denoiser]]] = {
    "gaussian": ("eigenbasis", gaussian),
    "isotropic": ("eigenbasis", flat),
    "mixture": ("mixture", mixture),
    "point_cloud": ("dataset", cloud),
}


def load(name: str, files: Mapping[str, str]) -> Denoiser:
    """The denoiser of a theory.

    Args:
        name: `gaussian`, `isotropic`, `mixture` or `point_cloud`.
        files: artifacts by kind: `eigenbasis`, `mixture`, `dataset`; only that of the theory is read.

    Raises:
        ValueError: an unknown theory.
    """
    if name not in LOADERS:
        raise ValueError(f"unknown theory {name!r}; known are {', '.join(LOADERS)}")
    kind, read = LOADERS[name]
    return read(files[kind])
