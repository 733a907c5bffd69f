"""What a run of Snakemake does for provenance, at its beginning and at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from snakemake_provenance import ledger as ledgers
from snakemake_provenance import leftovers, locks
from snakemake_provenance import manifest as manifests
from snakemake_provenance.facts import Fact
from snakemake_provenance.freshness import FileStatus, State
from snakemake_provenance.hashes import Hashes
from snakemake_provenance.ledger import Ledger
from snakemake_provenance.manifest import Manifest
from snakemake_provenance.records import Records
from snakemake_provenance.restoring import Report, check, restore
from snakemake_provenance.settings import MEMORY, SNAKEMAKE, Settings


def look_first(settings: Settings, code: Mapping[str, Mapping[str, str]] | None = None) -> Report:
    """Check everything before it is known whether a run follows; jobs of a killed run may still be at work with Slurm."""
    return begin(settings, code, alone=not leftovers.left_over(Path.cwd()))


def take_over(settings: Settings, code: Mapping[str, Mapping[str, str]] | None = None, wait: bool = True) -> Report:
    """Begin to change results: from now on no job of a former run can, and what they have made is checked.

    Args:
        code: as for `begin`.
        wait: for jobs that a killed run has left with Slurm, whose results count; else they stay at work and may add theirs.
    """
    if wait:
        leftovers.settle(Path.cwd())
    at_work = bool(leftovers.left_over(Path.cwd()))
    if not at_work:
        locks.supersede(SNAKEMAKE)
    return begin(settings, code, alone=not at_work)


def begin(settings: Settings, code: Mapping[str, Mapping[str, str]] | None = None, alone: bool = True) -> Report:
    """Check everything and set Snakemake's records right. Only while no other run is under way.

    Args:
        code: digests by file, by the digest of all, of the code as it is now.
        alone: no job of a killed run is at work either, whose job record could still follow.
    """
    records, hashes = Records(), Hashes(MEMORY)
    with ledgers.opened() as ledger:
        ledgers.gather(ledger, settings, records, hashes, alone)
        ledger.learn(code or {})
        return restore(settings, ledger, manifests.read_all(settings), hashes, records)


def look(settings: Settings) -> Report:
    """Check everything and change nothing."""
    ledger, manifest = Ledger(), manifests.read_all(settings)
    ledger.load()
    return Report(check(settings, ledger, manifest, Hashes(MEMORY)), manifest.problems)


def export(settings: Settings) -> list[str]:
    """Gather what jobs recorded and bring the manifests up to date.

    Returns:
        the manifests that changed.
    """
    hashes = Hashes(MEMORY)
    with ledgers.opened() as ledger:
        ledgers.gather(ledger, settings, Records(), hashes, alone=False)
        manifest = manifests.read_all(settings)
        statuses = {status.path: status for status in check(settings, ledger, manifest, hashes)}
        code = {**manifest.code, **ledger.code}
        outputs = [path for path in {*statuses, *manifest.facts} if settings.is_output(path)]
        changed = []
        for section in sorted({settings.section(path) for path in outputs}):
            paths = [path for path in outputs if path in statuses and settings.section(path) == section]
            facts = [fact for path in paths for fact in _current(statuses[path], manifest)]
            file = settings.manifest(section)
            if (facts or file.is_file()) and manifests.write(file, facts, code):
                changed.append(file.as_posix())
        _mark_exported(ledger, statuses.values())
    return changed


def _current(status: FileStatus, manifest: Manifest) -> list[Fact]:
    """The facts of an output that belong into the manifest: the one of the bytes on disk, else those that are there."""
    if status.fact and status.state in (State.FRESH, State.STALE):
        return [status.fact]
    return manifest.facts.get(status.path, [])


def _mark_exported(ledger: Ledger, statuses: Iterable[FileStatus]) -> None:
    for status in statuses:
        for entry in ledger.entries.get(status.path, []):
            entry.exported = entry.exported or entry.fact == status.fact
