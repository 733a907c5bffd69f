"""Networks on disk: diffusers pipeline folders, safetensors only, read and written.

The scheduler's class, `_class_name` in scheduler_config.json, tells what kind of network lies beside it:

    EDM...               a preconditioned network of Karras et al. (2022); read as EDMEulerScheduler
    FlowMatch...         a velocity network of flow matching; read as FlowMatchEulerDiscreteScheduler
    any other            a network of the variance-preserving path; read as DDIMScheduler

The network is a UNet2DModel, one that was converted from the official EDM code (`official`), or a UNet2DModel that learned what
a Gaussian leaves over, and that Gaussian (`residual`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from underpainting.compute import Compute
from underpainting.denoisers import official, residual
from underpainting.denoisers.networks import DiffusersDenoiser, EdmDenoiser, FlowDenoiser, NetworkDenoiser
from underpainting.noise import training_grid

# The pipeline of diffusers whose loop samples from each; that of consistency models scales states as EDM's scheduler wants it.
_PIPELINES = {
    "DDIMScheduler": "DDIMPipeline",
    "EDMEulerScheduler": "ConsistencyModelPipeline",
    "FlowMatchEulerDiscreteScheduler": "DDPMPipeline",
}


def load_network(folder: str | Path) -> tuple[torch.nn.Module, Any]:
    """The UNet and the noise scheduler of a diffusers pipeline folder; safetensors only.

    Args:
        folder: holds `unet/` and `scheduler/`, or, as in the oldest DDPM repositories, all files side by side.

    Raises:
        FileNotFoundError: the folder, its weights in safetensors, or its configuration is missing.
    """
    from diffusers.models.unets.unet_2d import UNet2DModel

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
    schedule, kind = _load_scheduler(scheduler), _settings(unet / "config.json").get("_class_name")
    if kind == official.CLASS_NAME:
        return official.load(unet), schedule
    if kind == residual.CLASS_NAME:
        return residual.load(unet, schedule), schedule
    network = UNet2DModel.from_pretrained(unet, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False)
    return network.float(), schedule  # weights may lie there in half precision


def _settings(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _load_scheduler(folder: Path) -> Any:
    name = str(_settings(folder / "scheduler_config.json").get("_class_name", ""))
    if name.startswith("EDM"):
        from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler

        return EDMEulerScheduler.from_pretrained(folder)
    if name.startswith("FlowMatch"):
        from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

        return FlowMatchEulerDiscreteScheduler.from_pretrained(folder)
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    # every scheduler of a DDPM family shares the noise schedule; DDIM's class reads any of their configurations
    return DDIMScheduler.from_pretrained(folder)


def load_denoiser(folder: str | Path, compute: Compute | None = None) -> tuple[NetworkDenoiser, Any]:
    """A ready denoiser and the diffusers scheduler it was trained with, from a pipeline folder.

    Args:
        folder: as for `load_network`.
        compute: how the network is run; by default in float32, on CUDA where there is one.

    Raises:
        FileNotFoundError: as `load_network`.
        ValueError: CUDA is asked for but not there, or the network predicts what we do not know.
    """
    compute = compute or Compute()
    network, scheduler = load_network(folder)
    return of_kind(compute.place(network), scheduler, compute), scheduler


def of_kind(network: torch.nn.Module, scheduler: Any, compute: Compute | None = None) -> NetworkDenoiser:
    """The denoiser of a network, of the kind that its scheduler tells.

    Args:
        network: a UNet2DModel, one of the official EDM code, or one with a Gaussian.
        scheduler: a diffusers scheduler.
        compute: how the network is called.

    Raises:
        ValueError: the network predicts what we do not know.
    """
    config = scheduler.config
    if isinstance(network, official.OfficialNetwork):
        return official.OfficialDenoiser(network, config["sigma_min"], config["sigma_max"], compute)
    if type(scheduler).__name__ == "EDMEulerScheduler":
        if config["prediction_type"] != "epsilon":
            raise ValueError(
                f"an EDM network with prediction_type {config['prediction_type']!r} is not known; only 'epsilon' is, which "
                "diffusers calls the output F of Karras et al. (2022)"
            )
        return EdmDenoiser(network, config["sigma_data"], config["sigma_min"], config["sigma_max"], compute)
    if type(scheduler).__name__ == "FlowMatchEulerDiscreteScheduler":
        return FlowDenoiser(network, config["num_train_timesteps"], compute)
    return DiffusersDenoiser(network, training_grid(scheduler), config["prediction_type"], compute)


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
    """Write a network and its noise schedule as a diffusers pipeline folder.

    `diffusers.DiffusionPipeline.from_pretrained` reads it and samples: as DDIMPipeline for the variance-preserving path, as
    DDPMPipeline for flow matching, as ConsistencyModelPipeline for EDM, whose loops scale and step as each scheduler wants it.

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
    library = type(network).__module__.partition(".")[0]
    pipeline = _PIPELINES.get(type(schedule).__name__, "DDIMPipeline")
    index = {
        "_class_name": pipeline if library == "diffusers" else "DiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "scheduler": ["diffusers", type(schedule).__name__],
        "unet": [library, type(network).__name__],
    }
    write_json(index, folder / "model_index.json")


def save_schedule(schedule: Any, path: str | Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write the noise levels that the network knows, as an artifact: alpha and sigma from noise to data."""
    import xarray as xr

    from underpainting import artifacts

    grid = training_grid(schedule)
    levels = {
        "alpha": artifacts.array(grid.alpha, "step", "signal scale"),
        "sigma": artifacts.array(grid.sigma, "step", "noise scale"),
    }
    artifacts.save(xr.Dataset(levels), path, provenance)
