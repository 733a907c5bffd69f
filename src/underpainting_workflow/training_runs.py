"""Names of trainings, so that a checkpoint continues the very training that wrote it, and the artifact of their losses."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from underpainting.io import artifacts
from underpainting_workflow.origins import versions
from underpainting_workflow.runner import Job


def run_digest(job: Job, device: torch.device) -> str:
    """Return a digest of everything that determines a training, so that no other training's checkpoint is used."""
    data = {name: artifacts.digest(file) for name, files in job.inputs.items() for file in files}
    parts: dict[str, Any] = {"data": data, "config": job.config, "code": job.code, "threads": job.threads}
    parts |= {"device": str(device), "versions": versions()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def loss_curve(losses: NDArray[np.float32]) -> xr.Dataset:
    """Make the dataset of the loss of every step of a training."""
    return xr.Dataset({"loss": artifacts.array(losses, "step", "training loss: mean squared error per value")})
