"""Files that are complete or absent, after a power cut, too, and that are only written by a job whose run is the newest.

Written under a temporary name beside the file, synced to disk, and renamed at the end. The module stands alone, so that a job
which writes text or a figure need not load what reads arrays.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RUN = "UNDERPAINTING_RUN"
"""Variable of the environment: the name of the run that a job belongs to, a space, and the file that names the newest run."""

_NO_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # file systems that sync no folder


class SupersededError(RuntimeError):
    """A job outlived its run, and another run has begun, which this job's result does not belong to."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well, and vanishes otherwise.

    Raises:
        SupersededError: the job's run is no longer the newest.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield scratch
        publish(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def publish(scratch: Path, path: Path) -> None:
    """Give a finished file its name, if the job's run is the newest; the one place where results get theirs.

    Raises:
        SupersededError: it is not.
    """
    _sync(scratch)
    with _newest_run():
        scratch.replace(path)
    _sync(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Write a small file that is no result, whichever run this is: a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_text(text, encoding="utf-8")
        _sync(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    _sync(path.parent)


@contextmanager
def _newest_run() -> Iterator[None]:
    """Keeps another run from beginning (`provenance.locks.supersede`); without a run, as by hand, there is nothing to keep.

    Raises:
        SupersededError: another one has begun.
    """
    name, _, file = os.environ.get(RUN, "").partition(" ")
    if not file:
        yield
        return
    import fcntl

    try:
        newest = Path(file).open(encoding="utf-8", errors="replace")  # noqa: SIM115  closed below
    except FileNotFoundError as error:
        raise SupersededError(f"{file} is gone, so this job's run is, too; start the workflow again") from error
    with newest:
        fcntl.flock(newest, fcntl.LOCK_SH)
        if newest.read() != name:
            raise SupersededError("the run that this job belongs to was killed, and another run has begun since")
        yield


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in _NO_FOLDERS or not path.is_dir():
            raise
    finally:
        os.close(opened)


def remove_leftovers(path: Path) -> None:
    """Remove what jobs that were killed left of this artifact; a run has one job at a time for it.

    Raises:
        SupersededError: the job's run is no longer the newest; what lies there may be another job's at work.
    """
    with _newest_run():
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            if f".{os.getpid()}." in leftover.name:
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def write_text(text: str, path: str | Path) -> None:
    """Write a text file, complete or not at all."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(content: Any, path: str | Path) -> None:
    """Write JSON with sorted keys, complete or not at all.

    Raises:
        ValueError: the content holds NaN or infinity, which JSON does not know.
    """
    write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n", path)
