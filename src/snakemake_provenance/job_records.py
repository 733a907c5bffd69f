"""Job records: the bytes that a job read and the bytes that it wrote.

Written by the job itself when it is done, since only then are its inputs certain. Snakemake's record holds the rest;
`ledger.gather` joins both.
"""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snakemake_provenance import memory as memories
from snakemake_provenance import packages
from snakemake_provenance.hashes import Hashes, Stamp
from snakemake_provenance.messages import ProvenanceError
from snakemake_provenance.settings import MEMORY

FOLDER = "job_records"


class ChangedDuringJobError(ProvenanceError):
    """An input, the code or a package changed while a job ran, so the origin of its outputs is unknown."""


@dataclass(frozen=True)
class JobRecord:
    """The record of a job about one of its outputs."""

    path: str
    sha256: str
    size: int
    inputs: Mapping[str, str]
    made: Mapping[str, Any]


def file_of(path: str, memory: Path = MEMORY) -> Path:
    """Return the file in which a job records an output."""
    return memory / FOLDER / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:40]}.json"


def check_packages(name: str, started_with: Mapping[str, str]) -> None:
    """Check that packages still have the versions with which the workflow started; reads their metadata on disk.

    Args:
        name: of the code that uses them, for the message.
        started_with: versions by name, from `packages.versions`.

    Raises:
        ChangedDuringJobError: a version has changed.
    """
    if changed := packages.changed(started_with):
        raise ChangedDuringJobError(f"{name}: {'; '.join(changed)} as when the workflow started; start it again")


@contextmanager
def recording(
    inputs: Sequence[str], outputs: Sequence[str], made: Mapping[str, Any], memory: Path = MEMORY
) -> Iterator[None]:
    """Run a job and, if it succeeds, record each of its outputs.

    Args:
        inputs, outputs: paths, as Snakemake names them.
        made: further circumstances; see `Fact.made`.

    Raises:
        ChangedDuringJobError: an input changed meanwhile.
    """
    hashes = Hashes(memory)
    before = {path: hashes.of(path) for path in dict.fromkeys(inputs)}
    began = time.monotonic()
    yield
    for path, digest in before.items():
        if hashes.of(path) != digest:
            raise ChangedDuringJobError(f"{path} changed while this job ran; start the workflow again")
    how = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **made,
    }
    for path in outputs:
        stamp, digest = Stamp.of(path), hashes.of(path)
        if stamp is not None and digest is not None:
            hashes.keep(path, digest)
            known = {name: value for name, value in before.items() if value}
            record = JobRecord(path, digest, stamp.size, known, how)
            memories.remember(file_of(path, memory), asdict(record))


def pending(memory: Path = MEMORY) -> Iterator[tuple[Path, JobRecord]]:
    """Yield every job record that has not been gathered, with its file; skip damaged ones."""
    for file in sorted((memory / FOLDER).glob("*.json")):
        try:
            record = JobRecord(**(memories.recall(file) or {}))
        except TypeError:
            continue
        yield file, record
