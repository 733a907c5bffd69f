"""The relative sampler as a scheduler of diffusers, for pipelines of flow matching: Stable Diffusion 3, Flux.

Its steps are those of `samplers.relative` on x_t = (1 - t) x_0 + t noise, at the levels of `noise.covariance_grid`; the number
of steps is all that counts of what a pipeline asks for. Settings of the spacing (`shift`, `mu`, `sigmas`) have no effect.

Pipelines of flow matching give the network the state as it is, so that the noise has to be carried to the level of the
first call before their loop: `TeleportStep` (`pipeline.modular`) does it, or `pipe(latents=scheduler.start(noise))` after
`set_timesteps`. With `jump_first=False` nothing is carried, and the first call is at the noisiest level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteSchedulerOutput
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from torch import Tensor

from underpainting.basis.eigenbasis import GaussianBasis
from underpainting.noise import families
from underpainting.noise.levels import NoiseLevel
from underpainting.pipeline.basis import component_file
from underpainting.pipeline.packing import packed_again, unpacked
from underpainting.pipeline.relative_walk import BASIS_FILE, Basis, RelativeWalk, reference, save_stored, stored_basis
from underpainting.samplers.walk import Sampler


def _endpoint(state: Tensor, velocity: Tensor, level: NoiseLevel) -> Tensor:
    """Compute x0_hat = x_t - t v, with the network's velocity v = noise - x_0."""
    return state - level.sigma * velocity


class RelativeFlowScheduler(SchedulerMixin, ConfigMixin):  # type: ignore[misc]  # diffusers has no types
    """Sampler that integrates the Gaussian part of the flow exactly, for networks of flow matching.

    Create it with `from_config(pipe.scheduler.config, basis=...)`, or with `from_pretrained` from a folder that holds a basis.

    Args:
        num_train_timesteps: the network's time is t times it.
        jump_first: whether the noise is carried along the Gaussian's flow before the first call.
        basis: as for `RelativeScheduler`.

    Attributes:
        timesteps: time of each call, shape (step,).
        sigmas: t of each call and 0, shape (step + 1,).

    Raises:
        ValueError: there is no basis.
    """

    _compatibles = ["FlowMatchEulerDiscreteScheduler"]  # noqa: RUF012  diffusers reads it so
    ignore_for_config = ["basis"]  # noqa: RUF012
    order = 1
    init_noise_sigma = 1.0

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        jump_first: bool = True,  # noqa: ARG002  in the configuration
        basis: Basis | None = None,
    ) -> None:
        self.stored_basis = stored_basis(basis)
        self.num_inference_steps: int | None = None
        self.timesteps = torch.arange(num_train_timesteps, 0, -1)
        self._walk: RelativeWalk | None = None
        self._size: tuple[int, int] | None = None

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], return_unused_kwargs: bool = False, basis: Basis | None = None, **options: Any
    ) -> Any:
        """Make the scheduler of a network from the configuration of its own scheduler.

        Args:
            config: `pipe.scheduler.config`.
            return_unused_kwargs: as for every scheduler of diffusers.
            basis: as for the class.
            options: settings of the class that override the configuration's.

        Raises:
            ValueError: there is no basis, or the network is not one of flow matching.
        """
        name = str(
            config.get("_class_name") or ("FlowMatchEulerDiscreteScheduler" if "shift" in config else "DDIMScheduler")
        )
        if name != cls.__name__ and families.family_of(name) != "flow matching":
            raise ValueError(f"{name} is no scheduler of flow matching; use RelativeScheduler for the other path")
        settings, unused, hidden = cls.extract_init_dict(dict(config), **options)
        made = cls(basis=basis, **settings)
        made.register_to_config(**{**hidden, "_class_name": cls.__name__})
        return (made, {**unused, **hidden}) if return_unused_kwargs else made

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        subfolder: str | None = None,
        basis: Basis | None = None,
        **options: Any,
    ) -> Any:
        """Read the scheduler from a folder on disk or of the Hub, with the basis in it unless another is given.

        Raises:
            BasisFileError: as `basis.stored.load_basis`.
        """
        if basis is None:
            basis = component_file(pretrained_model_name_or_path, BASIS_FILE, subfolder or "", options)
        return super().from_pretrained(pretrained_model_name_or_path, subfolder, basis=basis, **options)

    def save_pretrained(self, save_directory: str | Path, push_to_hub: bool = False, **options: Any) -> None:
        """Write `scheduler_config.json` and, beside it, `basis.safetensors`."""
        save_stored(self.stored_basis, save_directory)
        super().save_pretrained(save_directory, push_to_hub, **options)

    @property
    def basis(self) -> GaussianBasis:
        """Basis of all images; of a stationary one, for images as large as its grid of frequencies."""
        return reference(self.stored_basis)

    def sampler(self, steps: int) -> Sampler:
        """Return the library's sampler with the same steps."""
        network = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
        return Sampler("relative", steps, network, self.basis, jump_first=self.config.jump_first)

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        sigmas: Sequence[float] | None = None,
        mu: float | None = None,  # noqa: ARG002  pipelines give one
    ) -> None:
        """Choose the levels and forget all former steps, except a `start` that no step has followed.

        Args:
            num_inference_steps: number of network calls; that of `sigmas` if not given.
            device: of `timesteps`.
            sigmas: only their number counts.
            mu: has no effect.
        """
        steps = num_inference_steps or (0 if sigmas is None else len(sigmas))
        if self._walk is not None and self._walk.waits and steps == self.num_inference_steps:
            self.timesteps = self.timesteps.to(device)
            return  # noise was carried by `start`, and the pipeline asks for the levels again
        sampler = self.sampler(steps)
        times = sampler.grid.sigma[:-1] * self.config.num_train_timesteps
        self.num_inference_steps = steps
        self.sigmas = torch.from_numpy(sampler.grid.sigma).float()
        self.timesteps = torch.tensor(times, dtype=torch.float32, device=device)
        rounded = self.timesteps.cpu().double().numpy()
        self._walk, self._size = RelativeWalk(sampler, self.stored_basis, np.asarray(rounded), _endpoint), None

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Accept the beginning, as pipelines say it.

        Raises:
            ValueError: it is a later step.
        """
        if begin_index:
            raise ValueError("the relative sampler begins with noise; leave strength and image out")

    def start(self, noise: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Carry the noise to the level of the first call, after `set_timesteps`.

        Args:
            noise: standard normal, shape (sample, channel, height, width), or tokens of it, (sample, token, 4 channel).
            size: height and width of the latents, for tokens.

        Returns:
            what the pipeline has to begin with, in the shape and dtype of `noise`.

        Raises:
            ValueError: the shape is not that of the basis, or `size` is missing.
        """
        self._size = size if noise.ndim == 3 else None
        return self._packed(self._started().start(self._unpacked(noise)))

    def step(
        self,
        model_output: Tensor,
        timestep: float | Tensor,
        sample: Tensor,
        generator: Any = None,  # noqa: ARG002  pipelines give one
        return_dict: bool = True,
        **_: Any,
    ) -> FlowMatchEulerDiscreteSchedulerOutput | tuple[Tensor, ...]:
        """Compute the state at the next timestep.

        Args:
            model_output: the network's velocity, shape of `sample`.
            timestep: one of `timesteps`.
            sample: x_t; at the first timestep what `start` returned.
            generator: is not used.
            return_dict: False returns `(prev_sample,)`.

        Raises:
            ValueError: shapes do not fit, the timestep is none of `timesteps`, or the noise was not carried to the first level.
        """
        state, velocity = self._unpacked(sample), self._unpacked(model_output)
        moved = self._packed(self._started().step(velocity, float(timestep), state)[0])
        return FlowMatchEulerDiscreteSchedulerOutput(moved) if return_dict else (moved,)

    def _unpacked(self, tokens: Tensor) -> Tensor:
        if tokens.ndim != 3:
            return tokens
        if self._size is None:
            raise ValueError("tokens need the size of the latents: scheduler.start(noise, (height, width))")
        return unpacked(tokens, *self._size)

    def _packed(self, latents: Tensor) -> Tensor:
        return latents if self._size is None else packed_again(latents)

    def _started(self) -> RelativeWalk:
        if self._walk is None:
            raise ValueError("the scheduler has no levels yet; call set_timesteps first")
        return self._walk
