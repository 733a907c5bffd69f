"""Compare the results of two versions of a project: which differ, the causes, and the numbers that changed.

A result that differs was made by another rule, code or parameter, with another package, from other data, or from a
result that differs. The last leads back to the results with a cause of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field

from snakemake_provenance.differences import Code, Difference, Kind, differences
from snakemake_provenance.facts import Fact
from snakemake_provenance.messages import ProvenanceError
from snakemake_provenance.settings import Settings
from snakemake_provenance.versions import Version, numbers

SHOWN = 5  # causes, and results with the same causes, that are listed
SOFTWARE = ("conda_env", "container_img_url", "software_stack_hash")


@dataclass(frozen=True)
class Change:
    """A result that differs.

    Args:
        path: of the result.
        causes: its own differences; none if only the results that it was made from differ.
        sources: those of its inputs that are results and differ.
        roots: results with causes of their own from which the difference comes; itself among them if it has one.
    """

    path: str
    causes: tuple[Difference, ...]
    sources: tuple[str, ...]
    roots: tuple[str, ...]


@dataclass(frozen=True)
class MetricChange:
    """A number of a metrics file: its values in both versions, None where the version does not have it."""

    path: str
    name: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Comparison:
    """What differs between two versions.

    Args:
        changes: results that both have, with different bytes, by path; with those that they come from.
        differing: number of results with different bytes that were asked for.
        removed, added: results that only the first or only the second version has.
        same: number of results with equal bytes.
        metrics: numbers that differ.
        unread: metrics files that differ and whose bytes are not there.
        unrecorded: results that a clone has with bytes that no fact is about.
    """

    changes: Mapping[str, Change] = field(default_factory=dict)
    differing: int = 0
    removed: Sequence[str] = ()
    added: Sequence[str] = ()
    same: int = 0
    metrics: Sequence[MetricChange] = ()
    unread: Sequence[str] = ()
    unrecorded: Sequence[str] = ()


class UnknownSectionError(ProvenanceError):
    """A section of which neither version has a result."""


def compare(before: Version, after: Version, settings: Settings, sections: Sequence[str] = ()) -> Comparison:
    """Compare two versions.

    Args:
        sections: of the results that are reported; all if none is named.

    Raises:
        UnknownSectionError: neither version has results of a section.
    """
    known = {settings.section(path) for path in (*before.facts, *after.facts)}
    if unknown := sorted(set(sections) - known):
        raise UnknownSectionError(f"no results of {', '.join(unknown)}; there are {', '.join(sorted(known))}")

    def reported(path: str) -> bool:
        return not sections or settings.section(path) in sections

    both = before.facts.keys() & after.facts.keys()
    changes = _changes(before, after, sorted(path for path in both if _differs(path, before, after)))
    asked = list(filter(reported, changes))
    shown = {*asked, *(root for path in asked for root in changes[path].roots)}
    moved, unread = _metrics(before, after, [path for path in asked if settings.is_metrics(path)])
    unrecorded = {*before.unrecorded, *after.unrecorded}
    return Comparison(
        {path: change for path, change in changes.items() if path in shown},
        len(asked),
        sorted(path for path in before.facts.keys() - both if reported(path) and path not in unrecorded),
        sorted(path for path in after.facts.keys() - both if reported(path) and path not in unrecorded),
        sum(map(reported, both - changes.keys())),
        moved,
        unread,
        sorted(filter(reported, unrecorded)),
    )


def _differs(path: str, before: Version, after: Version) -> bool:
    return before.facts[path].sha256 != after.facts[path].sha256


def _changes(before: Version, after: Version, paths: Sequence[str]) -> dict[str, Change]:
    """Return the changes of results that differ, by path, in the order given."""
    code, differing = {**before.code, **after.code}, set(paths)
    causes, sources = dict[str, tuple[Difference, ...]](), dict[str, tuple[str, ...]]()
    for path in paths:
        one, other = before.facts[path], after.facts[path]
        sources[path] = tuple(name for name in _changed_inputs(one, other) if name in differing and name != path)
        own = tuple(_causes(one, other, differing, code))
        causes[path] = own if own or sources[path] else (_unexplained(one, other),)
    roots = _roots(causes, sources)
    return {path: Change(path, causes[path], sources[path], tuple(sorted(roots[path]))) for path in paths}


def _roots(causes: Mapping[str, Sequence[Difference]], sources: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Return, for each result, those with causes of their own from which its difference comes."""
    made: dict[str, list[str]] = {path: [] for path in sources}
    for path, names in sources.items():
        for name in names:
            made[name].append(path)
    found: dict[str, set[str]] = {path: set() for path in sources}
    for root in (path for path, own in causes.items() if own):
        waiting = [root]
        while waiting:
            path = waiting.pop()
            if root not in found[path]:
                found[path].add(root)
                waiting.extend(made[path])
    return found


def _changed_inputs(one: Fact, other: Fact) -> list[str]:
    """List the inputs of both facts whose bytes differ, sorted."""
    return sorted(name for name in one.inputs.keys() & other.inputs.keys() if one.inputs[name] != other.inputs[name])


def _causes(one: Fact, other: Fact, differing: Set[str], code: Code) -> Iterator[Difference]:
    """Yield what differs between two jobs themselves; inputs that are results and differ have causes of their own."""
    for name in sorted(one.inputs.keys() ^ other.inputs.keys()):
        yield Difference(Kind.FILES, f"{name} is an input only {'before' if name in one.inputs else 'now'}")
    for name in _changed_inputs(one, other):
        if name not in differing:
            yield Difference(Kind.DATA, f"{name} changed")
    if one.record.get("rule") != other.record.get("rule"):
        yield Difference(Kind.RULE, f"{one.record.get('rule')} before, {other.record.get('rule')} now")
    if one.record.get("code") != other.record.get("code"):
        yield Difference(Kind.CODE, f"the command or the name of the script of rule {other.record.get('rule')}")
    named = one.inputs.keys() != other.inputs.keys()
    for found in differences(one.record.get("params") or [], other.record.get("params") or [], code):
        if not (named and found.kind is Kind.FILES):
            yield found
    if any(one.record.get(name) != other.record.get(name) for name in SOFTWARE):
        yield Difference(Kind.SYSTEM, "the conda environment or the container")


def _unexplained(one: Fact, other: Fact) -> Difference:
    """Return the difference of two jobs that agree in everything that decides whether a job runs."""
    places = [
        f"{one.made.get(name)} before, {other.made.get(name)} now"
        for name in ("python", "system")
        if one.made.get(name) != other.made.get(name)
    ]
    if places:
        return Difference(Kind.SYSTEM, "; ".join(places))
    return Difference(Kind.UNKNOWN, "the same code, parameters, packages and inputs gave other bytes")


def _metrics(before: Version, after: Version, paths: Sequence[str]) -> tuple[list[MetricChange], list[str]]:
    """Return the numbers that differ in metrics files, and the files that cannot be read."""
    moved, unread = [], []
    for path in paths:
        data = before.read(path), after.read(path)
        if data[0] is None or data[1] is None:
            unread.append(path)
            continue
        old, new = numbers(data[0]), numbers(data[1])
        names = dict.fromkeys((*old, *new))
        moved += [
            MetricChange(path, name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)
        ]
    return moved, unread


def document(found: Comparison) -> str:
    """Format a comparison as JSON, with the fields of `Comparison`; causes are pairs of kind and description."""
    return json.dumps(asdict(found), indent=1)


def describe(found: Comparison, before: str, after: str, in_full: bool = False) -> Iterator[str]:
    """Yield the lines of a report: groups of results with the same causes, then the numbers.

    Args:
        before, after: names of the versions.
        in_full: list every result, also those without causes of their own.
    """
    yield f"{before} -> {after}: {found.differing} results differ, {found.same} are equal"
    groups: dict[tuple[Difference, ...], list[str]] = {}
    for change in found.changes.values():
        if change.causes:
            groups.setdefault(change.causes, []).append(change.path)
    for causes, paths in groups.items():
        yield ""
        yield from _listed([f"{cause.kind:10} {cause.text}" for cause in causes], in_full)
        yield from (f"  {line}" for line in _listed(paths, in_full))
        made = [one.path for one in found.changes.values() if not one.causes and set(paths) & set(one.roots)]
        if made:
            yield f"  and {len(made)} made from {'it' if len(paths) == 1 else 'them'}{':' if in_full else ''}"
            yield from (f"    {path}" for path in made if in_full)
    parts = {"only before": found.removed, "only now": found.added, "there, but not recorded": found.unrecorded}
    for title, others in parts.items():
        if others:
            yield from ("", f"{title}: {len(others)} results")
            yield from (f"  {line}" for line in _listed(others, in_full))
    yield from _numbers(found)


def _listed(lines: Sequence[str], in_full: bool) -> list[str]:
    shown = lines if in_full else lines[:SHOWN]
    return [*shown, *([f"... and {len(lines) - len(shown)} more (--all)"] if len(shown) < len(lines) else [])]


def _numbers(found: Comparison) -> Iterator[str]:
    """Yield a table of the numbers that differ, and the files that cannot be read."""
    rows = [(_shown(one.before), _shown(one.after), _change(one), one.name) for one in found.metrics]
    widths = [
        max(map(len, column)) for column in zip(("before", "now", "change"), *(row[:3] for row in rows), strict=True)
    ]
    path = None
    for one, row in zip(found.metrics, rows, strict=True):
        if one.path != path:
            path = one.path
            head = [text.rjust(width) for text, width in zip(("before", "now", "change"), widths, strict=True)]
            yield from ("", "  ".join([*head, path]))
        yield "  ".join([*(text.rjust(width) for text, width in zip(row, widths, strict=False)), one.name])
    for path in found.unread:
        yield from (
            "",
            f"{path} differs; not both versions of it are here or came from DVC: pull them to see its numbers",
        )


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _change(one: MetricChange) -> str:
    if not one.before or one.after is None:
        return ""
    return f"{100 * (one.after - one.before) / abs(one.before):+.2f} %"
