"""A lock that dies with its process, so that a run killed outright does not bar the next one.

Snakemake marks a running workflow with files in `.snakemake/locks`, which a SIGKILL leaves behind. Beside them we hold an
advisory lock of the operating system, which no kill can leave behind: who gets it knows that nobody runs, and that
Snakemake's files are left over. Two runs at once are still told apart by Snakemake itself.
"""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path
from typing import IO, Any

log = logging.getLogger(__name__)

_held: list[IO[str]] = []


def hold(folder: Path) -> bool:
    """Hold the lock, shared, for the life of this process; remove Snakemake's left-over locks if nobody else holds it.

    Args:
        folder: Snakemake's `.snakemake`.

    Returns:
        whether this process is alone; if not, Snakemake's own locks stand.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "underpainting.lock").open("a")
    alone = _try_alone(file)
    if alone:
        for leftover in (folder / "locks").glob("*.lock"):
            log.info("removing %s of a run that was killed", leftover)
            leftover.unlink(missing_ok=True)
    fcntl.flock(file, fcntl.LOCK_SH)
    _held.append(file)
    return alone


def _try_alone(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def rerun_incomplete(workflow: Any) -> None:
    """Let Snakemake run jobs anew that were killed, instead of asking for `--rerun-incomplete`.

    Safe where every output is written under a temporary name and renamed. Left alone where jobs run elsewhere: a
    cluster's job may still be alive, and Snakemake then takes it up again.

    Args:
        workflow: Snakemake's, while it reads the Snakefile; its settings come later, so this waits for them.
    """
    prepare = workflow._prepare_dag

    def prepare_with_setting(*args: Any, **kwargs: Any) -> Any:
        if workflow.local_exec is not False:
            workflow.dag_settings.force_incomplete = True
        return prepare(*args, **kwargs)

    workflow._prepare_dag = prepare_with_setting
