"""The manifest of a section of the results: a fact per output, in git, so that others can check what they pull.

One line per fact, sorted by path. Git takes the union of the lines of two branches (`.gitattributes`: merge=union),
which is correct, since facts do not contradict each other: the bytes on disk decide which one holds. Lines `{"code":
DIGEST, "files": {...}}` give the file digests behind a combined digest of code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_provenance.facts import Fact, NotAFactError
from snakemake_provenance.messages import shortened, shown
from snakemake_provenance.settings import Settings
from snakemake_provenance.writing import write_atomically

_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


@dataclass
class Manifest:
    """The content of a manifest.

    Args:
        facts: lists of facts, by output.
        code: digests by file, by the combined digest.
        problems: ignored lines, and why.
    """

    facts: dict[str, list[Fact]] = field(default_factory=dict)
    code: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Add one line; lines that git writes around a conflict are ignored, those between them are read."""
        if not line.strip() or line.startswith(_CONFLICT):
            return
        try:
            if line.startswith('{"code"'):
                content = json.loads(line)
                self.code[str(content["code"])] = {str(name): str(digest) for name, digest in content["files"].items()}
                return
            fact = Fact.read(line)
        except NotAFactError as error:
            self.problems.append(str(error))
            return
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.problems.append(f"not the files of a code: {shortened(line, 80)}")
            return
        known = self.facts.setdefault(fact.path, [])
        if fact not in known:
            known.append(fact)

    def unite(self, other: Manifest) -> None:
        """Add the content of another manifest."""
        for path, facts in other.facts.items():
            known = self.facts.setdefault(path, [])
            known.extend(fact for fact in facts if fact not in known)
        self.code.update(other.code)
        self.problems.extend(other.problems)


def read(file: Path) -> Manifest:
    """Read a manifest; return an empty one where there is no file."""
    found = Manifest()
    if file.is_file():
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            found.add(line)
        found.problems = [f"{file}: {problem}" for problem in found.problems]
    return found


def read_all(settings: Settings) -> Manifest:
    """Read all manifests of a project as one; facts about files that are not outputs are ignored."""
    united = Manifest()
    for file in sorted(Path(settings.manifests).glob("*.jsonl")):
        found = read(file)
        for path in [path for path in found.facts if not settings.owns(path)]:
            del found.facts[path]
            found.problems.append(f"{file}: {shown(path)} is not below {settings.results}")
        united.unite(found)
    return united


def write(file: Path, facts: Iterable[Fact], code: Mapping[str, Mapping[str, str]]) -> bool:
    """Write a manifest if its content changes.

    Args:
        facts: sorted by path when written.
        code: file digests, by combined digest; those that no fact names are left out.

    Returns:
        whether it changed.
    """
    facts = sorted(facts, key=lambda fact: (fact.path, fact.sha256))
    named = sorted({str(fact.made["code"]) for fact in facts if fact.made.get("code") in code})
    lines = [json.dumps({"code": name, "files": dict(sorted(code[name].items()))}) for name in named]
    text = "".join(f"{line}\n" for line in [*lines, *(fact.line() for fact in facts)])
    if file.is_file() and file.read_bytes() == text.encode():
        return False
    write_atomically(file, text)
    return True
