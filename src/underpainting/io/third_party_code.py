"""Code of others that a network needs, such as NVlabs' code of EDM: where it lies on this machine, and its import.

A network's artifact knows the code by its digest alone, so that it is the same on every machine. The folders that the user's
study files name are told to jobs through the environment; code that came with results is never run.
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
    """Tell this process, and those that it starts, where code lies."""
    known = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    if new := dict.fromkeys([*folders, *known]):
        os.environ[VARIABLE] = os.pathsep.join(new)


def files(folder: str | Path) -> list[Path]:
    """The Python files of the packages that are used, sorted."""
    return sorted(file for package in PACKAGES for file in (Path(folder) / package).rglob("*.py"))


def digest(folder: str | Path) -> str:
    """Of the code's names and bytes; 64 hexadecimal digits."""
    total = hashlib.sha256()
    for file in files(folder):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()} {content}\n".encode())
    return total.hexdigest()


def find(wanted: str) -> Path:
    """The folder whose code has a digest, among those that were announced.

    Raises:
        FileNotFoundError: there is none.
    """
    folders = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    for folder in folders:
        if digest(folder) == wanted:
            return Path(folder)
    raise FileNotFoundError(
        f"the network was converted with code of the digest {wanted[:16]}, which is in none of the folders "
        f"{', '.join(folders) or '(none given)'}: let denoiser.code in the study file, or the variable {VARIABLE}, name that "
        "code, or convert the network again"
    )


@contextmanager
def importable(folder: str | Path) -> Iterator[None]:
    """The packages of a folder can be imported within, and no others of their names; afterwards all is as before."""

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
