"""What every job of the workflow does: log to its file, record what it uses, and record its inputs and outputs."""

from __future__ import annotations

import logging
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake_provenance import code, locks, packages
from snakemake_provenance.job_records import ChangedDuringJobError, recording
from snakemake_provenance.layout import PARSED
from underpainting.io import writing
from underpainting_workflow.origins import versions
from underpainting_workflow.usage.recorder import recorded

if TYPE_CHECKING:
    from snakemake.script import Snakemake

log = logging.getLogger(__name__)

PACKAGES = tuple(Path(__file__).parents[1] / name for name in ("underpainting", "underpainting_workflow"))
APART = ("underpainting.meter", *(f"underpainting_workflow.{name}" for name in ("jobs", "cli", "usage")))
"""Modules that no result depends on."""


def modules_of(name: str) -> tuple[str, ...]:
    """The module that a job's code names beside its script, as in `draw_figure:drawing.score`."""
    module = name.partition(":")[2]
    return (f"{PACKAGES[1].name}.{module}",) if module else ()


def code_of(folder: Path, name: str) -> dict[str, str]:
    """Digests of a script and of all that it reaches in the library, by file.

    Args:
        folder: of the scripts.
        name: SCRIPT, or SCRIPT:MODULE where the script imports a module of this package by its name.
    """
    return code.parts(folder / f"{name.partition(':')[0]}.py", PACKAGES, APART, modules_of(name))


def packages_of(folder: Path, name: str) -> dict[str, str]:
    """Versions of the packages that a job's results can depend on; arguments as of `code_of`."""
    script = folder / f"{name.partition(':')[0]}.py"
    return packages.versions(code.imported(script, PACKAGES, APART, modules_of(name)))


@contextmanager
def job(task: Snakemake) -> Iterator[None]:
    """Run a job: its messages, warnings and traceback go to a new log, and what it read and wrote is recorded.

    Beside the log it records what it uses (`usage.record`).

    Args:
        task: what Snakemake gives to a script; `params.code` is "SCRIPT DIGEST".
    """
    writing.guard_with(locks.newest_run)
    provenance = recording(list(task.input), list(task.output), {"code": task.params.code})
    with recorded(task), _logging(task.log[0]), provenance:
        _check_code(Path(task.scriptdir), task.params.code)
        yield


def _check_code(folder: Path, started_with: str) -> None:
    """Is the code still that which the workflow started with?"""
    name = started_with.split()[0]
    code.recall(PARSED)
    if started_with != f"{name} {code.combined(code_of(folder, name))}":
        raise ChangedDuringJobError(f"{name}, or what it imports, changed after the workflow started; start it again")


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
