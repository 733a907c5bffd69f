"""Values quoted in messages: as they are written, but never at length."""

from __future__ import annotations

LONGEST = 200


def shown(value: object, longest: int = LONGEST) -> str:
    """A value as a message quotes it: the start of it, where it is longer than `longest` characters."""
    return shortened(repr(value), longest)


def shortened(text: str, longest: int = LONGEST) -> str:
    """A text cut after `longest` characters, control characters but line breaks spelled out."""
    cut = text if len(text) <= longest else f"{text[: longest - 20]}... ({len(text)} characters)"
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in cut)
