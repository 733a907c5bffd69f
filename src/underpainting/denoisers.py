r"""One protocol for every model of the data: `denoiser(x, alpha, sigma) -> endpoint estimate`.

The endpoint estimate x0_hat = E[x_0 | x_t] carries all that a network or a theory knows (Eq. 6); the rest is derived:

    noise prediction   eps_hat = (x - alpha x0_hat) / sigma                                   (Eq. 5)
    score              s = (alpha x0_hat - x) / sigma^2
    velocity           dx/dt = alpha' x0_hat + sigma' eps_hat                                 (Eq. 4, 75)

A network trained on the variance-preserving path serves every path: x / sqrt(alpha^2 + sigma^2) is its state, and
sigma / alpha tells its time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from underpainting import gaussian, meter
from underpainting.compute import Compute
from underpainting.eigenbasis import Eigenbasis
from underpainting.halving import HalvingBatches
from underpainting.noise import NoiseGrid, NoiseLevel, vp_level

PredictionType = Literal["epsilon", "v_prediction", "sample"]
_SNAP = 1e-4


class Denoiser(Protocol):
    """Anything that estimates x_0 from x_t."""

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        """Endpoint estimate x0_hat.

        Args:
            images: x_t = alpha x_0 + sigma noise, shape (sample, channel, height, width).
            alpha: signal scale, positive.
            sigma: noise scale, not negative.

        Returns:
            x0_hat, in the shape and dtype of `images`.
        """
        ...


def noise_prediction(images: Tensor, endpoint: Tensor, level: NoiseLevel) -> Tensor:
    """eps_hat = (x - alpha x0_hat) / sigma, zero at sigma = 0 (Eq. 6 solved for the noise)."""
    return (images - level.alpha * endpoint) / level.sigma if level.sigma else torch.zeros_like(images)


class GaussianDenoiser:
    """The exact posterior mean of Gaussian data (Eq. 49)."""

    def __init__(self, basis: Eigenbasis) -> None:
        self.basis = basis

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        return gaussian.endpoint(self.basis, images, NoiseLevel(alpha, sigma))


class TimeTable:
    """The continuous inverse of a diffusers noise schedule: from sigma / alpha to the network's time.

    diffusers interpolates sigma / alpha linearly between integer times; this is the inverse of that map, so that a
    sampler's levels come back as the very times that diffusers' own pipelines use.
    """

    def __init__(self, grid: NoiseGrid) -> None:
        self._ratio = (grid.sigma / grid.alpha)[::-1]

    def time(self, ratio: float) -> float:
        """Time in [0, T - 1] of a noise-to-signal ratio; ratios outside the schedule take its ends."""
        time = float(np.interp(ratio, self._ratio, np.arange(len(self._ratio))))
        return float(round(time)) if abs(time - round(time)) < _SNAP else time


class DiffusersDenoiser:
    """A diffusers UNet trained to predict noise (epsilon), velocity (v) or the image (sample).

    Args:
        network: called as `network(x, time).sample`, on the variance-preserving path.
        grid: its training grid, from noise to data (`noise.training_grid`).
        prediction_type: what it predicts.
        compute: how it is called; where it lies already is where it runs.

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
        if prediction_type not in ("epsilon", "v_prediction", "sample"):
            raise ValueError(f"prediction_type {prediction_type!r} is unknown; use epsilon, v_prediction or sample")
        self.network = network.eval()
        self.prediction_type = prediction_type
        self._table = TimeTable(grid)
        parameter = next(network.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype
        self._compute = compute or Compute()
        self._predictions = HalvingBatches(self._predict)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channel, height, width) of the images that the network knows."""
        config: Any = self.network.config
        return (config["in_channels"], config["sample_size"], config["sample_size"])

    @torch.inference_mode()
    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        if sigma == 0:
            return images / alpha
        ratio = sigma / alpha
        level = vp_level(ratio)
        with meter.network_call(len(images)):
            scaled = (images * (level.alpha / alpha)).to(self.device, self.dtype)
            time = torch.full((len(images),), self._table.time(ratio), device=self.device)
            output = self._predictions(scaled, time)
            return self._endpoint(scaled, output, level).to(images.device, images.dtype)

    def _predict(self, images: Tensor, times: Tensor) -> Tensor:
        with self._compute.calling(self.device):
            return self.network(images, times).sample.to(self.dtype)

    def _endpoint(self, images: Tensor, output: Tensor, level: NoiseLevel) -> Tensor:
        if self.prediction_type == "epsilon":
            return (images - level.sigma * output) / level.alpha
        if self.prediction_type == "v_prediction":
            return level.alpha * images - level.sigma * output
        return output


class CountingDenoiser:
    """Counts what a sampler really asks of a denoiser.

    Attributes:
        calls: number of calls, the NFE of one image.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        self._denoiser = denoiser
        self.calls = 0

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        self.calls += 1
        return self._denoiser(images, alpha, sigma)


def load_network(folder: str | Path) -> tuple[torch.nn.Module, Any]:
    """The UNet and the noise scheduler of a diffusers pipeline folder; safetensors only.

    Args:
        folder: holds `unet/` and `scheduler/`, or, as in the oldest DDPM repositories, all files side by side.

    Raises:
        FileNotFoundError: the folder, its weights in safetensors, or its configuration is missing.
    """
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    folder = Path(folder)
    unet = folder / "unet" if (folder / "unet").is_dir() else folder
    scheduler = folder / "scheduler" if (folder / "scheduler").is_dir() else folder
    for file in (unet / "config.json", scheduler / "scheduler_config.json"):
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing: {folder} is not a diffusers pipeline folder")
    if not (unet / "diffusion_pytorch_model.safetensors").is_file():
        raise FileNotFoundError(
            f"{unet / 'diffusion_pytorch_model.safetensors'} is missing: only safetensors are read, never a pickle; "
            "convert the weights first (see docs/weights.md)"
        )
    network = UNet2DModel.from_pretrained(unet, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False)
    network = network.float()  # weights may lie there in half precision
    # every scheduler of a DDPM family shares the noise schedule; DDIM's class reads any of their configurations
    return network, DDIMScheduler.from_pretrained(scheduler)


def load_denoiser(folder: str | Path, compute: Compute | None = None) -> tuple[DiffusersDenoiser, Any]:
    """A ready denoiser and the diffusers scheduler it was trained with, from a pipeline folder.

    Args:
        folder: as for `load_network`.
        compute: how the network is run; by default in float32, on CUDA where there is one.

    Raises:
        FileNotFoundError: as `load_network`.
        ValueError: CUDA is asked for but not there.
    """
    from underpainting.noise import training_grid

    compute = compute or Compute()
    network, scheduler = load_network(folder)
    prediction = scheduler.config["prediction_type"]
    return DiffusersDenoiser(compute.place(network), training_grid(scheduler), prediction, compute), scheduler


def cached(repository: str, revision: str) -> Path | None:
    """The folder of a pinned commit in the Hub's local cache, if it is there."""
    from huggingface_hub import try_to_load_from_cache

    for name in ("unet/config.json", "config.json"):
        found = try_to_load_from_cache(repository, name, revision=revision)
        if isinstance(found, str):
            return Path(found.removesuffix(name))
    return None


def fetch(repository: str, revision: str) -> Path:
    """Snapshot of a Hub repository at a pinned commit, from the local cache or the network; no pickles.

    Raises:
        FileNotFoundError: the repository or the commit cannot be had.
    """
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*/*.json", "*/*.safetensors"]
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the Hub client raises many kinds; all mean that the network cannot be had
        raise FileNotFoundError(
            f"denoiser.repository: {repository} at {revision} cannot be had from the Hub ({type(error).__name__}: {error}); "
            "check the name, the commit and the network, or use source: path"
        ) from error


def require_images(network: Any, channels: int, size: int) -> None:
    """Refuse a network for other images than the study's.

    Raises:
        ValueError: number of channels or size differ.
    """
    config = network.config
    if config["in_channels"] != channels or config["sample_size"] not in (None, size):
        raise ValueError(
            f"the network takes {config['in_channels']} x {config['sample_size']} x {config['sample_size']} images, "
            f"the study has {channels} x {size} x {size}: correct dataset.channels and dataset.image_size in the study file"
        )


def save_pipeline(network: Any, schedule: Any, folder: str | Path) -> None:
    """Write a network and its noise schedule so that `diffusers.DDIMPipeline.from_pretrained` reads them.

    Every file is complete or absent, and the index comes last: a folder without it is incomplete.
    """
    import diffusers

    from underpainting.writing import write_json

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pipeline-", dir=folder) as scratch:
        network.save_pretrained(Path(scratch) / "unet", safe_serialization=True)
        schedule.save_pretrained(Path(scratch) / "scheduler")
        for file in sorted(Path(scratch).rglob("*.*")):
            target = folder / file.relative_to(scratch)
            target.parent.mkdir(exist_ok=True)
            file.replace(target)
    index = {
        "_class_name": "DDIMPipeline",
        "_diffusers_version": diffusers.__version__,
        "scheduler": ["diffusers", type(schedule).__name__],
        "unet": ["diffusers", type(network).__name__],
    }
    write_json(index, folder / "model_index.json")


def save_schedule(schedule: Any, path: str | Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write the noise levels that the network knows, as an artifact: alpha and sigma from noise to data."""
    import xarray as xr

    from underpainting import artifacts
    from underpainting.noise import training_grid

    grid = training_grid(schedule)
    levels = {
        "alpha": artifacts.array(grid.alpha, "step", "signal scale"),
        "sigma": artifacts.array(grid.sigma, "step", "noise scale"),
    }
    artifacts.save(xr.Dataset(levels), path, provenance)
