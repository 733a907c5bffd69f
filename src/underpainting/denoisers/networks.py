r"""Networks as denoisers: a network trained on any noise path serves every path.

The endpoint estimate depends on x / alpha and the noise-to-signal ratio r = sigma / alpha alone. At r the network is
given the state of the path it was trained on, a multiple of x / alpha, and its time; the estimate follows from its
prediction:

    kind                          state, as a multiple of x / alpha      time              x0_hat
    variance preserving           a = 1 / sqrt(1 + r^2); s = r a         of the schedule   (x - s eps) / a,  a x - s v,  or x_0
    EDM (Karras et al. 2022)      c_in = 1 / sqrt(r^2 + sigma_data^2)    ln(r) / 4         c_skip x + c_out F
    flow matching                 1 - t, for t = r / (1 + r)             1000 t            x - t v

with c_skip = sigma_data^2 / (r^2 + sigma_data^2), c_out = r sigma_data c_in; the x of the last column is x / alpha
for EDM, else the state of the network's path. The times are those of diffusers' schedulers, so that diffusers' loops
give the networks the same times.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import hypot, log
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from underpainting import meter
from underpainting.denoisers.adaptive_batches import AdaptiveBatches
from underpainting.denoisers.compute import Compute
from underpainting.io.network_config import image_size
from underpainting.noise.levels import NoiseGrid, NoiseLevel, vp_level

PredictionType = Literal["epsilon", "v_prediction", "sample"]
_SNAP = 1e-4


class TimeTable:
    """Continuous inverse of a diffusers noise schedule: from sigma / alpha to the network's time.

    diffusers interpolates sigma / alpha linearly between integer times; this is the inverse of that map, so that a
    sampler's levels give exactly the times that diffusers' pipelines use.
    """

    def __init__(self, grid: NoiseGrid) -> None:
        self._ratio = (grid.sigma / grid.alpha)[::-1]

    def time(self, ratio: float) -> float:
        """Return the time in [0, T - 1] of a noise-to-signal ratio; ratios outside the schedule are clamped."""
        time = float(np.interp(ratio, self._ratio, np.arange(len(self._ratio))))
        return float(round(time)) if abs(time - round(time)) < _SNAP else time


class NetworkDenoiser(ABC):
    """A network as a denoiser; a subclass defines the network's inputs and the meaning of its output.

    Args:
        network: called as `network(x, time).sample`.
        compute: settings of its calls; the network runs on the device that it is on.
    """

    def __init__(self, network: torch.nn.Module, compute: Compute | None = None) -> None:
        self.network = network.eval()
        parameter = next(network.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype
        self._compute = compute or Compute()
        self._predictions = AdaptiveBatches(self._predict)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channel, height, width) of the network's images.

        Raises:
            ValueError: their size is missing in its configuration, or they are not square.
        """
        config: Any = self.network.config
        if (size := image_size(config)) is None:
            raise ValueError("the network does not say for which images it is; add sample_size to its config.json")
        return (config["in_channels"], size, size)

    @torch.inference_mode()
    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        if sigma == 0:
            return images / alpha
        ratio = sigma / alpha
        gain, time = self._input_scales(ratio)
        with meter.network_call(len(images), self.calls_at(ratio)):
            scaled = (images * (gain / alpha)).to(self.device, self.dtype)
            output = self._prediction(scaled, torch.full((len(images),), time, device=self.device), ratio)
            endpoint = self._endpoint(scaled, output, ratio)
            if not bool(torch.isfinite(endpoint).all()):
                raise FloatingPointError(
                    f"a {type(self.network).__name__} gives numbers that are not finite at sigma / alpha = {ratio:.6g}, its time "
                    f"{time:.6g}; use precision: float32, or a network that knows this level"
                )
            return endpoint.to(images.device, images.dtype)

    def time(self, ratio: float) -> float:
        """Return the time given to the network at a noise-to-signal ratio, in the network's units."""
        return self._input_scales(ratio)[1]

    def calls_at(self, ratio: float) -> int:  # noqa: ARG002  for networks that are called twice at some levels
        """Return how many network calls an estimate takes at a noise-to-signal ratio."""
        return 1

    def _prediction(self, scaled: Tensor, times: Tensor, ratio: float) -> Tensor:  # noqa: ARG002  for guided networks
        return self._predictions(scaled, times)

    def _predict(self, images: Tensor, times: Tensor, *conditions: Tensor) -> Tensor:
        with self._compute.calling(self.device):
            return self._output(images, times, *conditions).to(self.dtype)

    def _output(self, images: Tensor, times: Tensor, *conditions: Tensor) -> Tensor:
        output: Tensor = self.network(images, times, *conditions).sample
        return output

    @abstractmethod
    def _input_scales(self, ratio: float) -> tuple[float, float]:
        """Return the network's input as a multiple of x / alpha, and its time."""

    @abstractmethod
    def _endpoint(self, scaled: Tensor, output: Tensor, ratio: float) -> Tensor:
        """Compute x0_hat from the network's input and output."""


def endpoint_of_prediction(prediction: PredictionType, images: Tensor, output: Tensor, level: NoiseLevel) -> Tensor:
    """Compute x0_hat from x_t on the variance-preserving path and what a network predicts of it."""
    if prediction == "epsilon":
        return (images - level.sigma * output) / level.alpha
    if prediction == "v_prediction":
        return level.alpha * images - level.sigma * output
    return output


class DiffusersDenoiser(NetworkDenoiser):
    """A network of the variance-preserving path that predicts noise (epsilon), velocity (v) or the image (sample).

    Args:
        network: called as `network(x, time).sample`, on the variance-preserving path.
        grid: its training grid, from noise to data (`noise.training_grid`).
        prediction_type: epsilon, v_prediction or sample.
        compute: settings of its calls; the network runs on the device that it is on.

    Raises:
        ValueError: an unknown prediction type.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        grid: NoiseGrid,
        prediction_type: PredictionType = "epsilon",
        compute: Compute | None = None,
    ) -> None:
        if prediction_type not in get_args(PredictionType):
            raise ValueError(f"prediction_type {prediction_type!r} is unknown; use epsilon, v_prediction or sample")
        super().__init__(network, compute)
        self.prediction_type = prediction_type
        self._table = TimeTable(grid)

    def _input_scales(self, ratio: float) -> tuple[float, float]:
        return vp_level(ratio).alpha, self._table.time(ratio)

    def _endpoint(self, scaled: Tensor, output: Tensor, ratio: float) -> Tensor:
        return endpoint_of_prediction(self.prediction_type, scaled, output, vp_level(ratio))


class Preconditioning(NamedTuple):
    """Scales of EDM: D(x; sigma) = c_skip x + c_out F(c_in x; c_noise) for a network F (Karras et al. 2022, Table 1)."""

    skip: float
    out: float
    into: float
    noise: float

    @classmethod
    def at(cls, sigma: float, sigma_data: float) -> Preconditioning:
        """Compute the scales at a noise level, for data of standard deviation `sigma_data`."""
        into = 1.0 / hypot(sigma, sigma_data)
        return cls((sigma_data * into) ** 2, sigma * sigma_data * into, into, 0.25 * log(sigma))


class EdmDenoiser(NetworkDenoiser):
    """A preconditioned network of Karras et al. (2022).

    Levels outside [sigma_min, sigma_max] keep their scales; the network is given the nearest level within.

    Args:
        network: F, called as `network(c_in x, c_noise).sample`.
        sigma_data: standard deviation of the data that the preconditioning assumes.
        sigma_min, sigma_max: range of levels that it was trained on.
        compute: settings of its calls; the network runs on the device that it is on.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        sigma_data: float = 0.5,
        sigma_min: float = 0.002,
        sigma_max: float = 80.0,
        compute: Compute | None = None,
    ) -> None:
        super().__init__(network, compute)
        self.sigma_data, self.sigma_min, self.sigma_max = sigma_data, sigma_min, sigma_max

    def _input_scales(self, ratio: float) -> tuple[float, float]:
        known = min(max(ratio, self.sigma_min), self.sigma_max)
        return Preconditioning.at(ratio, self.sigma_data).into, Preconditioning.at(known, self.sigma_data).noise

    def _endpoint(self, scaled: Tensor, output: Tensor, ratio: float) -> Tensor:
        scales = Preconditioning.at(ratio, self.sigma_data)
        return (scales.skip / scales.into) * scaled + scales.out * output


class FlowDenoiser(NetworkDenoiser):
    """A velocity network of flow matching: v = noise - x_0 at x = (1 - t) x_0 + t noise, for all t in (0, 1).

    Args:
        network: called as `network(x, times * t).sample`.
        times: scale of the network's time, `num_train_timesteps` of diffusers' flow-matching schedulers.
        compute: settings of its calls; the network runs on the device that it is on.
    """

    def __init__(self, network: torch.nn.Module, times: int = 1000, compute: Compute | None = None) -> None:
        super().__init__(network, compute)
        self.times = times

    def _input_scales(self, ratio: float) -> tuple[float, float]:
        return 1.0 / (1.0 + ratio), self.times * ratio / (1.0 + ratio)

    def _endpoint(self, scaled: Tensor, output: Tensor, ratio: float) -> Tensor:
        return scaled - ratio / (1.0 + ratio) * output
