"""The JSON files of diffusers beside a network: read without torch, so that a start can look at them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def settings(file: Path) -> dict[str, Any]:
    """What one of diffusers' JSON files holds.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{file} is no JSON ({str(error)[:200]}); repair that file") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} is no JSON object; repair that file")
    return found


def image_size(config: Mapping[str, Any]) -> int | None:
    """Height and width of a network's images, however its configuration writes them; nothing, where it does not.

    Raises:
        ValueError: the images are not square.
    """
    size = config.get("sample_size")
    only = size[0] if isinstance(size, list | tuple) and len(size) == 2 and size[0] == size[1] else size
    if only is None or (isinstance(only, int) and not isinstance(only, bool) and only > 0):
        return only
    raise ValueError(f"sample_size {str(size)[:200]} is no size of square images; use a network of square images")
