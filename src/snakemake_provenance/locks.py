"""Locks that end with their process, so that a run that was killed does not block the next one.

Snakemake marks a running workflow with files in `.snakemake/locks`, which a SIGKILL leaves behind. This module also
holds an advisory lock of the operating system, which ends with the process: a process that gets the lock knows that no
run is under way, and that Snakemake's files are left over. Snakemake itself still detects two runs at once.

A job can outlive its run when only Snakemake's process is killed. So each run has a name, which its jobs read from the
environment; a run that begins alone, unless it is a dry run, replaces the name of the last one, and from then on no job
of an older run can publish a result (`newest_run`).
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from snakemake_provenance.messages import ProvenanceError

log = logging.getLogger(__name__)

RUN = "SNAKEMAKE_PROVENANCE_RUN"
"""Environment variable that holds the name of a job's run, a space, and the file that names the newest run."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_held: list[IO[str]] = []


def hold(folder: Path, when_alone: Callable[[], object] = lambda: None) -> bool:
    """Hold the shared lock until this process ends; remove Snakemake's left-over locks if no other process holds it.

    Args:
        folder: Snakemake's `.snakemake`.
        when_alone: called if this process is alone, while no other can begin.

    Returns:
        whether this process is alone; if not, Snakemake's locks remain.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "snakemake_provenance.lock").open("a")
    alone = _try_alone(file)
    if alone:
        _remove_leftovers(folder)
        when_alone()
    fcntl.flock(file, fcntl.LOCK_SH)
    _held.append(file)
    return alone


def hold_run(folder: Path) -> bool:
    """Hold the lock of a real (not dry) run until this process ends; remove Snakemake's left-over locks.

    Args:
        folder: Snakemake's `.snakemake`.

    Returns:
        whether no other run is under way; dry runs and read-only commands do not count.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "snakemake_provenance.running").open("a")
    if not _try_alone(file):
        file.close()
        return False
    _remove_leftovers(folder)
    _held.append(file)
    return True


def supersede(folder: Path) -> None:
    """Begin a run, so that no job of a former run can publish a result; only while no other run is under way.

    Args:
        folder: Snakemake's `.snakemake`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _newest(folder).open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # wait for a job that is publishing
        name = secrets.token_hex(8)
        file.truncate(0)
        file.write(name)
        file.flush()
        os.fsync(file.fileno())
    _belong(folder, name)


def join(folder: Path) -> None:
    """Join the run that is under way, or whose jobs are still running."""
    file = _newest(folder)
    _belong(folder, file.read_text(encoding="utf-8", errors="replace") if file.is_file() else "")


def _newest(folder: Path) -> Path:
    """Return the file that names the newest run."""
    return folder / "snakemake_provenance.run"


def _belong(folder: Path, name: str) -> None:
    """Make this process and its jobs part of a run."""
    os.environ[RUN] = f"{name} {_newest(folder).absolute()}" if name else ""


def _remove_leftovers(folder: Path) -> None:
    for leftover in (folder / "locks").glob("*.lock"):
        log.info("removing %s of a run that was killed", leftover)
        leftover.unlink(missing_ok=True)


class SupersededError(RuntimeError):
    """A job outlived its run, and another run has begun."""


@contextmanager
def newest_run() -> Iterator[None]:
    """Prevent another run from beginning while a job publishes a result; do nothing for a script started by hand.

    Raises:
        SupersededError: another run has begun.
    """
    name, _, file = os.environ.get(RUN, "").partition(" ")
    if not file:
        yield
        return
    try:
        newest = Path(file).open(encoding="utf-8", errors="replace")  # noqa: SIM115  closed below
    except FileNotFoundError as error:
        raise SupersededError(f"{file} is gone, so this job's run is, too; start the workflow again") from error
    with newest:
        fcntl.flock(newest, fcntl.LOCK_SH)
        if newest.read() != name:
            raise SupersededError("the run that this job belongs to was killed, and another run has begun since")
        yield


class NoLocksError(RuntimeError):
    """The file system cannot lock."""


class RunUnderWayError(ProvenanceError):
    """A run of Snakemake is under way in this folder."""


def require_alone(folder: Path) -> None:
    """Hold the lock, and raise an error while a run is under way.

    Raises:
        RunUnderWayError: another process holds the lock.
    """
    if not hold(folder):
        raise RunUnderWayError("a run is in progress in this folder: wait for its end")


def _try_alone(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise NoLocksError(
            f"{file.name}: this file system knows no locks (flock), so two runs at once could not be distinguished. Work on one "
            "that has them: a local disk, NFS 4, or Lustre and BeeGFS mounted with the option for user locks"
        ) from error
    return True


def release() -> None:
    """Release all locks of this process before it ends; for a process that runs several workflows in turn."""
    while _held:
        _held.pop().close()
