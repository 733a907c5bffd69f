"""Writes files atomically: complete or absent, even after a power failure.

A file is written under a temporary name beside its final one, synced to disk, and renamed at the end. The module
imports nothing else of the package, so that a job which writes text or a figure need not load the readers of arrays.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

_NO_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # file systems that sync no folder


_guard: Callable[[], AbstractContextManager[None]] = nullcontext


def guard_with(guard: Callable[[], AbstractContextManager[None]]) -> None:
    """Set a context in which files are renamed and removed; it may raise to refuse a result of this process."""
    global _guard
    _guard = guard


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to it if the block succeeds and removed otherwise."""
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
    """Sync a finished file to disk and rename it, within the guard; all results are named here."""
    _sync(scratch)
    with _guard():
        scratch.replace(path)
    _sync(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file atomically, without the guard; a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_text(text, encoding="utf-8")
        _sync(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    _sync(path.parent)


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
    """Remove the temporary files that killed jobs left beside a file, within the guard."""
    with _guard():
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            if f".{os.getpid()}." in leftover.name:
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def write_text(text: str, path: str | Path) -> None:
    """Write a text file atomically."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(content: Any, path: str | Path) -> None:
    """Write JSON atomically, with sorted keys.

    Raises:
        ValueError: the content holds NaN or infinity, which JSON cannot represent.
    """
    write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n", path)
