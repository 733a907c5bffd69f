"""Base of all study models, and what several of them share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Model(BaseModel):
    """Unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def pinned_revision(value: str) -> str:
    """A Hub revision that cannot move: a full commit."""
    if not re.fullmatch(r"[0-9a-f]{40}", value):
        raise ValueError(
            f"{value!r} is no full commit | a branch or tag can move: give the commit's 40 hexadecimal digits"
        )
    return value


def _as_group(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


JobGroup = Annotated[tuple[int, ...], BeforeValidator(_as_group, json_schema_input_type=int | tuple[int, ...])]
"""Numbers that share a job; one alone may be written without its list."""


def members(groups: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """The numbers of all groups, ascending."""
    return tuple(sorted(number for group in groups for number in group))


def sorted_groups(groups: Iterable[tuple[int, ...]], name: str) -> tuple[tuple[int, ...], ...]:
    """Groups with their numbers ascending.

    Args:
        groups: as listed.
        name: what a number is called.

    Raises:
        ValueError: a number is listed twice, or a group is empty.
    """
    listed = members(groups)
    if len(set(listed)) < len(listed):
        raise ValueError(f"{list(listed)} lists a {name} twice | list each {name} once")
    if not all(groups):
        raise ValueError(f"a list within the list is empty | remove it, or put {name}s into it")
    return tuple(tuple(sorted(group)) for group in groups)
