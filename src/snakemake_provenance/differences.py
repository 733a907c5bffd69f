"""Describe how the parameters, code and packages of a job differ from those of a record."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Code = Mapping[str, Mapping[str, str]]


def differences(before: Sequence[str], now: Sequence[str], code: Code) -> list[str]:
    """Describe each difference between two lists of parameters, as Snakemake records them.

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
            found.append(f"no longer: {value}")
    return found + [f"new: {value}" for value in new]


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and len(value.split()) == 2


def _likeness(one: Any, other: Any) -> int:
    """Return the number of shared keys of two mappings; 1 for two digests of code."""
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one.keys() & other.keys())
    return int(_is_code(one) and _is_code(other))


def _pair(before: Any, now: Any, code: Code) -> list[str]:
    if isinstance(before, dict):
        return list(_mappings(before, now, ""))
    old, new = code.get(before), code.get(now)
    if old is None or new is None:
        return ["the script or a module that it imports"]
    return [f"code of {name}" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


def _mappings(before: dict[Any, Any], now: dict[Any, Any], prefix: str) -> Iterator[str]:
    for key in sorted({*before, *now}, key=str):
        one, other = before.get(key), now.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _mappings(one, other, f"{prefix}{key}.")
        elif key not in before or key not in now or one != other:
            yield f"{prefix}{key}: {one!r} before, {other!r} now"
