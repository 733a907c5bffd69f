"""Translate pydantic's validation errors to problems of a study, each with key and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote
from underpainting_workflow.studies.base import Model, members_of, tag_of

RENAMED = {
    "budget": ("low_nfe",),
    "budgets": ("training_steps",),
    "fraction": ("skipped_fraction",),
    "skips": ("skipped_steps", "skipped_percent"),
    "solver": ("ode_method",),
    "wanted": ("max_loss",),
    "young": ("early_checkpoints",),
}
"""Keys of study files with other names than before version 0.1.0; the section tells which of several is meant."""
_LONGEST_GUESS = 100


def from_validation(error: ValidationError, annotation: Any) -> InputError:
    """Return pydantic's errors as an `InputError` with problems, without their file.

    Args:
        error: error of pydantic.
        annotation: the validated type: a model, or a union of models distinguished by a key.
    """
    entries = error.errors()
    return InputError(
        *(found for entry in entries if not _follows(entry, entries) for found in _problems(entry, annotation))
    )


def did_you_mean(given: object, choices: Iterable[str]) -> str:
    """Return a question that names the choice most similar to the given value; empty if none is similar."""
    close = difflib.get_close_matches(str(given)[:_LONGEST_GUESS], list(choices), n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def _problems(entry: Any, annotation: Any) -> Iterable[Problem]:
    """Translate one of pydantic's errors."""
    kind, location, context = entry["type"], entry["loc"], entry.get("ctx", {})
    key = _dotted(_resolve(annotation, location)[0])
    if isinstance(own := context.get("error"), InputError):
        return own.within(key=key).problems
    if kind == "extra_forbidden":
        models = _resolve(annotation, location[:-1])[1]
        allowed = sorted({field.alias or name for model in models for name, field in model.model_fields.items()})
        new = next((name for name in RENAMED.get(str(location[-1]), ()) if name in allowed), None)
        hint = f"it is named {new!r} now; " if new else did_you_mean(location[-1], allowed)
        remedy = f"{hint}allowed here: {', '.join(allowed)}"
        return [Problem("unknown key", remedy, key)]
    if kind == "missing":
        return [Problem("this key is missing", "add it; config/README.md explains every key", key)]
    if kind.startswith("union_tag_"):
        return [_untold(context, key)]
    given, expected = entry.get("input"), context.get("expected", "")
    remedy = did_you_mean(given, re.findall(r"'([^']*)'", expected)) + _expectation(entry["msg"])
    return [Problem(f"{quote(given)} is not allowed", remedy, key)]


def _untold(context: Any, key: str) -> Problem:
    """Return the problem of a section whose kind is missing or unknown."""
    place = ".".join(filter(None, (key, context["discriminator"].strip("'"))))
    if "tag" not in context:
        return Problem("this key is missing", "add it; config/README.md explains every key", place)
    expected = context["expected_tags"]
    hint = did_you_mean(context["tag"], re.findall(r"'([^']*)'", expected))
    return Problem(f"{quote(context['tag'])} is unknown", f"{hint}use one of {expected}", place)


def _expectation(message: str) -> str:
    """Translate a message of pydantic to a remedy in terms of YAML."""
    text = re.sub(r"^\w+ should ", "it must ", message).replace(" after validation", "")
    return (
        text.replace("an object", "a mapping")
        .replace("a valid array", "a list")
        .replace("a valid boolean", "true or false")
    )


def _resolve(annotation: Any, location: Sequence[str | int]) -> tuple[list[str | int], list[type[Model]]]:
    """Split a location into keys, without the kinds that pydantic writes behind a union's key, and the models below them."""
    keys: list[str | int] = []
    models = members_of(annotation)
    for part in location:
        if len(models) > 1 and (chosen := [model for model in models if tag_of(model) == part]):
            models = chosen
            continue
        keys.append(part)
        if isinstance(part, str):
            fields = [field for model in models for field in model.model_fields.items()]
            models = [
                below
                for name, field in fields
                if part == (field.alias or name)
                for below in members_of(field.annotation)
            ]
    return keys, models


def _dotted(keys: Iterable[str | int]) -> str:
    text = ""
    for part in keys:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _follows(entry: Any, entries: Sequence[Any]) -> bool:
    """Return whether a list is too short only because pydantic left out its invalid entries, or a key has its old name."""
    place = entry["loc"]
    if entry["type"] == "missing":
        *section, key = place
        unknown = [other["loc"] for other in entries if other["type"] == "extra_forbidden"]
        return any([*section] == [*above] and key in RENAMED.get(old, ()) for *above, old in unknown)
    within = [other for other in entries if other is not entry and other["loc"][: len(place)] == place]
    return entry["type"] == "too_short" and bool(within)
