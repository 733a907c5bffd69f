"""Compare the bytes of files with the recorded hashes, without the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from snakemake_provenance.facts import Fact
from snakemake_provenance.hashes import content


@dataclass(frozen=True)
class Finding:
    """A file whose bytes are not as recorded."""

    path: str
    problem: str


def verify(paths: Iterable[str], facts: Callable[[str], Sequence[Fact]]) -> list[Finding]:
    """List the files whose bytes no fact records.

    Args:
        paths: existing outputs.
        facts: returns the current facts of an output.
    """
    found = []
    for path in paths:
        known = facts(path)
        if not known:
            found.append(Finding(path, "not recorded"))
        elif content(path) not in {fact.sha256 for fact in known}:
            found.append(Finding(path, f"altered since {known[0].made.get('at')}"))
    return found
