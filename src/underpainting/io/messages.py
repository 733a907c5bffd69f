"""Quotes external text, shortened in messages, and escaped in reStructuredText."""

from __future__ import annotations

import re

LONGEST = 200


def quote(value: object, longest: int = LONGEST) -> str:
    """Quote a value, cut after `longest` characters."""
    return shorten(repr(value), longest)


def shorten(text: str, longest: int = LONGEST) -> str:
    """Cut a text after `longest` characters and spell out control characters other than line breaks."""
    cut = text if len(text) <= longest else f"{text[: longest - 20]}... ({len(text)} characters)"
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in cut)


def describe_error(error: BaseException, longest: int = LONGEST) -> str:
    """Return the class and the text of an error in one line, cut after `longest` characters."""
    return shorten(" ".join(f"{type(error).__name__}: {error}".split()), longest)


def is_utf8(name: str) -> bool:
    """Return whether a file's name is valid UTF-8, as Snakemake and its records need it."""
    return not any("\ud800" <= one <= "\udfff" for one in name)


def escape_rst(text: str) -> str:
    """Escape a text as one line of reStructuredText that shows it literally, even if it looks like markup or HTML."""
    return re.sub(r"([^\w\s]|_)", r"\\\1", " ".join(text.split()))
