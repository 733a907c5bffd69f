"""Steps of the relative sampler, made one by one as the loop of a pipeline of diffusers asks for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from underpainting.basis import stationary
from underpainting.basis.eigenbasis import Eigenbasis, GaussianBasis
from underpainting.basis.stationary import StationaryBasis
from underpainting.basis.stored import StoredBasis, load_basis, require_range, save_basis
from underpainting.noise.levels import NoiseLevel
from underpainting.pipeline.basis import TeleportBasis
from underpainting.samplers.relative import ClassBases
from underpainting.samplers.walk import Sampler

BASIS_FILE = "basis.safetensors"
Basis = Eigenbasis | StoredBasis | TeleportBasis | StationaryBasis | str | Path
Endpoint = Callable[[Tensor, Tensor, NoiseLevel], Tensor]
_TOLERANCE = 1e-3  # of a time


class RelativeWalk:
    """The steps of a relative sampler from noise, or any of its levels, to the image.

    Args:
        sampler: relative.
        basis: of the sampler; a stationary one is fitted to the size of the images.
        times: of the calls, as the pipeline names them.
        endpoint: computes the endpoint estimate of a state, given the network's output and the level.
    """

    def __init__(
        self,
        sampler: Sampler,
        basis: StoredBasis | StationaryBasis,
        times: NDArray[np.float64],
        endpoint: Endpoint,
    ) -> None:
        self._sampler, self._basis, self._times, self._endpoint = sampler, basis, times, endpoint
        self._carried = False  # whether the network was given noise that was carried to the first level
        self._next: int | None = None
        self._returned = self._exact = torch.empty(0)

    def jumps_at(self, times: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which times are those of a jump: the first, if the walk begins with one."""
        return (np.abs(times - self._times[0]) < _TOLERANCE) & (self._sampler.origin is not None)

    def network_input(self, sample: Tensor, time: float) -> Tensor:
        """Return what the network is called with."""
        self._require_images(sample)
        if self._index(time) or self._sampler.origin is None:
            return sample
        self._carried = True
        return self._sampler.start(_precise(sample)).to(sample.dtype)

    def start(self, noise: Tensor) -> Tensor:
        """Carry the noise to the first level; what is returned is the state of the first step.

        Args:
            noise: standard normal, shape (sample, channel, height, width).
        """
        self._require_images(noise)
        state, origin = self._sampler.start(_precise(noise)), self._sampler.origin
        self._integrator = self._sampler.integrator(state, origin.ratio if origin else None)
        self._exact, self._returned, self._next = state, state.to(noise.dtype), 0
        return self._returned.clone()

    @property
    def waits(self) -> bool:
        """Whether the noise was carried to the first level, and no step made."""
        return self._next == 0

    def step(self, output: Tensor, time: float, sample: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state and the endpoint estimate."""
        self._require_images(sample)
        if output.shape != sample.shape:
            raise ValueError(
                f"the network predicts {tuple(output.shape)} of images {tuple(sample.shape)}; networks that also predict a "
                "variance are not supported"
            )
        index = self._index(time)
        state = self._state(sample, index)
        here, there = self._sampler.grid[index], self._sampler.grid[index + 1]
        endpoint = self._endpoint(state, output.to(state), here)
        flat = (state / here.alpha).flatten(1)
        moved = self._integrator.step(flat, endpoint.flatten(1), here.ratio, there.ratio)
        self._exact = moved.reshape(state.shape) * there.alpha
        self._returned, self._next = self._exact.to(sample.dtype), index + 1
        return self._returned.clone(), endpoint.to(sample.dtype)

    def _state(self, sample: Tensor, index: int) -> Tensor:
        """Return the state of a step: the one of the last step before it was rounded, or the first of a new walk."""
        if index == self._next and sample.shape == self._returned.shape:
            return self._exact if torch.equal(sample, self._returned) else _precise(sample)
        origin = self._sampler.origin if index == 0 else None
        state = _precise(sample)
        if origin is not None:
            self._require_carried()
            state = self._sampler.start(state)
        self._integrator = self._sampler.integrator(state, origin.ratio if origin else None)
        return state

    def _require_carried(self) -> None:
        if not self._carried:
            raise ValueError(
                "the network was called with the noise itself, not with what the scheduler carries to the first level; this "
                "pipeline needs the scheduler with jump_first=False (or, for flow matching, noise from `scheduler.start`)"
            )
        self._carried = False

    def _index(self, time: float) -> int:
        index = int(np.abs(self._times - time).argmin())
        if abs(self._times[index] - time) > _TOLERANCE:
            raise ValueError(f"the time {time:g} is none of the scheduler's timesteps")
        return index

    def _require_images(self, sample: Tensor) -> None:
        if (basis := self._sized(sample)).image_shape != sample.shape[1:]:
            raise ValueError(
                f"the basis is one of images of shape {basis.image_shape}, the network's are of shape "
                f"{tuple(sample.shape[1:])}; compute the basis from images as the network knows them"
            )

    def _sized(self, sample: Tensor) -> GaussianBasis:
        """Return the basis; a stationary one is fitted to the images' size, and the sampler to it."""
        used = self._sampler.basis
        assert used is not None and not isinstance(used, ClassBases)
        if isinstance(self._basis, StationaryBasis) and used.image_shape[1:] != sample.shape[2:]:
            used = self._basis.at(*sample.shape[2:])
            self._sampler = Sampler.on("relative", self._sampler.grid, used, self._sampler.origin)
        return used


def _precise(images: Tensor) -> Tensor:
    """Return images in float32, or in float64 if they are."""
    return images if images.dtype == torch.float64 else images.float()


def stored_basis(basis: Basis | None) -> StoredBasis | StationaryBasis:
    """Return a basis with its card, or a stationary one.

    Raises:
        ValueError: there is none, its file cannot be read, or its images are in another range.
    """
    if basis is None:
        raise ValueError(
            "a relative scheduler needs a basis of the training images: give basis='basis.safetensors', a file that "
            "`underpainting basis` writes"
        )
    if isinstance(basis, Eigenbasis):
        return StoredBasis.of(basis, "not known")
    found: StoredBasis | StationaryBasis
    if isinstance(basis, str | Path):
        found = stationary.load(basis) if stationary.is_file(basis) else load_basis(basis, "any")
    else:
        found = basis.stored if isinstance(basis, TeleportBasis) else basis
    if isinstance(found, StoredBasis):
        require_range(found.card, "basis")
    return found


def save_stored(basis: StoredBasis | StationaryBasis, folder: str | Path) -> None:
    """Write a basis into the folder of a scheduler."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    if isinstance(basis, StationaryBasis):
        stationary.save(basis, Path(folder) / BASIS_FILE)
    else:
        save_basis(basis, Path(folder) / BASIS_FILE)


def reference(basis: StoredBasis | StationaryBasis) -> GaussianBasis:
    """Return the basis of all images; of a stationary one, for images as large as its grid of frequencies."""
    return basis.at(basis.height, basis.width) if isinstance(basis, StationaryBasis) else basis.all_images
