"""Find and remove files that no manifest mentions, and outputs that the workflow no longer makes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from snakemake_provenance import manifest as manifests
from snakemake_provenance.ledger import Ledger
from snakemake_provenance.manifest import Manifest
from snakemake_provenance.settings import Settings


def unmentioned(settings: Settings, manifest: Manifest, made: Collection[str], sections: Collection[str]) -> list[str]:
    """List files of some sections that no manifest mentions and that the workflow does not make.

    Args:
        made: outputs of the workflow.
        sections: planned ones; files of other sections are kept, since their outputs were not planned.
    """
    unknown = (path for path in settings.outputs() if path not in manifest.facts and path not in made)
    return [
        path
        for path in unknown
        if settings.section(path) in sections
        and not any(PurePosixPath(path).match(pattern) for pattern in settings.kept)
    ]


def obsolete(settings: Settings, manifest: Manifest, made: Collection[str], sections: Collection[str]) -> list[str]:
    """List outputs that manifests of some sections mention and that the workflow no longer makes."""
    return sorted(path for path in manifest.facts if settings.section(path) in sections and path not in made)


def remove(settings: Settings, ledger: Ledger, manifest: Manifest, paths: Sequence[str]) -> int:
    """Remove files, the folders that this empties, and their records.

    Returns:
        bytes freed.
    """
    freed = 0
    for name in paths:
        path = Path(name)
        if path.is_file():
            freed += path.stat().st_size
            path.unlink()
        for folder in path.parents:
            if folder == Path(settings.results) or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
        manifest.facts.pop(name, None)
        ledger.entries.pop(name, None)
    for section in {settings.section(path) for path in paths}:
        kept = [fact for path, facts in manifest.facts.items() if settings.section(path) == section for fact in facts]
        if settings.manifest(section).is_file():
            manifests.write(settings.manifest(section), kept, {**manifest.code, **ledger.code})
    return freed
