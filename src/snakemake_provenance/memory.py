"""Small cache files with a checksum: a damaged one is ignored, and its content is computed again."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from snakemake_provenance.writing import write_atomically

CHECK_DIGITS = 16


def check(content: Any) -> str:
    """Return a checksum of plain values, sixteen hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:CHECK_DIGITS]


def remember(file: Path, content: Any) -> None:
    """Write plain values and their checksum; write nothing where a folder is in the way."""
    with suppress(IsADirectoryError):
        write_atomically(file, json.dumps({"check": check(content), "content": content}))


def recall(file: Path) -> Any:
    """Read the values that `remember` wrote; None if the file is missing or damaged."""
    try:
        found = json.loads(file.read_bytes())
        content = found["content"]
        return content if found["check"] == check(content) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
