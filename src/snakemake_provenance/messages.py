"""Quote external text in messages: shortened, and without control characters."""

from __future__ import annotations

LONGEST = 200


class ProvenanceError(Exception):
    """An error that the user can correct; the message says how."""


def shown(value: object, longest: int = LONGEST) -> str:
    """Quote a value, or its start where it is longer than `longest` characters."""
    return shortened(repr(value), longest)


def shortened(text: str, longest: int = LONGEST) -> str:
    """Cut a text after `longest` characters and spell out control characters other than line breaks."""
    cut = text if len(text) <= longest else f"{text[: longest - 20]}... ({len(text)} characters)"
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in cut)


def is_text(name: str) -> bool:
    """Return whether a file's name is valid UTF-8, as Snakemake and its records need it."""
    return not any("\ud800" <= one <= "\udfff" for one in name)
