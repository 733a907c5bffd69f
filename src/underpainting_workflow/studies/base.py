"""The base class of all study models, and types that several models share.

A validator raises an `InputError` whose keys are relative to the model; `errors` prepends the model's key.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote

_LONGEST_NAME, _LONGEST_PATH = 255, 4095  # bytes, on Linux and macOS
_REPOSITORY = re.compile(r"([A-Za-z0-9_][\w.-]{0,95}(?<=\w)/)?[A-Za-z0-9_]([\w.-]{0,94}\w)?", re.ASCII)


class Model(BaseModel):
    """A section of a study file; unknown keys are errors, and values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def default_to(self, **values: Any) -> None:
        """Set other defaults for keys that the study file leaves out, while the study is constructed."""
        self.__dict__.update({key: value for key, value in values.items() if key not in self.model_fields_set})


def members_of(annotation: Any) -> list[type[Model]]:
    """Return the models in the annotation of a field: several if it is a union of them, none if it holds plain values."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in members_of(part)]


def tag_of(model: type[Model]) -> str:
    """Return the value of the key that distinguishes the members of a union, `source` or `name`; empty without one."""
    fields = (model.model_fields.get(name) for name in ("source", "name"))
    return next((str(values[0]) for field in fields if field and (values := typing.get_args(field.annotation))), "")


def _pinned_revision(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", value):
        remedy = "a branch or tag can move: give the commit's 40 hexadecimal digits"
        raise InputError(Problem(f"{quote(value)} is no full commit", remedy))
    return value


Revision = Annotated[str, AfterValidator(_pinned_revision)]
"""A full commit hash of a repository of the Hub; a branch or tag could move."""


def possible_path(value: str) -> str:
    """Return a path if a file system can hold it.

    Raises:
        InputError: it is empty, too long, or holds a character that no path can hold.
    """
    if not value.strip():
        raise InputError(Problem("it is empty", "write the path, or remove the key"))
    if "\0" in value:
        raise InputError(Problem(f"{quote(value)} holds the character U+0000", "remove it"))
    names = [len(name.encode(errors="surrogateescape")) for name in PurePath(value).parts]
    if max(names, default=0) > _LONGEST_NAME or len(value.encode(errors="surrogateescape")) > _LONGEST_PATH:
        raise InputError(Problem(f"{quote(value)} is longer than a path can be", "correct it"))
    return value


Place = Annotated[str, AfterValidator(possible_path)]
"""A file or folder."""


def _repository_name(value: str) -> str:
    if not _REPOSITORY.fullmatch(value) or "--" in value or ".." in value or value.endswith(".git"):
        remedy = "write owner/name, of letters, digits and - _ . between them"
        raise InputError(Problem(f"{quote(value)} is no repository of the Hub", remedy))
    return value


Repository = Annotated[str, AfterValidator(_repository_name)]
"""A repository of the Hugging Face Hub: owner/name."""


def ascending(numbers: Iterable[int], name: str) -> tuple[int, ...]:
    """Sort numbers.

    Args:
        numbers: as listed.
        name: name of such a number, for messages.

    Raises:
        InputError: a number is listed twice.
    """
    listed = sorted(numbers)
    if len(set(listed)) < len(listed):
        raise InputError(Problem(f"{quote(listed)} lists a {name} twice", f"list each {name} once"))
    return tuple(listed)
