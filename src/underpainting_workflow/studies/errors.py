"""The one error of study files and their data: file, key, what is wrong, remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from underpainting.io.messages import shortened, shown
from underpainting_workflow.studies.base import Model

WHOLE_FILE = "(the whole file)"
_LONGEST_PART, _LONGEST_MESSAGE = 500, 2000


class StudyError(ValueError):
    """Something in a study file, or in the data that it names, cannot be used.

    Args:
        file: the study file.
        key: the key in it, dotted.
        problem: what is wrong.
        remedy: what to do.

    Key, problem and remedy are shortened, whoever wrote them, so that a message has at most 2,000 characters.
    """

    def __init__(self, file: str | Path, key: str, problem: str, remedy: str) -> None:
        self.file, self.key = shortened(str(file)), shortened(key)
        self.problem, self.remedy = shortened(problem, _LONGEST_PART), shortened(remedy, _LONGEST_PART)
        super().__init__(f"{self.file}: {self.key}: {self.problem}. Remedy: {self.remedy}.")


class ManyStudyErrors(StudyError):  # noqa: N818  several of the error that it is
    """Several errors of one study file, reported together, as many as 2,000 characters hold."""

    def __init__(self, errors: Sequence[StudyError]) -> None:
        first = errors[0]
        super().__init__(first.file, first.key, first.problem, first.remedy)
        self.errors = tuple(errors)
        text = "\n".join(str(error) for error in errors)
        for count in range(len(errors) - 1, 0, -1):
            if len(text) <= _LONGEST_MESSAGE:
                break
            text = "\n".join([*map(str, errors[:count]), f"{first.file}: {len(errors) - count} more errors"])
        self.args = (text,)


UNION_KEYS = frozenset({"dataset", "denoiser", "extractor"})


def _keys(location: Sequence[str | int]) -> tuple[list[str | int], str | None]:
    """The keys of a pydantic location, and the last member of a union in it (pydantic writes it behind the key)."""
    keys: list[str | int] = []
    tag = None
    for before, part in zip([None, *location], location, strict=False):
        if before in UNION_KEYS and (not keys or keys[-1] == before):
            tag = str(part)
        else:
            keys.append(part)
    return keys, tag


def _dotted(location: Sequence[str | int]) -> str:
    text = ""
    for part in _keys(location)[0]:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or WHOLE_FILE


def _fields_at(model: type[Model], location: Sequence[str | int]) -> list[str]:
    """Names of the fields that are allowed beside the last key of `location`."""
    from underpainting_workflow.studies.introspection import models_below

    keys, tag = _keys(location)
    return models_below(model, [key for key in keys[:-1] if isinstance(key, str)], tag)


def _explain(error: Any, model: type[Model]) -> tuple[str, str, str]:
    """Key, problem and remedy of one of pydantic's errors."""
    kind, given, key = error["type"], error.get("input"), _dotted(error["loc"])
    if kind == "extra_forbidden":
        allowed = _fields_at(model, error["loc"])
        close = difflib.get_close_matches(str(error["loc"][-1])[:100], allowed, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return key, "unknown key", f"{hint}allowed here: {', '.join(allowed)}"
    if kind == "missing":
        return key, "this key is missing", "add it; config/README.md explains every key"
    if kind == "value_error":
        return _parts(str(error["ctx"]["error"]), key)
    if kind == "union_tag_not_found":
        return f"{key}.{error['ctx']['discriminator'].strip(chr(39))}", "this key is missing", "add it"
    if kind == "union_tag_invalid":
        context = error["ctx"]
        return (
            f"{key}.{context['discriminator'].strip(chr(39))}",
            f"{shown(context['tag'])} is unknown",
            f"use one of {context['expected_tags']}",
        )
    expected = error["msg"][0].lower() + error["msg"][1:]
    for json, yaml in {"an object": "a mapping", "a valid array": "a list"}.items():
        expected = expected.replace(json, yaml)
    return key, f"{shown(given)} is not allowed", expected


def _parts(text: str, key: str) -> tuple[str, str, str]:
    """Key, problem and remedy of "problem | remedy" or "key | problem | remedy"; a value in the problem may hold " | "."""
    first, _, rest = text.partition(" | ")
    if " | " in rest and re.fullmatch(r"[a-z_][a-z_.]*", first):
        key, text = first, rest
    problem, _, remedy = text.rpartition(" | ")
    return key, problem, remedy


def _follows(error: Any, errors: Sequence[Any]) -> bool:
    """Whether pydantic calls a list too short only because it left out the entries that are wrong themselves."""
    place = error["loc"]
    within = [other for other in errors if other is not error and other["loc"][: len(place)] == place]
    return error["type"] == "too_short" and bool(within)


def from_validation(error: ValidationError, file: str | Path, model: type[Model]) -> StudyError:
    """The errors that pydantic found, in our words.

    Args:
        error: what pydantic raised.
        file: the study file.
        model: the model that was to be made.
    """
    entries = error.errors()
    errors = [StudyError(file, *_explain(entry, model)) for entry in entries if not _follows(entry, entries)]
    return errors[0] if len(errors) == 1 else ManyStudyErrors(errors)
