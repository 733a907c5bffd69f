"""What no manifest mentions, and what the manifests mention in vain."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from snakemake_provenance import manifest as manifests
from snakemake_provenance.layout import Layout
from snakemake_provenance.ledger import Ledger
from snakemake_provenance.manifest import Manifest


def unmentioned(
    layout: Layout, manifest: Manifest, made: Collection[str], studies: Collection[str], kept: Sequence[str] = ()
) -> list[str]:
    """Files of some studies that no manifest mentions and that the workflow does not make.

    Args:
        made: what the workflow makes.
        studies: other studies' files are left alone: the workflow was not asked what it makes of them.
        kept: patterns of files that are no outputs and yet worth keeping, such as checkpoints.
    """
    strange = (path for path in layout.outputs() if path not in manifest.facts and path not in made)
    return [
        path
        for path in strange
        if layout.study(path) in studies and not any(PurePosixPath(path).match(pattern) for pattern in kept)
    ]


def obsolete(layout: Layout, manifest: Manifest, made: Collection[str], studies: Collection[str]) -> list[str]:
    """Outputs that manifests of some studies mention and that the workflow no longer makes."""
    return sorted(path for path in manifest.facts if layout.study(path) in studies and path not in made)


def remove(layout: Layout, ledger: Ledger, manifest: Manifest, paths: Sequence[str]) -> int:
    """Remove files, the folders that this empties, and what is recorded of them.

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
            if folder == Path(layout.results) or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
        manifest.facts.pop(name, None)
        ledger.entries.pop(name, None)
    for study in {layout.study(path) for path in paths}:
        kept = [fact for path, facts in manifest.facts.items() if layout.study(path) == study for fact in facts]
        if layout.manifest(study).is_file():
            manifests.write(layout.manifest(study), kept, {**manifest.code, **ledger.code})
    return freed
