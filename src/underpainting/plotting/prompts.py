"""Prompts and guidance scales as text in figures."""

from __future__ import annotations

_MOST = 60


def quote(prompt: str) -> str:
    """Put a prompt in quotation marks, shortened if long, with its dollar signs as they are; an empty one is `no prompt`."""
    if not prompt:
        return "no prompt"
    short = prompt if len(prompt) <= _MOST else f"{prompt[: _MOST - 1].rstrip()}…"
    return f"“{short}”".replace("$", r"\$")


def guidance(scale: float) -> str:
    """Label a scale of guidance."""
    return f"guidance {scale:g}"
