"""Number of threads and package versions, on which a result depends, and the provenance stored in a result."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = (
    "underpainting",
    "torch",
    "diffusers",
    "torchdiffeq",
    "numpy",
    "scipy",
    "xarray",
    "zarr",
    "torch-fidelity",
    "scikit-learn",
)


def use_threads(threads: int) -> None:
    """Set torch's number of threads, on which the rounding of sums depends, and choose deterministic GPU kernels.

    The CPU kernels used here are deterministic for a fixed number of threads; torch's deterministic mode
    imports its compiler, which would double the startup time of every CPU job.
    """
    import torch

    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def origin(study: str, **details: Any) -> Mapping[str, Any]:
    """Return the provenance of a result: study, other values that determine it (seeds, digests), package versions."""
    return {"study": study, **details, "versions": versions()}
