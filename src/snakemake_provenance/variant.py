"""Make a temporary copy of a project with one file replaced, to plan a hypothetical change.

All other files are links to the project, results and Snakemake's records included, so a dry run there finds the results
that exist. Only a dry run may be started there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def variant(file: Path, text: str, project: Path = Path()) -> Iterator[Path]:
    """Make a temporary folder of links to the project, with one file replaced, for the duration of the block.

    Args:
        file: relative to the project.
        text: its content in the variant.
        project: folder of the project.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _link(project.resolve(), folder, file.parts)
        (folder / file).write_text(text, encoding="utf-8")
        yield folder


def _link(original: Path, folder: Path, parts: tuple[str, ...]) -> None:
    """Link all files and folders, except the replaced file and the folders above it, which are created."""
    folder.mkdir(exist_ok=True)
    entries = original.iterdir() if original.is_dir() else ()
    for entry in entries:
        if entry.name != parts[0]:
            (folder / entry.name).symlink_to(entry)
    if len(parts) > 1:
        _link(original / parts[0], folder / parts[0], parts[1:])
