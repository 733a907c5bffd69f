"""Small files that only remember: a damaged one counts for nothing, and what it remembered is found out again."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from snakemake_provenance.writing import write_atomically

CHECK_DIGITS = 16


def check(content: Any) -> str:
    """Sixteen hexadecimal digits over plain values, which tell whether they were altered."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:CHECK_DIGITS]


def remember(file: Path, content: Any) -> None:
    """Write plain values, and a check over them; where a folder stands in the way, nothing is remembered."""
    with suppress(IsADirectoryError):
        write_atomically(file, json.dumps({"check": check(content), "content": content}))


def recall(file: Path) -> Any:
    """What `remember` wrote; None where that is missing, or damaged in any way."""
    try:
        found = json.loads(file.read_bytes())
        content = found["content"]
        return content if found["check"] == check(content) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
