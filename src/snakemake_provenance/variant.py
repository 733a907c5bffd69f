"""A project as it would be with another file in one place: for plans of what might be.

All else is linked to the project itself, results and Snakemake's records among it, so a dry run there knows what is
done already. Nothing but a dry run may be started there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def variant(file: Path, text: str, project: Path = Path()) -> Iterator[Path]:
    """A folder like the project's but for one file, for as long as the block lasts.

    Args:
        file: relative to the project.
        text: what it holds instead.
        project: the folder.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _link(project.resolve(), folder, file.parts)
        (folder / file).write_text(text, encoding="utf-8")
        yield folder


def _link(original: Path, folder: Path, parts: tuple[str, ...]) -> None:
    """Link everything but what lies on the way to the other file, which is left out itself."""
    folder.mkdir(exist_ok=True)
    entries = original.iterdir() if original.is_dir() else ()
    for entry in entries:
        if entry.name != parts[0]:
            (folder / entry.name).symlink_to(entry)
    if len(parts) > 1:
        _link(original / parts[0], folder / parts[0], parts[1:])
