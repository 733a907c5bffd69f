"""The relative sampler as a scheduler of diffusers, for any pipeline of a network on the variance-preserving path.

Its steps are those of `samplers.relative`, at the levels of `noise.covariance_grid`, on states x_t of the
variance-preserving path, as DDIMScheduler's. A level's time lies between two times of training, as for DPM-Solver's lambdas;
the network is given the fraction.

The Gaussian decides all at the noisiest levels, so the first call is at a less noisy one (`jump_first`). What belongs to the
first timestep is the noise; the scheduler carries it to the level of the first call along the Gaussian's flow:

    scale_model_input   gives the network the carried noise
    step                begins with the carried noise
    add_noise           adds as much noise as there is at the noisiest level

A pipeline that calls the network without `scale_model_input`, as DDIMPipeline does, is stopped at its first step; it needs
`jump_first=False`, with the first call at the noisiest level. At every other timestep a state is one of that level, so that
sampling may begin there (img2img). A state that the pipeline changes on its way begins a new history.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_ddim import DDIMScheduler, DDIMSchedulerOutput
from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers, SchedulerMixin
from numpy.typing import NDArray
from torch import Tensor

from underpainting.basis.eigenbasis import GaussianBasis
from underpainting.denoisers import PredictionType, TimeTable, endpoint_of_prediction
from underpainting.noise import families
from underpainting.noise.levels import training_grid, vp_level
from underpainting.noise.schedules import VariancePreservingSchedule, schedule_of
from underpainting.pipeline.basis import component_file
from underpainting.pipeline.relative_walk import BASIS_FILE, Basis, RelativeWalk, reference, save_stored, stored_basis
from underpainting.samplers.walk import Sampler


class RelativeScheduler(SchedulerMixin, ConfigMixin):  # type: ignore[misc]  # diffusers has no types
    """Sampler that integrates the Gaussian part of the probability flow exactly, as a scheduler of diffusers.

    Create it with `from_config(pipe.scheduler.config, basis=...)`, or with `from_pretrained` from a folder that holds a basis.

    Args:
        num_train_timesteps, beta_start, beta_end, beta_schedule, trained_betas: noise schedule of the network.
        prediction_type: epsilon, v_prediction or sample.
        jump_first: whether the noise is first carried along the Gaussian's flow, to a first call at a less noisy level.
        basis: of the images, or latents, that the network was trained on: an `Eigenbasis`, a `StoredBasis`, a `TeleportBasis`, a
            `StationaryBasis` for any height and width, or the path of a file that `underpainting basis` wrote. Bases of classes
            are not used.

    Attributes:
        timesteps: time of each call, shape (step,), fractions of the times of training.
        sigmas: sigma / alpha of each call and 0, shape (step + 1,).
        init_noise_sigma: standard deviation of the noise to begin with, 1.
        num_inference_steps: number of steps; None before `set_timesteps`.

    Raises:
        ValueError: there is no basis, or its images are not in [-1, 1].
    """

    _compatibles = [one.name for one in KarrasDiffusionSchedulers]  # noqa: RUF012  diffusers reads it so
    ignore_for_config = ["basis"]  # noqa: RUF012
    order = 1
    init_noise_sigma = 1.0

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: NDArray[np.float64] | list[float] | None = None,
        prediction_type: PredictionType = "epsilon",  # noqa: ARG002  in the configuration
        jump_first: bool = True,  # noqa: ARG002
        basis: Basis | None = None,
    ) -> None:
        self.alphas_cumprod = DDIMScheduler(
            num_train_timesteps, beta_start, beta_end, beta_schedule, trained_betas
        ).alphas_cumprod
        self.stored_basis = stored_basis(basis)
        schedule = schedule_of(self)
        assert isinstance(schedule, VariancePreservingSchedule)
        self._schedule, self._table = schedule, TimeTable(training_grid(self))
        self.num_inference_steps: int | None = None
        self.timesteps = torch.arange(num_train_timesteps - 1, -1, -1)
        self._walk: RelativeWalk | None = None

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
            ValueError: there is no basis, or the network's path is not the variance-preserving one.
        """
        _require_variance_preserving(config)
        given = {key: value for key, value in config.items() if key != "_use_default_values"}
        settings, unused, hidden = cls.extract_init_dict(given, **options)
        made = cls(basis=basis, **settings)
        made.register_to_config(**{**hidden, "_class_name": cls.__name__})
        return (made, {**unused, **hidden}) if return_unused_kwargs else made

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        subfolder: str | None = None,
        return_unused_kwargs: bool = False,
        basis: Basis | None = None,
        **options: Any,
    ) -> Any:
        """Read the scheduler from a folder on disk or of the Hub, with the basis in it unless another is given.

        Raises:
            BasisFileError: as `basis.stored.load_basis`.
        """
        if basis is None:
            basis = component_file(pretrained_model_name_or_path, BASIS_FILE, subfolder or "", options)
        return super().from_pretrained(
            pretrained_model_name_or_path, subfolder, return_unused_kwargs, basis=basis, **options
        )

    def save_pretrained(self, save_directory: str | Path, push_to_hub: bool = False, **options: Any) -> None:
        """Write `scheduler_config.json` and, beside it, `basis.safetensors`."""
        save_stored(self.stored_basis, save_directory)
        super().save_pretrained(save_directory, push_to_hub, **options)

    def __len__(self) -> int:
        return int(self.config.num_train_timesteps)

    @property
    def basis(self) -> GaussianBasis:
        """Basis of all images; of a stationary one, for images as large as its grid of frequencies."""
        return reference(self.stored_basis)

    def sampler(self, steps: int) -> Sampler:
        """Return the library's sampler with the same steps."""
        return Sampler("relative", steps, self, self.basis, jump_first=self.config.jump_first)

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Choose the levels and forget all former steps.

        Args:
            num_inference_steps: number of network calls.
            device: of `timesteps`.
        """
        sampler = self.sampler(num_inference_steps)
        ratios = sampler.grid.sigma / sampler.grid.alpha
        self.num_inference_steps = num_inference_steps
        self.sigmas = torch.from_numpy(ratios).float()
        times = [self._table.time(float(ratio)) for ratio in ratios[:-1]]
        self.timesteps = torch.tensor(times, dtype=torch.float32, device=device)
        endpoint = partial(endpoint_of_prediction, self.config.prediction_type)
        self._walk = RelativeWalk(sampler, self.stored_basis, np.array(times), endpoint)

    def scale_model_input(self, sample: Tensor, timestep: float | Tensor) -> Tensor:
        """Return the network's input: at the first timestep the noise carried to its level, at any other the state itself.

        Args:
            sample: the noise or state, shape (sample, channel, height, width).
            timestep: one of `timesteps`.

        Raises:
            ValueError: the images are not of the basis' shape, or the timestep is none of `timesteps`.
        """
        return self._started().network_input(sample, float(timestep))

    def step(
        self,
        model_output: Tensor,
        timestep: float | Tensor,
        sample: Tensor,
        eta: float = 0.0,
        use_clipped_model_output: bool | None = None,
        generator: Any = None,  # noqa: ARG002  pipelines give one
        return_dict: bool = True,
    ) -> DDIMSchedulerOutput | tuple[Tensor, ...]:
        """Compute the state at the next timestep.

        Args:
            model_output: the network's prediction, shape (sample, channel, height, width).
            timestep: one of `timesteps`.
            sample: x_t; at the first timestep the noise, as it was given to `scale_model_input`.
            eta: 0, since no noise is added.
            use_clipped_model_output: False; nothing is clipped.
            generator: is not used.
            return_dict: False returns `(prev_sample,)`.

        Returns:
            `prev_sample`, and the endpoint estimate `pred_original_sample`.

        Raises:
            ValueError: noise or clipping are requested, shapes do not fit, the timestep is none of `timesteps`, or the network
                was called with noise that `scale_model_input` did not carry to the first level.
        """
        if eta or use_clipped_model_output:
            raise ValueError(
                "the relative sampler neither adds noise nor clips; leave eta and use_clipped_model_output"
            )
        moved, endpoint = self._started().step(model_output, float(timestep), sample)
        return DDIMSchedulerOutput(moved, endpoint) if return_dict else (moved,)

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Add noise to images, x_t = alpha_t x_0 + sigma_t noise.

        Args:
            original_samples: x_0, shape (sample, channel, height, width).
            noise: standard normal, same shape.
            timesteps: shape (sample,); the first of `timesteps` stands for the noisiest level if `jump_first`.
        """
        times = timesteps.detach().double().cpu().numpy().reshape(-1)
        if self._walk is not None:
            times = np.where(self._walk.jumps_at(times), len(self) - 1, times)
        ratios = np.interp(times, np.arange(len(self)), self._schedule.ratios)
        levels = np.array([vp_level(float(ratio)) for ratio in ratios])
        alpha, sigma = torch.from_numpy(levels.T).to(original_samples)[:, :, None, None, None]
        return alpha * original_samples + sigma * noise

    def _started(self) -> RelativeWalk:
        if self._walk is None:
            raise ValueError("the scheduler has no levels yet; call set_timesteps first")
        return self._walk


def _require_variance_preserving(config: Mapping[str, Any]) -> None:
    """Check that a configuration is that of a scheduler on the variance-preserving path.

    Raises:
        ValueError: it is not, or its path is unknown, or ends at alpha = 0.
    """
    named = {"_class_name": "DDIMScheduler" if "beta_start" in config else "FlowMatchEulerDiscreteScheduler", **config}
    if families.family_of_config(named) != "variance preserving":
        raise ValueError(
            "RelativeScheduler is for networks of the variance-preserving path; for flow matching use RelativeFlowScheduler, for "
            "EDM TeleportPipeline, as in pipe(sampler='relative')"
        )
