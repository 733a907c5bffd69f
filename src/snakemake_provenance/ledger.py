"""What this working folder knows of its outputs: every fact that jobs here recorded, newest last.

The manifests hold the facts that are shared; the ledger remembers those that a checkout took out of them, and those of
a run that was killed before it could export. It is memory, not truth: without it, outputs that no manifest mentions are
made again.
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
    """A fact, and whether a manifest has it."""

    fact: Fact
    exported: bool = False


class Ledger:
    """Facts by output.

    Args:
        memory: folder of the file.
    """

    def __init__(self, memory: Path = MEMORY) -> None:
        self.file = memory / "ledger.jsonl"
        self.code_file = memory / "code.json"
        self.entries: dict[str, list[Entry]] = {}
        self.code: dict[str, dict[str, str]] = {}
        self.gathered: list[Path] = []

    def load(self) -> None:
        """Read what is kept; a line that is damaged counts for nothing."""
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
        """Take in a fact as the newest of its output."""
        known = [entry for entry in self.entries.get(fact.path, []) if entry.fact != fact]
        self.entries[fact.path] = [*known, Entry(fact, exported)][-KEEP:]

    def learn(self, code: Mapping[str, Mapping[str, str]]) -> None:
        """Take in which files stand behind digests of code; forget those behind digests that no fact names any more."""
        named = {entry.fact.made.get("code") for entries in self.entries.values() for entry in entries}
        self.code = {name: files for name, files in self.code.items() if name in named}
        self.code.update({name: dict(files) for name, files in code.items()})

    def save(self) -> None:
        """Write what is kept; then what it was gathered from can go."""
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
        """Facts of an output that are in a manifest, or that are not."""
        return [entry.fact for entry in reversed(self.entries.get(path, [])) if entry.exported == exported]


@contextmanager
def opened(memory: Path = MEMORY) -> Iterator[Ledger]:
    """The ledger, read, to be saved at the end; one process at a time."""
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
        alone: nobody runs; so a job record without Snakemake's will not get one, and is dropped.

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
    """What both records say together; nothing unless they are of the same job: its output's time, its inputs."""
    stamp = Stamp.of(said.path)
    if not record or not stamp or abs(float(record.get("endtime") or 0) - stamp.modified / 1e9) > _SAME_TIME:
        return None
    if set(said.inputs) != set(record.get("input") or []):
        return None
    inputs = {settings.portable(path): digest for path, digest in said.inputs.items()}
    kept = {name: record.get(name) for name in KEPT if record.get(name) is not None}
    return Fact(said.path, said.sha256, said.size, said.made, inputs, kept)
