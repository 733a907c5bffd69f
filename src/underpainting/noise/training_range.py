"""Reads the noisiest and the least noisy level of a network's training, without importing torch where it can."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from underpainting.io.errors import MissingFileError, Problem, problems_of
from underpainting.io.network_config import component_folder, read_config
from underpainting.noise import families
from underpainting.noise.schedules import least_ratio, schedule_of

_FILE = "scheduler_config.json"
_POWERS = {"linear": 1.0, "scaled_linear": 0.5}
"""Power of beta that is linear in time, by diffusers' `beta_schedule`."""


def training_range(folder: str | Path) -> tuple[float, float]:
    """Read sigma / alpha of the noisiest and of the least noisy level that a network was trained on.

    Args:
        folder: of a diffusers pipeline, or of its scheduler.

    Returns:
        sigma_max and sigma_min; the latter is above 0.

    Raises:
        InputError: the folder has no scheduler, or one whose noise path is unknown.
    """
    file = component_folder(Path(folder), "scheduler") / _FILE
    if not file.is_file():
        raise MissingFileError(Problem(f"there is no {file}", "give a folder that save_pretrained of a pipeline wrote"))
    with problems_of(file):
        return _range(read_config(file))


def _range(config: Mapping[str, Any]) -> tuple[float, float]:
    family = families.family_of_config(config)
    linear = family == "variance preserving" and config.get("beta_schedule") in _POWERS
    if linear and config.get("trained_betas") is None:
        return _of_betas(config)
    schedule = schedule_of(config)
    return schedule.level(1.0).ratio, least_ratio(schedule)


def _of_betas(config: Mapping[str, Any]) -> tuple[float, float]:
    """Compute the range from beta, some power of which is linear in time; diffusers' table of it needs torch."""
    power = _POWERS[config["beta_schedule"]]
    first, last = (float(config[key]) ** power for key in ("beta_start", "beta_end"))
    kept = np.cumprod(1 - np.linspace(first, last, config["num_train_timesteps"]) ** (1 / power))
    if not (kept > 0).all():
        raise families.UnknownPathError(families.ZERO_TERMINAL_SNR)
    return float(np.sqrt(1 / kept[-1] - 1)), float(np.sqrt(1 / kept[0] - 1))
