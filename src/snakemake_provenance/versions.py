"""Read the recorded results of one version of a project: a commit, or the working folder of a clone."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Any

from snakemake_provenance import manifest as manifests
from snakemake_provenance.facts import Fact
from snakemake_provenance.freshness import candidates
from snakemake_provenance.hashes import Hashes, content
from snakemake_provenance.ledger import Ledger
from snakemake_provenance.manifest import Manifest
from snakemake_provenance.messages import ProvenanceError
from snakemake_provenance.settings import MEMORY, Settings
from snakemake_provenance.tools import ToolFailedError, dvc, git, git_succeeds

_RESOLVE = ("rev-parse", "--verify", "--quiet", "--end-of-options")


class NoVersionError(ProvenanceError):
    """Neither a commit nor the folder of a clone, or nothing is recorded there."""


@dataclass(frozen=True)
class Version:
    """The results of one version.

    Args:
        name: as the user gave it.
        facts: one per result, by path; of several, the one about the bytes there, or else the newest.
        code: digests by file, by the combined digest.
        folder: of the clone; the working folder for a commit.
        commit: its digest; None for a clone.
        unrecorded: results that are there with bytes that no fact is about.
        problems: lines of manifests that are ignored, and why.
    """

    name: str
    facts: Mapping[str, Fact]
    code: Mapping[str, Mapping[str, str]]
    folder: Path = Path()
    commit: str | None = None
    unrecorded: Sequence[str] = ()
    problems: Sequence[str] = ()

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a result; None where neither the folders, DVC's cache nor its remote gave them."""
        for folder in (self.folder, Path()):
            file = folder / path
            if file.is_file() and content(file) == self.facts[path].sha256:
                return file.read_bytes()
        return self._fetch(path)

    def _fetch(self, path: str) -> bytes | None:
        """Return the bytes of a result from DVC."""
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / PurePosixPath(path).name
            which = ["--rev", self.commit] if self.commit else []
            try:
                dvc("get", "--quiet", *which, str(self.folder), path, "--out", str(target))
            except ToolFailedError:
                return None
            return target.read_bytes() if content(target) == self.facts[path].sha256 else None


def version(name: str, settings: Settings) -> Version:
    """Read a version.

    Args:
        name: the folder of a clone, or a commit.
        settings: of the project in the working folder; those of the other version are taken to be the same.

    Raises:
        NoVersionError: it is neither, or nothing is recorded there.
    """
    if any(Path(name, file).is_file() for file in ("Snakefile", "workflow/Snakefile")):
        found = _of_clone(name, settings)
    elif git_succeeds(*_RESOLVE, f"{name}^{{commit}}"):
        found = _of_commit(name, settings)
    else:
        raise NoVersionError(f"{name}: neither a commit of this project nor the folder of a clone")
    if not found.facts:
        hint = f"run the workflow there, or commit {settings.manifests} (`{settings.command} push` does)"
        raise NoVersionError(f"{name}: no result is recorded: {hint}")
    return found


def _of_commit(name: str, settings: Settings) -> Version:
    manifest, commit = Manifest(), git(*_RESOLVE, f"{name}^{{commit}}").split()[-1]
    listing = git("ls-tree", "-r", "--name-only", "-z", commit, "--", settings.manifests)
    for file in filter(None, listing.split("\0")):
        for line in git("show", f"{commit}:./{file}").splitlines():
            manifest.add(line)
    facts = {path: _newest(known) for path, known in manifest.facts.items() if settings.is_output(path)}
    return Version(name, facts, manifest.code, commit=commit, problems=manifest.problems)


def _of_clone(name: str, settings: Settings) -> Version:
    folder, manifest = Path(name), Manifest()
    for file in sorted((folder / settings.manifests).glob("*.jsonl")):
        manifest.unite(manifests.read(file))
    ledger = Ledger(folder / MEMORY)
    ledger.load()
    of_bytes = candidates(ledger, manifest)
    hashes, facts, unrecorded = Hashes(folder / MEMORY), dict[str, Fact](), []
    for path in sorted(filter(settings.is_output, {*manifest.facts, *ledger.entries})):
        digest = hashes.of(path) if folder == Path() else _digest(folder / path)
        if digest is None:
            known = [*ledger.newest_first(path, exported=False), *manifest.facts.get(path, [])]
        else:
            known = [fact for fact in of_bytes(path) if fact.sha256 == digest]
        if known:
            facts[path] = _newest(known)
        elif digest is not None:
            unrecorded.append(path)
    code = {**ledger.code, **manifest.code}
    return Version(name, facts, code, folder, unrecorded=unrecorded, problems=manifest.problems)


def _digest(file: Path) -> str | None:
    return content(file) if file.is_file() else None


def _newest(facts: Sequence[Fact]) -> Fact:
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
        return [(place, value)] if isfinite(value) else []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [leaf for key, inner in items for leaf in _leaves(inner, f"{place}.{key}" if place else str(key))]
