"""Read the recorded results of one version of a project: a commit, or the working folder of a clone."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from snakemake_provenance.facts import Fact
from snakemake_provenance.hashes import Hashes, content
from snakemake_provenance.ledger import Ledger
from snakemake_provenance.manifest import Manifest
from snakemake_provenance.messages import ProvenanceError
from snakemake_provenance.settings import MEMORY, Settings
from snakemake_provenance.tools import ToolFailedError, dvc, git, git_succeeds


class NoVersionError(ProvenanceError):
    """Neither a commit nor the folder of a clone, or nothing is recorded there."""


@dataclass(frozen=True)
class Version:
    """The results of one version.

    Args:
        name: as the user gave it.
        facts: one per result, by path; of several, the one about the bytes there, or else the newest.
        code: digests by file, by the combined digest.
        folder: of the clone; None for a commit.
    """

    name: str
    facts: Mapping[str, Fact]
    code: Mapping[str, Mapping[str, str]]
    folder: Path | None = None

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a result; None where neither the clone, DVC's cache nor its remote has them."""
        for folder in (self.folder, Path()):
            file = folder / path if folder else None
            if file and file.is_file() and content(file) == self.facts[path].sha256:
                return file.read_bytes()
        return self._fetch(path) if self.folder is None else None

    def _fetch(self, path: str) -> bytes | None:
        """Return the bytes of a result of a commit from DVC."""
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / PurePosixPath(path).name
            try:
                dvc("get", "--quiet", "--rev", self.name, ".", path, "--out", str(target))
            except ToolFailedError:
                return None
            return target.read_bytes() if content(target) == self.facts[path].sha256 else None


def version(name: str, settings: Settings) -> Version:
    """Read a version.

    Args:
        name: a commit, or the folder of a clone.
        settings: of the project in the working folder; those of the other version are taken to be the same.

    Raises:
        NoVersionError: it is neither, or nothing is recorded there.
    """
    if any(Path(name, file).is_file() for file in ("Snakefile", "workflow/Snakefile")):
        found = _of_clone(name, settings)
    elif git_succeeds("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"):
        found = _of_commit(name, settings)
    else:
        raise NoVersionError(f"{name}: neither a commit of this project nor the folder of a clone")
    if not found.facts:
        hint = f"run the workflow there, or commit {settings.manifests} (`{settings.command} push` does)"
        raise NoVersionError(f"{name}: no result is recorded: {hint}")
    return found


def _of_commit(name: str, settings: Settings) -> Version:
    manifest = Manifest()
    listing = git("ls-tree", "-r", "--name-only", "-z", name, "--", settings.manifests)
    for file in filter(None, listing.split("\0")):
        for line in git("show", f"{name}:{file}").splitlines():
            manifest.add(line)
    return Version(name, {path: _newest(facts) for path, facts in manifest.facts.items()}, manifest.code)


def _of_clone(name: str, settings: Settings) -> Version:
    folder, manifest = Path(name), Manifest()
    for file in sorted((folder / settings.manifests).glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            manifest.add(line)
    ledger = Ledger(folder / MEMORY)
    ledger.load()
    for path, entries in ledger.entries.items():
        known = manifest.facts.setdefault(path, [])
        known.extend(entry.fact for entry in entries if entry.fact not in known)
    hashes, facts = Hashes(folder / MEMORY), dict[str, Fact]()
    for path, candidates in manifest.facts.items():
        digest = hashes.of(path) if folder == Path() else _digest(folder / path)
        here = [fact for fact in candidates if fact.sha256 == digest]
        if here or digest is None:
            facts[path] = _newest(here or candidates)
    return Version(name, facts, {**ledger.code, **manifest.code}, folder)


def _digest(file: Path) -> str | None:
    return content(file) if file.is_file() else None


def _newest(facts: list[Fact]) -> Fact:
    return max(facts, key=lambda fact: (str(fact.made.get("at")), fact.sha256))


def numbers(data: bytes) -> dict[str, float]:
    """Return the numbers of a JSON document by the path of keys that leads to them, joined by dots; none of others."""
    try:
        return dict(_leaves(json.loads(data), ""))
    except (ValueError, RecursionError):
        return {}


def _leaves(value: Any, place: str) -> list[tuple[str, float]]:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return []
    if isinstance(value, int | float):
        return [(place, value)]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [leaf for key, inner in items for leaf in _leaves(inner, f"{place}.{key}" if place else str(key))]
