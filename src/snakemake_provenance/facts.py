"""A fact: that a file with these bytes was made by a job with this record, from inputs with those bytes.

Facts do not contradict each other. Two of the same file are two ways in which it was made, and both are true; so to
merge two lists of facts is to unite them. As text a fact is one line of JSON, which ends in a check over the rest, so
that an edit by hand is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snakemake_provenance.memory import check
from snakemake_provenance.messages import shortened


class NotAFactError(ValueError):
    """A line that is none, or that was edited."""


@dataclass(frozen=True)
class Fact:
    """How a file came to be.

    Args:
        path: the output.
        sha256: of its bytes.
        size: bytes.
        made: when and with what: `at` (UTC), `seconds`, `python`, `system`, `code` (digests by file, as a digest of them).
        inputs: the hash of each input, by portable path.
        record: what Snakemake recorded of the job, without its inputs and times, paths made portable.
    """

    path: str
    sha256: str
    size: int
    made: Mapping[str, Any]
    inputs: Mapping[str, str]
    record: Mapping[str, Any]

    def line(self) -> str:
        """The fact as one line of text, without a line feed."""
        content = {
            "path": self.path,
            "sha256": self.sha256,
            "size": self.size,
            "made": dict(self.made),
            "inputs": dict(sorted(self.inputs.items())),
            "record": dict(sorted(self.record.items())),
        }
        return json.dumps({**content, "check": check(content)}, ensure_ascii=False)

    @classmethod
    def read(cls, line: str) -> Fact:
        """The fact of a line.

        Raises:
            NotAFactError: the line is none, or was edited.
        """
        try:
            content = json.loads(line)
            given = content.pop("check")
            fact = cls(**content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise NotAFactError(f"not a fact: {shortened(line, 80)}") from error
        if given != check(content) or not fact._is_plain():
            raise NotAFactError(f"edited by hand: {shortened(str(fact.path))}")
        return fact

    def _is_plain(self) -> bool:
        """Are all values of the kind that they should be?"""
        texts = isinstance(self.path, str) and isinstance(self.sha256, str) and isinstance(self.size, int)
        mappings = all(isinstance(part, dict) for part in (self.made, self.inputs, self.record))
        return (
            texts
            and mappings
            and all(isinstance(digest, str) and "\0" not in path for path, digest in self.inputs.items())
            and all(isinstance(value, str | int | float) for value in self.made.values())
            and all(isinstance(self.record.get(name, []), list) for name in ("params", "log"))
        )
