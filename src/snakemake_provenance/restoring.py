"""Correct Snakemake's records and file times, so that it decides as if every result had been made here.

A fresh output gets the record of its fact, and a time at least as new as those of its inputs. Any other output gets a
record that matches no job: Snakemake makes it again and prints why. A record of Snakemake itself is kept only if a fact
agrees, so `snakemake --touch` on a stale file changes nothing.
"""

from __future__ import annotations

import errno
import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_provenance.facts import Fact
from snakemake_provenance.freshness import Checker, FileStatus, State, candidates
from snakemake_provenance.hashes import Hashes, Stamp
from snakemake_provenance.ledger import Ledger
from snakemake_provenance.manifest import Manifest
from snakemake_provenance.records import KEPT, STALE, Records
from snakemake_provenance.settings import Settings

log = logging.getLogger(__name__)


@dataclass
class Report:
    """The result of a check: the status of each output, and the ignored lines of manifests."""

    statuses: list[FileStatus] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def counts(self) -> Counter[State]:
        """Count the outputs in each state."""
        return Counter(status.state for status in self.statuses if status.fact or status.state is not State.ABSENT)

    def __str__(self) -> str:
        return ", ".join(f"{count} {state}" for state, count in sorted(self.counts().items())) or "nothing recorded"


def check(settings: Settings, ledger: Ledger, manifest: Manifest, hashes: Hashes) -> list[FileStatus]:
    """Return the status of every output that is recorded or present, inputs before the outputs made from them."""
    checker = Checker(candidates(ledger, manifest), hashes.of, settings.local)
    paths = {*settings.outputs(), *ledger.entries, *manifest.facts}
    return checker.all(paths)


def restore(settings: Settings, ledger: Ledger, manifest: Manifest, hashes: Hashes, records: Records) -> Report:
    """Check every output, and correct its record and time; remove links to themselves, which hold nothing.

    Raises:
        FileNotFoundError: a result is a broken link, perhaps to a disk that is not mounted.
    """
    for link, error in _broken_links(Path(settings.results)):
        if error == errno.ENOENT:
            raise FileNotFoundError(error, "it is a link that leads nowhere", str(link))
        if error == errno.ELOOP:
            log.warning("removing %s, a link that leads to itself", link)
            link.unlink()
    statuses = check(settings, ledger, manifest, hashes)
    for status in statuses:
        if status.state is State.FRESH:
            _renew(status, settings, hashes)
            records.complete(status.path)
        _record(status, settings, records)
    return Report(statuses, manifest.problems)


def _broken_links(folder: Path) -> list[tuple[Path, int | None]]:
    """List links below a folder that cannot be followed, and why; Snakemake fails on them."""
    places = [Path(place, name) for place, folders, files in os.walk(folder) for name in (*folders, *files)]
    return [(place, error) for place in places if place.is_symlink() and (error := _error(place)) is not None]


def _error(path: Path) -> int | None:
    try:
        path.stat()
    except OSError as error:
        return error.errno
    return None


def _modified(path: str) -> int:
    """Return an input's modification time in ns, as Snakemake reads it: the later one of a link and its target."""
    stamp = Stamp.of(path)
    return max(stamp.modified, _own_time(path)) if stamp else 0


def _own_time(path: str) -> int:
    """Return an output's modification time in ns, as Snakemake reads it: of a link, not of its target."""
    return Path(path).lstat().st_mtime_ns


def _inputs(fact: Fact, settings: Settings) -> list[str]:
    """Return the inputs as the workflow names them here; source files are left out where none of them is here."""
    paths = sorted(settings.local(path) for path in fact.inputs)
    sources = {path for path in paths if not Path(path).is_relative_to(settings.results)}
    return [path for path in paths if path not in sources or any(Path(source).exists() for source in sources)]


def _renew(status: FileStatus, settings: Settings, hashes: Hashes) -> None:
    """Make an output as new as its newest input; the target of a link is not changed."""
    assert status.fact
    floor = max((_modified(path) for path in _inputs(status.fact, settings)), default=0)
    if _own_time(status.path) < floor:
        accessed = Path(status.path).lstat().st_atime_ns
        os.utime(status.path, ns=(accessed, floor), follow_symlinks=False)
        hashes.keep(status.path, status.fact.sha256)


def _record(status: FileStatus, settings: Settings, records: Records) -> None:
    fact, old = status.fact, records.read(status.path)
    if status.state in (State.STALE, State.UNKNOWN):
        reason = "; ".join(status.reasons)
        if not old or STALE + reason not in (old.get("params") or []):
            records.invalidate(
                status.path, reason, fact.record if fact else None, _inputs(fact, settings) if fact else None
            )
    elif fact:
        inputs = _inputs(fact, settings)
        same = old and old.get("input") == inputs and all(old.get(name) == fact.record.get(name) for name in KEPT)
        if not same:
            records.write(status.path, fact.record, inputs, _modified(status.path) / 1e9)
