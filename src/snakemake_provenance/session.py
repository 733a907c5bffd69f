"""Steps for provenance at the beginning and at the end of a run of Snakemake."""

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
    """Check all outputs before it is known whether a run follows; jobs of a killed run may still be in Slurm."""
    return begin(settings, code, alone=not leftovers.left_over(Path.cwd()))


def take_over(settings: Settings, code: Mapping[str, Mapping[str, str]] | None = None, wait: bool = True) -> Report:
    """Begin a run: exclude jobs of former runs from changing results, and check the results that they made.

    Args:
        code: as for `begin`.
        wait: whether to wait for jobs that a killed run left with Slurm; else they keep running and may add their
            results.
    """
    if wait:
        leftovers.settle(Path.cwd())
    at_work = bool(leftovers.left_over(Path.cwd()))
    if not at_work:
        locks.supersede(SNAKEMAKE)
    return begin(settings, code, alone=not at_work)


def begin(settings: Settings, code: Mapping[str, Mapping[str, str]] | None = None, alone: bool = True) -> Report:
    """Check all outputs and correct Snakemake's records; only while no other run is under way.

    Args:
        code: digests by file, by the combined digest, of the current code.
        alone: whether also no job of a killed run is running, whose job record could still follow.
    """
    records, hashes = Records(), Hashes(MEMORY)
    with ledgers.opened() as ledger:
        ledgers.gather(ledger, settings, records, hashes, alone)
        ledger.learn(code or {})
        return restore(settings, ledger, manifests.read_all(settings), hashes, records)


def look(settings: Settings) -> Report:
    """Check all outputs and change nothing."""
    ledger, manifest = Ledger(), manifests.read_all(settings)
    ledger.load()
    return Report(check(settings, ledger, manifest, Hashes(MEMORY)), manifest.problems)


def export(settings: Settings) -> list[str]:
    """Gather job records and update the manifests.

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
    """Return the facts of an output for the manifest: the one about the bytes on disk, else those already in it."""
    if status.fact and status.state in (State.FRESH, State.STALE):
        return [status.fact]
    return manifest.facts.get(status.path, [])


def _mark_exported(ledger: Ledger, statuses: Iterable[FileStatus]) -> None:
    for status in statuses:
        for entry in ledger.entries.get(status.path, []):
            entry.exported = entry.exported or entry.fact == status.fact
