"""Find the image files of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# of all kinds of pictures, so that none is passed over: those that Pillow does not know are refused by name
# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".jxl", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".svg", ".tga", ".tif", ".tiff", ".webp",
})
# fmt: on


def image_files(folder: Path) -> list[Path]:
    """The image files below a folder, sorted, links to files and folders followed; hidden ones are passed over.

    A link that leads nowhere is among them, so that who reads it says so.
    """
    files = (file for file in _followed(folder, set()) if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(file for file in files if file.is_file() or not file.exists())


def _followed(folder: Path, above: set[str]) -> Iterator[Path]:
    """Everything below a folder that is not hidden; a folder is not entered within itself."""
    if (place := os.path.realpath(folder)) in above:
        return
    for entry in folder.iterdir():
        if not entry.name.startswith("."):
            if entry.is_dir():
                yield from _followed(entry, {*above, place})
            else:
                yield entry
