"""Facts: that a file with given bytes was made by a job with a given record, from inputs with given bytes.

Facts do not contradict each other: two facts about the same file are two ways in which it was made, and both are true,
so two lists of facts are merged by their union. As text a fact is one line of JSON that ends in a checksum of the rest,
so that an edit by hand is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snakemake_provenance.memory import check
from snakemake_provenance.messages import shortened


class NotAFactError(ValueError):
    """A line that is not a fact, or that was edited."""


@dataclass(frozen=True)
class Fact:
    """How a file came to be.

    Args:
        path: the output.
        sha256: digest of its bytes.
        size: number of bytes.
        made: circumstances: `at` (UTC), `seconds`, `python`, `system`, `code` (combined digest of the code files).
        inputs: the hash of each input, by portable path.
        record: Snakemake's record of the job, without its inputs and times, with portable paths.
    """

    path: str
    sha256: str
    size: int
    made: Mapping[str, Any]
    inputs: Mapping[str, str]
    record: Mapping[str, Any]

    def line(self) -> str:
        """Return the fact as one line of text, without a line feed."""
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
        """Read the fact of a line.

        Raises:
            NotAFactError: the line is not a fact, or was edited.
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
        """Return whether all values have the right types."""
        texts = isinstance(self.path, str) and isinstance(self.sha256, str) and isinstance(self.size, int)
        mappings = all(isinstance(part, dict) for part in (self.made, self.inputs, self.record))
        return (
            texts
            and mappings
            and all(isinstance(digest, str) and "\0" not in path for path, digest in self.inputs.items())
            and all(isinstance(value, str | int | float) for value in self.made.values())
            and all(isinstance(self.record.get(name, []), list) for name in ("params", "log"))
        )
