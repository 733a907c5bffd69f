"""What else a result depends on, and what it says of that: threads, and the versions of packages."""

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
    """Give torch a fixed number of threads, since sums in another order round otherwise, and deterministic GPU kernels.

    The CPU kernels used here are deterministic for a fixed number of threads; asking torch for determinism
    imports its compiler, which would double the start of every CPU job.
    """
    import torch

    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def origin(study: str, **details: Any) -> Mapping[str, Any]:
    """Provenance of a result: study, whatever else determines it (seeds, digests), package versions."""
    return {"study": study, **details, "versions": versions()}
