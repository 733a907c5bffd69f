"""Files that are complete or absent at any moment, and hold nothing but what they are given.

Written under a temporary name beside the file, which is renamed at the end. The module stands alone, so that a job which
writes text or a figure need not load what reads arrays.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well, and vanishes otherwise."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield scratch
        with scratch.open("rb") as written:
            os.fsync(written.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove what jobs that were killed left of this artifact; the workflow runs one job at a time for it."""
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
