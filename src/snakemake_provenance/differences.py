"""Describe how the parameters, code and packages of a job differ from those of a record."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

Code = Mapping[str, Mapping[str, str]]
NAMES_OF_FILES = "names of files"
"""Key of a recorded parameter: a digest of the names and the order of a job's files."""
_VERSION = re.compile(r"\d+(\.\w+)+")


class Kind(StrEnum):
    """What differs between two ways to make a result."""

    PARAMETER = "parameter"
    CODE = "code"
    PACKAGE = "package"
    DATA = "data"
    FILES = "files"
    RULE = "rule"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class Difference(NamedTuple):
    """One difference: its kind, and its description."""

    kind: Kind
    text: str


def differences(before: Sequence[str], now: Sequence[str], code: Code) -> list[Difference]:
    """Describe each difference between two lists of parameters, as Snakemake records them.

    A mapping counts as versions of packages if each of its values has the form of a version with a dot.

    Args:
        code: known digests by file, by "SCRIPT DIGEST".
    """
    old = [_value(text) for text in before if text not in now]
    new = [_value(text) for text in now if text not in before]
    found = []
    for value in old:
        partner = max(new, key=lambda other: _likeness(value, other), default=None)
        if partner is not None and _likeness(value, partner) > 0:
            new.remove(partner)
            found += _pair(value, partner, code)
        else:
            found.append(Difference(_kind(value), f"no longer: {value}"))
    return found + [Difference(_kind(value), f"new: {value}") for value in new]


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and len(value.split()) == 2


def _kind(*values: Any) -> Kind:
    """Return what values of the same parameter are about."""
    if all(_is_code(value) for value in values):
        return Kind.CODE
    versions = [version for value in values if isinstance(value, dict) for version in value.values()]
    if versions and all(isinstance(version, str) and _VERSION.fullmatch(version) for version in versions):
        return Kind.PACKAGE
    return Kind.PARAMETER


def _likeness(one: Any, other: Any) -> int:
    """Return the number of shared keys of two mappings; 1 for two digests of code."""
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one.keys() & other.keys())
    return int(_is_code(one) and _is_code(other))


def _pair(before: Any, now: Any, code: Code) -> list[Difference]:
    if isinstance(before, dict):
        if NAMES_OF_FILES in before:
            return [Difference(Kind.FILES, "the names or the order of its inputs and outputs")]
        kind = _kind(before, now)
        return [Difference(kind, text) for text in _mappings(before, now, "")]
    old, new = code.get(before), code.get(now)
    if old is None or new is None:
        return [Difference(Kind.CODE, "the script or a module that it imports")]
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return [Difference(Kind.CODE, f"code of {name}") for name in names]


def _mappings(before: dict[Any, Any], now: dict[Any, Any], prefix: str) -> Iterator[str]:
    for key in sorted({*before, *now}, key=str):
        one, other = before.get(key), now.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _mappings(one, other, f"{prefix}{key}.")
        elif key not in before or key not in now or one != other:
            yield f"{prefix}{key}: {one!r} before, {other!r} now"
