"""Finds and imports third-party code that a network needs, such as NVlabs' EDM code.

A network's artifact names the code by its digest alone, so that it is the same on every machine. The folders that the
user's study files name are passed to jobs through the environment; code that came with results is never run.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "UNDERPAINTING_EDM_CODE"
PACKAGES = ("dnnlib", "torch_utils", "training")


def announce(folders: Iterable[str]) -> None:
    """Add a folder of code to those that this process, and the processes that it starts, search."""
    known = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    if new := dict.fromkeys([*folders, *known]):
        os.environ[VARIABLE] = os.pathsep.join(new)


def files(folder: str | Path) -> list[Path]:
    """Return the Python files of the packages that are used, sorted."""
    return sorted(file for package in PACKAGES for file in (Path(folder) / package).rglob("*.py"))


def digest(folder: str | Path) -> str:
    """Compute the SHA-256 of the code's file names and bytes, in hexadecimal."""
    total = hashlib.sha256()
    for file in files(folder):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()} {content}\n".encode())
    return total.hexdigest()


def find(expected: str) -> Path:
    """Find the announced folder whose code has a digest.

    Raises:
        FileNotFoundError: no announced folder has it.
    """
    folders = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    for folder in folders:
        if digest(folder) == expected:
            return Path(folder)
    raise FileNotFoundError(
        f"the network was converted with code of the digest {expected[:16]}, which is in none of the folders "
        f"{', '.join(folders) or '(none given)'}: let denoiser.code in the study file, or the variable {VARIABLE}, name that "
        "code, or convert the network again"
    )


@contextmanager
def importable(folder: str | Path) -> Iterator[None]:
    """Make the packages of a folder importable within the context, in place of any others of their names."""

    def ours() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] in PACKAGES]

    before = {name: sys.modules.pop(name) for name in ours()}
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in ours():
            del sys.modules[name]
        sys.modules.update(before)
