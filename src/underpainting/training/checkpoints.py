"""Checkpoints of a training: one safetensors file, complete or absent, valid only for the run that wrote it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from underpainting.io import tensor_files

log = logging.getLogger(__name__)


def write(path: str | Path, tensors: Mapping[str, Tensor], run: str) -> None:
    """Write the tensors of a run, replacing an earlier checkpoint in one step.

    Args:
        path: of the checkpoint.
        tensors: everything that the run needs to continue.
        run: digest of all that determines the run (data, configuration, code).
    """
    tensor_files.write(path, tensors, {"run": run})


def read(path: str | Path, run: str) -> dict[str, Tensor] | None:
    """Read the tensors of an interrupted run, or return None if there is no checkpoint of this run."""
    path = Path(path)
    if not path.is_file():
        return None
    try:
        tensors, about = tensor_files.read(path)
    except tensor_files.TensorFileError as error:
        log.warning("ignored: %s", error)
        return None
    if about.get("run") != run:
        log.info("%s belongs to another run and is ignored", path)
        return None
    return tensors


def flatten(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Prefix the keys of a state dict with `prefix/`."""
    return {f"{prefix}/{key}": value for key, value in state.items()}


def unflatten(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Recover the state dict that `flatten` prefixed with `prefix/`."""
    return {key.removeprefix(f"{prefix}/"): value for key, value in tensors.items() if key.startswith(f"{prefix}/")}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the per-parameter state of an optimizer (moments and step counts) as flat tensors."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"{index}/{name}": torch.as_tensor(value) for index, entry in state.items() for name, value in entry.items()
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore the state of an optimizer from `optimizer_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
