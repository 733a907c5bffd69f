"""Base of all study models, and what several of them share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from underpainting.io.messages import shown

_LONGEST_NAME, _LONGEST_PATH = 255, 4095  # bytes, on Linux and macOS
_REPOSITORY = re.compile(r"([A-Za-z0-9_][\w.-]{0,95}(?<=\w)/)?[A-Za-z0-9_]([\w.-]{0,94}\w)?", re.ASCII)


class Model(BaseModel):
    """Unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def default_to(self, **values: Any) -> None:
        """Give keys that nobody wrote other values than their usual ones, while the study is being made."""
        self.__dict__.update({key: value for key, value in values.items() if key not in self.model_fields_set})


def pinned_revision(value: str) -> str:
    """A Hub revision that cannot move: a full commit."""
    if not re.fullmatch(r"[0-9a-f]{40}", value):
        raise ValueError(
            f"{shown(value)} is no full commit | a branch or tag can move: give the commit's 40 hexadecimal digits"
        )
    return value


def possible_path(value: str) -> str:
    """A path that a file system can hold.

    Raises:
        ValueError: "problem | remedy": it is empty, too long, or holds a character that no path holds.
    """
    if not value.strip():
        raise ValueError("it is empty | write the path, or remove the key")
    if "\0" in value:
        raise ValueError(f"{shown(value)} holds the character U+0000 | remove it")
    names = [len(name.encode(errors="surrogateescape")) for name in PurePath(value).parts]
    if max(names, default=0) > _LONGEST_NAME or len(value.encode(errors="surrogateescape")) > _LONGEST_PATH:
        raise ValueError(f"{shown(value)} is longer than a path can be | correct it")
    return value


Place = Annotated[str, AfterValidator(possible_path)]
"""A file or folder."""


def _repository_name(value: str) -> str:
    if not _REPOSITORY.fullmatch(value) or "--" in value or ".." in value or value.endswith(".git"):
        remedy = "write owner/name, of letters, digits and - _ . between them"
        raise ValueError(f"{shown(value)} is no repository of the Hub | {remedy}")
    return value


Repository = Annotated[str, AfterValidator(_repository_name)]
"""A repository of the Hugging Face Hub: owner/name."""


def ascending(numbers: Iterable[int], name: str) -> tuple[int, ...]:
    """Sort numbers.

    Args:
        numbers: as listed.
        name: what a number is called.

    Raises:
        ValueError: "problem | remedy": a number is listed twice.
    """
    listed = sorted(numbers)
    if len(set(listed)) < len(listed):
        raise ValueError(f"{shown(listed)} lists a {name} twice | list each {name} once")
    return tuple(listed)
