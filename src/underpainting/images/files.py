"""Finds the image files of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# suffixes of all picture formats, so that none is ignored: those that Pillow cannot read are refused by name
# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".jxl", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".svg", ".tga", ".tif", ".tiff", ".webp",
})
# fmt: on


def image_files(folder: Path) -> list[Path]:
    """Return the image files below a folder, sorted, except hidden ones; links are followed.

    Broken links are included, so that the reader reports them.
    """
    files = (file for file in _followed(folder, set()) if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(file for file in files if file.is_file() or not file.exists())


def _followed(folder: Path, above: set[str]) -> Iterator[Path]:
    """Yield every file below a folder, except hidden ones; a folder linked within itself is not entered."""
    if (place := os.path.realpath(folder)) in above:
        return
    for entry in folder.iterdir():
        if not entry.name.startswith("."):
            if entry.is_dir():
                yield from _followed(entry, {*above, place})
            else:
                yield entry
