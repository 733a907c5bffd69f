"""The ledger of a working folder: every fact that jobs here recorded, newest last.

The manifests hold the shared facts; the ledger also keeps facts that a checkout removed from them, and facts of a run
that was killed before it could export. It is a cache: without it, outputs that no manifest mentions are made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from snakemake_provenance import job_records
from snakemake_provenance import memory as memories
from snakemake_provenance.facts import Fact, NotAFactError
from snakemake_provenance.hashes import Hashes, Stamp
from snakemake_provenance.job_records import JobRecord
from snakemake_provenance.records import KEPT, Records
from snakemake_provenance.settings import MEMORY, Settings, is_inside
from snakemake_provenance.writing import write_atomically

KEEP = 8  # facts per output
_SAME_TIME = 1e-3  # seconds; Snakemake keeps times as floats


@dataclass
class Entry:
    """A fact, and whether a manifest holds it."""

    fact: Fact
    exported: bool = False


class Ledger:
    """Facts by output.

    Args:
        memory: folder of the ledger's file.
    """

    def __init__(self, memory: Path = MEMORY) -> None:
        self.file = memory / "ledger.jsonl"
        self.code_file = memory / "code.json"
        self.entries: dict[str, list[Entry]] = {}
        self.code: dict[str, dict[str, str]] = {}
        self.gathered: list[Path] = []

    def load(self) -> None:
        """Read the file; damaged lines are ignored."""
        self.entries, self.code = {}, memories.recall(self.code_file) or {}
        try:
            lines = self.file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        for line in lines:
            try:
                content = json.loads(line)
                fact = Fact.read(content["fact"])
                if is_inside(fact.path):
                    self.add(fact, bool(content["exported"]))
            except (NotAFactError, ValueError, KeyError, TypeError, RecursionError):
                continue

    def add(self, fact: Fact, exported: bool = False) -> None:
        """Add a fact as the newest of its output."""
        known = [entry for entry in self.entries.get(fact.path, []) if entry.fact != fact]
        self.entries[fact.path] = [*known, Entry(fact, exported)][-KEEP:]

    def learn(self, code: Mapping[str, Mapping[str, str]]) -> None:
        """Add the file digests behind combined digests of code; drop those of digests that no fact names any more."""
        named = {entry.fact.made.get("code") for entries in self.entries.values() for entry in entries}
        self.code = {name: files for name, files in self.code.items() if name in named}
        self.code.update({name: dict(files) for name, files in code.items()})

    def save(self) -> None:
        """Write the file, then remove the job records that it was gathered from."""
        lines = (
            json.dumps({"exported": entry.exported, "fact": entry.fact.line()})
            for path in sorted(self.entries)
            for entry in self.entries[path]
        )
        write_atomically(self.file, "".join(f"{line}\n" for line in lines))
        memories.remember(self.code_file, self.code)
        while self.gathered:
            self.gathered.pop().unlink(missing_ok=True)

    def newest_first(self, path: str, exported: bool) -> list[Fact]:
        """Return the facts of an output that a manifest holds (`exported`) or does not hold, the newest first."""
        return [entry.fact for entry in reversed(self.entries.get(path, [])) if entry.exported == exported]


@contextmanager
def opened(memory: Path = MEMORY) -> Iterator[Ledger]:
    """Load the ledger, and save it at the end of the block; one process at a time."""
    memory.mkdir(parents=True, exist_ok=True)
    with FileLock(memory / "ledger.lock"):
        ledger = Ledger(memory)
        ledger.load()
        try:
            yield ledger
        finally:
            ledger.save()


def gather(ledger: Ledger, settings: Settings, records: Records, hashes: Hashes, alone: bool) -> int:
    """Turn job records that agree with Snakemake's records into facts.

    Args:
        alone: no run is under way, so a job record without Snakemake's will never get one and is dropped.

    Returns:
        number of new facts.
    """
    count = 0
    for file, said in job_records.pending():
        same = hashes.of(said.path) == said.sha256
        fact = _fact(said, records.read(said.path), settings) if same else None
        if fact:
            ledger.add(fact)
            count += 1
        if fact or alone:
            ledger.gathered.append(file)
    return count


def _fact(said: JobRecord, record: dict[str, Any] | None, settings: Settings) -> Fact | None:
    """Join both records to a fact; None unless they are of the same job, by its output's time and its inputs."""
    stamp = Stamp.of(said.path)
    if not record or not stamp or abs(float(record.get("endtime") or 0) - stamp.modified / 1e9) > _SAME_TIME:
        return None
    if set(said.inputs) != set(record.get("input") or []):
        return None
    inputs = {settings.portable(path): digest for path, digest in said.inputs.items()}
    kept = {name: record.get(name) for name in KEPT if record.get(name) is not None}
    return Fact(said.path, said.sha256, said.size, said.made, inputs, kept)
