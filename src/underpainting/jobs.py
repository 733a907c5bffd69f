"""What every job of the workflow does: log to its file, testify to its outputs, use its share of the processor."""

from __future__ import annotations

import logging
import os
import platform
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from underpainting.provenance import code
from underpainting.provenance.testimony import ChangedDuringJobError, witnessed

if TYPE_CHECKING:
    from snakemake.script import Snakemake

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
PACKAGE = Path(__file__).parent
APART = ("provenance",)  # rooms of the library that no result depends on


def code_of(script: Path) -> dict[str, str]:
    """Digests of a script and of all that it reaches in the library, by file."""
    return code.parts(script, PACKAGE, APART)


@contextmanager
def job(task: Snakemake) -> Iterator[None]:
    """Run a job: its messages, warnings and traceback go to its log, written anew; it testifies to what it wrote.

    Args:
        task: what Snakemake gives to a script; `params.code` is "SCRIPT DIGEST".
    """
    with _logging(task.log[0]), witnessed(list(task.input), list(task.output), {"code": task.params.code}):
        _check_code(Path(task.scriptdir), task.params.code)
        yield


def _check_code(folder: Path, told: str) -> None:
    """Is the code still that which the workflow started with?"""
    name = told.split()[0]
    if told != f"{name} {code.combined(code_of(folder / f'{name}.py'))}":
        raise ChangedDuringJobError(
            f"{name}.py, or what it imports, changed after the workflow started; start it again"
        )


@contextmanager
def _logging(log_file: str | Path) -> Iterator[None]:
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
