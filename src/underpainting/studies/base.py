"""Base of all study models, and what several of them share."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict


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
