"""What every job of the workflow does: log to its file, use its share of the processor, name its origin."""

from __future__ import annotations

import logging
import os
import platform
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

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


@contextmanager
def job(log_file: str | Path) -> Iterator[None]:
    """Run a job: its messages, warnings and traceback go to `log_file`, written anew."""
    Path(log_file).parent.mkdir(parents=True, exist_ok=True)
    Path(log_file).write_text("", encoding="utf-8")
    handler = logging.FileHandler(log_file, mode="a", encoding="utf-8")  # a program that the job starts may append, too
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[handler], force=True
    )
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    log.info(
        "python %s, %s", platform.python_version(), ", ".join(f"{name} {text}" for name, text in versions().items())
    )
    try:
        yield
    except BaseException as error:
        log.exception("failed: %s", error)
        raise
    finally:
        handler.flush()
    log.info("done")


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
