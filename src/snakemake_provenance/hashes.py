"""Content hashes of files, cached as long as a file is unchanged.

A file counts as unchanged if its size, modification time, status-change time and inode number are; the status-change
time cannot be set by hand. Each hash is stored in a separate small file, so that jobs on several machines can write at
once.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from snakemake_provenance import memory

_RECENT = 100_000_000  # ns; a file changed twice within the clock's resolution would look unchanged


@dataclass(frozen=True)
class Stamp:
    """The values that identify an unchanged file: size in bytes, two times in nanoseconds, inode number."""

    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, path: str | Path) -> Stamp | None:
        """Return the stamp of a file; None if there is none or the path cannot be followed (loop of links, long name)."""
        try:
            found = Path(path).stat()
        except (OSError, ValueError):
            return None
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)

    @property
    def recent(self) -> bool:
        """Whether the file changed so recently, or in the future, that another change could leave the same stamp."""
        return not 0 <= self.changed < time.time_ns() - _RECENT


def content(path: str | Path) -> str:
    """Compute the SHA-256 of a file's bytes, as hexadecimal digits, without the cache."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder except hidden ones, which are scratch, and broken links."""
    for file in folder.rglob("*"):
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts):
            yield file


class Hashes:
    """Cached hashes by path, relative to the working folder.

    Args:
        folder: holds the cache.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, tuple[Stamp, str]] = {}

    def of(self, path: str) -> str | None:
        """Return the hash of a file, or of a folder's file names and contents; None where there is neither."""
        stamp = Stamp.of(path)
        if stamp is None:
            return None
        if Path(path).is_dir():
            return self._of_folder(path)
        known = self._seen.get(path) or self._remembered(path)
        if known is None or known[0] != stamp:
            known = self._read(path, stamp)
        self._seen[path] = known
        return known[1]

    def _of_folder(self, path: str) -> str:
        known = self._listing(path)
        found: dict[str, list[Any]] = {}
        total = hashlib.sha256()
        for file in sorted(visible_files(Path(path))):
            name, stamp = file.relative_to(path).as_posix(), Stamp.of(file)
            assert stamp is not None
            old = known.get(name)
            digest = old[1] if old and old[0] == list(astuple(stamp)) else content(file)
            total.update(os.fsencode(f"{name}\n{digest}\n"))
            if not stamp.recent:
                found[name] = [list(astuple(stamp)), digest]
        if found != known:
            memory.remember(self._file(path), {"folder": path, "files": found})
        return total.hexdigest()

    def _listing(self, path: str) -> dict[str, list[Any]]:
        """Return the cached stamps and hashes of the files of a folder."""
        return dict((memory.recall(self._file(path)) or {}).get("files", {}))

    def keep(self, path: str, digest: str) -> None:
        """Store the hash of a file of which only the times have changed."""
        stamp = Stamp.of(path)
        if stamp is not None:
            self._seen[path] = (stamp, digest)
            self._remember(path, stamp, digest)

    def _file(self, path: str) -> Path:
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:40]
        return self.folder / "hashes" / name[:2] / name[2:]

    def _remembered(self, path: str) -> tuple[Stamp, str] | None:
        found = memory.recall(self._file(path)) or {}
        return (Stamp(*found["stamp"]), found["sha256"]) if "stamp" in found else None

    def _read(self, path: str, stamp: Stamp) -> tuple[Stamp, str]:
        digest = content(path)
        if Stamp.of(path) != stamp:
            raise RuntimeError(
                f"{path} changed while it was read: something else writes it; wait for that and try again"
            )
        if not stamp.recent:
            self._remember(path, stamp, digest)
        return stamp, digest

    def _remember(self, path: str, stamp: Stamp, digest: str) -> None:
        memory.remember(self._file(path), {"path": path, "stamp": astuple(stamp), "sha256": digest})
