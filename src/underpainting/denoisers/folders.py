"""Reads and writes networks as diffusers pipeline folders, in safetensors only.

The scheduler's class, `_class_name` in scheduler_config.json, determines the kind of the network beside it
(`families`):

    EDM                    a preconditioned network of Karras et al. (2022); read as EDMEulerScheduler
    flow matching          a velocity network; read as FlowMatchEulerDiscreteScheduler
    variance preserving    read as DDIMScheduler, with the table of the scheduler's class

The network is a UNet2DModel (`unets`), one converted from the official EDM code (`edm_code`), or a UNet2DModel that
learned the residual of a Gaussian, together with that Gaussian (`residual`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from underpainting.denoisers import edm_code, residual, unets
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.networks import DiffusersDenoiser, EdmDenoiser, FlowDenoiser, NetworkDenoiser
from underpainting.io.errors import InputError, MissingFileError, Problem
from underpainting.io.messages import describe_error
from underpainting.io.network_config import component_folder, image_size, read_config
from underpainting.noise import families
from underpainting.noise.levels import training_grid

SCHEDULE = "scheduler_config.json"
_READ_AS = {"EDM": "EDMEulerScheduler", "flow matching": "FlowMatchEulerDiscreteScheduler"}
# The diffusers pipeline that samples from each family; that of consistency models scales states as EDM's scheduler requires.
_PIPELINES = {
    "DDIMScheduler": "DDIMPipeline",
    "EDMEulerScheduler": "ConsistencyModelPipeline",
    "FlowMatchEulerDiscreteScheduler": "DDPMPipeline",
}


def load_network(folder: str | Path) -> tuple[torch.nn.Module, Any]:
    """Load the network and the noise scheduler of a diffusers pipeline folder; safetensors only.

    Args:
        folder: holds `unet/` and `scheduler/`, or, as in the oldest DDPM repositories, all files side by side.

    Raises:
        FileNotFoundError: the folder, its weights in safetensors, or its configuration is missing.
        ValueError: network or scheduler are of an unknown kind, or the weights are not those of the network.
    """
    folder = Path(folder)
    unet, scheduler = component_folder(folder, "unet"), component_folder(folder, "scheduler")
    for file in (unet / "config.json", scheduler / SCHEDULE):
        if not file.is_file():
            problem = f"{file} is missing: {folder} is not a diffusers pipeline folder"
            raise MissingFileError(Problem(problem, "give a folder that save_pretrained of a pipeline wrote"))
    _require_pixel_space(folder)
    schedule, kind = load_schedule(scheduler), read_config(unet / "config.json").get("_class_name")
    if kind == edm_code.CLASS_NAME:
        return edm_code.load(unet), schedule
    if kind == residual.CLASS_NAME:
        return residual.load(unet, schedule), schedule
    return unets.load(unet, read_config(scheduler / SCHEDULE)), schedule


def _require_pixel_space(folder: Path) -> None:
    """Check that a pipeline has no component but network, scheduler and basis, such as a VAE or a text encoder.

    Raises:
        ValueError: it has one.
    """
    index = folder / "model_index.json"
    parts = read_config(index) if index.is_file() else {}
    known = ("unet", "scheduler", "basis")
    if more := [
        name for name, part in parts.items() if not name.startswith("_") and name not in known and _is_component(part)
    ]:
        problem = f"{index} names {', '.join(more[:3])[:200]} beside the network"
        raise InputError(Problem(problem, "use a network of pixels alone"))


def _is_component(entry: Any) -> bool:
    return isinstance(entry, list) and any(entry)


def load_schedule(folder: Path) -> Any:
    """Load the noise schedule of a network, as the scheduler that the library uses for its family.

    Args:
        folder: holds `scheduler_config.json`.

    Raises:
        ValueError: its noise path is unknown, or its levels are no noise path.
    """
    config = read_config(file := folder / SCHEDULE)
    try:
        family = families.family_of_config(config)
        schedule = (
            _vp_schedule(config)
            if family == "variance preserving"
            else _diffusers_class(_READ_AS[family]).from_config(config)
        )
        _require_levels(schedule, config)
    except families.UnknownPathError as error:
        raise InputError(*(Problem(f"{file}: {found.problem}", found.remedy) for found in error.problems)) from error
    except Exception as error:  # diffusers raises many kinds; all mean that the settings make no schedule
        raise InputError(
            Problem(f"{file} makes no noise schedule ({describe_error(error)})", "repair that file")
        ) from error
    return schedule


def _require_levels(schedule: Any, config: Mapping[str, Any]) -> None:
    """Check that noise levels run from noise to data, and are as many as the configuration says."""
    if config.get("predict_epsilon") is False:
        problem = Problem("predict_epsilon: false is out of use", "write prediction_type: sample")
        raise families.UnknownPathError(problem)
    for key in ("sigma_min", "sigma_max", "sigma_data"):
        value = schedule.config.get(key, 1.0)
        if families.family_of(type(schedule).__name__) == "EDM" and not (isinstance(value, float | int) and value > 0):
            problem = Problem(f"{key}: {str(value)[:200]} is no level of noise", "give a number above 0")
            raise families.UnknownPathError(problem)
    grid, times = training_grid(schedule), config.get("num_train_timesteps", 1000)
    if config.get("trained_betas") is not None and len(schedule.alphas_cumprod) != times:
        text = f"trained_betas are {len(schedule.alphas_cumprod)} numbers for num_train_timesteps: {times}"
        raise families.UnknownPathError(Problem(text, "correct one of them"))
    if not (np.diff(grid.angle) < 0).all():
        problem = Problem("its levels of noise do not fall from time to time", "repair that file")
        raise families.UnknownPathError(problem)


def _vp_schedule(config: Mapping[str, Any]) -> Any:
    """Build a DDIMScheduler with the exact table that the configured class makes of the same settings."""
    name = "DDIMScheduler" if config["_class_name"] == families.RELATIVE else config["_class_name"]
    schedule = own = _diffusers_class(name).from_config(dict(config))
    if name != "DDIMScheduler":
        schedule = _with_table_of(own, config)
    if float(schedule.alphas_cumprod.min()) <= 0:
        raise families.UnknownPathError(families.ZERO_TERMINAL_SNR)
    return schedule


def _with_table_of(own: Any, config: Mapping[str, Any]) -> Any:
    ddim = _diffusers_class("DDIMScheduler")
    try:
        schedule = ddim.from_config(dict(config))
    except NotImplementedError:  # a beta schedule that only the other class supports
        schedule = None
    if schedule is None or not torch.equal(schedule.alphas_cumprod, own.alphas_cumprod):
        betas = {"trained_betas": own.betas.tolist(), "beta_schedule": "linear", "num_train_timesteps": len(own.betas)}
        schedule = ddim.from_config({**config, **betas})
    if not torch.equal(schedule.alphas_cumprod, own.alphas_cumprod):
        problem = f"the table of {type(own).__name__} is not made of its betas"
        raise families.UnknownPathError(Problem(problem, "use a network with another scheduler"))
    return schedule


def _diffusers_class(name: str) -> Any:
    import diffusers

    return getattr(diffusers, name)


def load_denoiser(folder: str | Path, compute: Compute | None = None) -> tuple[NetworkDenoiser, Any]:
    """Load a denoiser and the diffusers scheduler that it was trained with from a pipeline folder.

    Args:
        folder: as for `load_network`.
        compute: settings of the network's calls; by default float32, on CUDA if available.

    Raises:
        FileNotFoundError: as `load_network`.
        ValueError: CUDA is requested but not available, or the network's prediction type is unknown.
    """
    compute = compute or Compute()
    network, scheduler = load_network(folder)
    return make_denoiser(compute.place(network), scheduler, compute), scheduler


def make_denoiser(network: torch.nn.Module, scheduler: Any, compute: Compute | None = None) -> NetworkDenoiser:
    """Make the denoiser of a network, of the kind that its scheduler determines.

    Args:
        network: a UNet2DModel, one of the official EDM code, or one with a Gaussian.
        scheduler: a diffusers scheduler.
        compute: settings of the network's calls.

    Raises:
        ValueError: the network's prediction type is unknown.
    """
    config = scheduler.config
    if isinstance(network, edm_code.OfficialNetwork):
        return edm_code.OfficialDenoiser(network, config["sigma_min"], config["sigma_max"], compute)
    family = families.family_of(type(scheduler).__name__)
    if family == "EDM":
        if config["prediction_type"] != "epsilon":
            problem = f"an EDM network with prediction_type {config['prediction_type']!r} is not known"
            remedy = "only 'epsilon' is, which diffusers calls the output F of Karras et al. (2022)"
            raise InputError(Problem(problem, remedy))
        return EdmDenoiser(network, config["sigma_data"], config["sigma_min"], config["sigma_max"], compute)
    if family == "flow matching":
        return FlowDenoiser(network, config["num_train_timesteps"], compute)
    return DiffusersDenoiser(network, training_grid(scheduler), config["prediction_type"], compute)


def require_images(network: Any, channels: int, size: int) -> None:
    """Check that a network is for images of the study's size and channels.

    Raises:
        ValueError: number of channels or size differ.
    """
    config = network.config
    if config["in_channels"] != channels or image_size(config) not in (None, size):
        raise ValueError(
            f"the network takes {config['in_channels']} x {config['sample_size']} x {config['sample_size']} images, "
            f"the study has {channels} x {size} x {size}: correct dataset.channels and dataset.image_size in the study file"
        )


def save_pipeline(network: Any, schedule: Any, folder: str | Path) -> None:
    """Write a network and its noise schedule as a diffusers pipeline folder.

    `diffusers.DiffusionPipeline.from_pretrained` reads it and samples: as DDIMPipeline for the variance-preserving
    path, as DDPMPipeline for flow matching, as ConsistencyModelPipeline for EDM, whose loops scale and step as each
    scheduler requires.

    Every file is complete or absent, and the index comes last: a folder without it is incomplete.

    Raises:
        TensorFileError: the network holds numbers that are not finite.
    """
    import diffusers

    from underpainting.io.tensor_files import require_finite
    from underpainting.io.writing import publish, remove_leftovers, write_json

    folder = Path(folder)
    require_finite(network.state_dict(), folder)
    index_file = folder / "model_index.json"
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(index_file)
    with tempfile.TemporaryDirectory(prefix=f".{index_file.name}.{os.getpid()}.", suffix=".tmp", dir=folder) as scratch:
        network.save_pretrained(Path(scratch) / "unet", safe_serialization=True)
        schedule.save_pretrained(Path(scratch) / "scheduler")
        for file in sorted(Path(scratch).rglob("*.*")):
            target = folder / file.relative_to(scratch)
            target.parent.mkdir(exist_ok=True)
            publish(file, target)
    library = type(network).__module__.partition(".")[0]
    pipeline = _PIPELINES.get(type(schedule).__name__, "DDIMPipeline")
    index = {
        "_class_name": pipeline if library == "diffusers" else "DiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "scheduler": ["diffusers", type(schedule).__name__],
        "unet": [library, type(network).__name__],
    }
    write_json(index, index_file)


def save_schedule(schedule: Any, path: str | Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write the noise levels that the network was trained on as an artifact: alpha and sigma from noise to data."""
    import xarray as xr

    from underpainting.io import artifacts

    grid = training_grid(schedule)
    levels = {
        "alpha": artifacts.array(grid.alpha, "step", "signal scale"),
        "sigma": artifacts.array(grid.sigma, "step", "noise scale"),
    }
    artifacts.save(xr.Dataset(levels), path, provenance)
