"""Check which results are fresh: those whose bytes a fact records, made from the bytes that the inputs hold now.

Whether parameters and code are still the same is not checked here: Snakemake compares them with the fact's record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from snakemake_provenance.facts import Fact
from snakemake_provenance.ledger import Ledger
from snakemake_provenance.manifest import Manifest


class State(StrEnum):
    """The state of an output, by its bytes and its facts."""

    FRESH = "fresh"
    STALE = "stale"
    UNKNOWN = "not recorded"
    ABSENT = "absent"


@dataclass(frozen=True)
class FileStatus:
    """The state of an output, the fact about it, and its problems."""

    path: str
    state: State
    fact: Fact | None = None
    reasons: tuple[str, ...] = ()


def candidates(ledger: Ledger, manifest: Manifest) -> Callable[[str], list[Fact]]:
    """Return a function that lists an output's facts: unshared ones, then the manifest's, then former checkouts'."""

    def find(path: str) -> list[Fact]:
        return [
            *ledger.newest_first(path, exported=False),
            *manifest.facts.get(path, []),
            *ledger.newest_first(path, exported=True),
        ]

    return find


def latest(ledger: Ledger, manifest: Manifest) -> Callable[[str], list[Fact]]:
    """Return a function that lists an output's current facts; those of former checkouts only without others."""

    def find(path: str) -> list[Fact]:
        now = [*ledger.newest_first(path, exported=False), *manifest.facts.get(path, [])]
        return now or ledger.newest_first(path, exported=True)[:1]

    return find


class Checker:
    """Checks outputs against facts.

    Args:
        facts: returns the candidate facts of an output, the preferred first.
        hash_of: returns the hash of a local file; None where there is no file.
        local: converts a portable path to a path on this machine.
    """

    def __init__(
        self, facts: Callable[[str], Sequence[Fact]], hash_of: Callable[[str], str | None], local: Callable[[str], str]
    ) -> None:
        self._facts, self._hash_of, self._local = facts, hash_of, local
        self._statuses: dict[str, FileStatus] = {}
        self._open: set[str] = set()

    def all(self, paths: Iterable[str]) -> list[FileStatus]:
        """Return the status of outputs and of everything they were made from, inputs first."""
        for path in sorted(paths):
            self.status(path)
        return list(self._statuses.values())

    def status(self, path: str) -> FileStatus:
        """Return the status of one output."""
        if path in self._open:
            return FileStatus(path, State.STALE, None, ("it is recorded as made from itself",))
        if path not in self._statuses:
            self._open.add(path)
            found = self._check(path)
            self._open.remove(path)
            self._statuses[path] = found
        return self._statuses[path]

    def _check(self, path: str) -> FileStatus:
        have = self._hash_of(path)
        known = [fact for fact in self._facts(path) if have in (None, fact.sha256)]
        if not known:
            state = State.ABSENT if have is None else State.UNKNOWN
            return FileStatus(
                path, state, None, () if have is None else ("no job is known to have written these bytes",)
            )
        present = State.ABSENT if have is None else State.FRESH
        wrong = [self._wrong(fact) for fact in known]
        best = next((index for index, reasons in enumerate(wrong) if not reasons), 0)
        return FileStatus(path, State.STALE if wrong[best] else present, known[best], tuple(wrong[best]))

    def _wrong(self, fact: Fact) -> list[str]:
        """List the inputs whose bytes are not those that an output was made from."""
        found = []
        for portable, digest in fact.inputs.items():
            path = self._local(portable)
            have = self._hash_of(path)
            status = self.status(path) if self._facts(path) else None
            if have is not None:
                found += [f"{path} is not what it was made from"] if have != digest else []
            elif status and status.state is State.STALE:
                found.append(f"{path} (absent) would be made again")
            elif status and status.fact and status.fact.sha256 != digest:
                found.append(f"{path} (absent) is recorded with other bytes than it was made from")
        return found
