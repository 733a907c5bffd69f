"""Reads the JSON files of diffusers beside a network, without importing torch, so that it is fast."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from underpainting.io.errors import InputError, Problem


def component_folder(folder: Path, name: str) -> Path:
    """Return a sub-folder of a pipeline folder, or the folder itself in the oldest layout, which has no sub-folders."""
    return folder / name if (folder / name).is_dir() else folder


def read_config(file: Path) -> dict[str, Any]:
    """Read one of diffusers' JSON files.

    Raises:
        InputError: it is no JSON object.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(Problem(f"{file} is no JSON ({str(error)[:200]})", "repair that file")) from error
    if not isinstance(found, dict):
        raise InputError(Problem(f"{file} is no JSON object", "repair that file"))
    return found


def image_size(config: Mapping[str, Any]) -> int | None:
    """Return height and width of a network's images, in any form of its configuration; None if they are missing.

    Raises:
        InputError: the images are not square.
    """
    size = config.get("sample_size")
    only = size[0] if isinstance(size, list | tuple) and len(size) == 2 and size[0] == size[1] else size
    if only is None or (isinstance(only, int) and not isinstance(only, bool) and only > 0):
        return only
    problem = f"sample_size {str(size)[:200]} is no size of square images"
    raise InputError(Problem(problem, "use a network of square images"))
