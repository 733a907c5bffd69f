"""Looking into the study models: which keys are allowed where, for messages."""

from __future__ import annotations

import typing

from underpainting_workflow.studies.base import Model


def _models_in(annotation: object) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]


def tag_of(model: type[Model]) -> str | None:
    """The value of the key that tells the members of a union apart: `source` or `name`."""
    for name in ("source", "name"):
        if (field := model.model_fields.get(name)) and (values := typing.get_args(field.annotation)):
            return str(values[0]) if len(values) == 1 else None
    return None


def models_below(model: type[Model], names: list[str], tag: str | None) -> list[str]:
    """Field names allowed below a path of keys; `tag` picks the member of a union."""
    candidates: list[type[Model]] = [model]
    for name in names:
        candidates = [
            below
            for one in candidates
            if name in one.model_fields
            for below in _models_in(one.model_fields[name].annotation)
        ]
    tagged = [one for one in candidates if tag is not None and issubclass(one, Model) and tag_of(one) == tag]
    return sorted({field.alias or name for one in tagged or candidates for name, field in one.model_fields.items()})
