"""Reads the metadata of zipped Zarr stores without Zarr, and lists the errors that damaged ones raise."""

from __future__ import annotations

import itertools
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

METADATA = "zarr.json"
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    ValueError,
    OverflowError,
    RuntimeError,
    NotImplementedError,
    MemoryError,
)
"""Errors that zipfile, json and Zarr raise for an altered archive."""


def metadata(archive: zipfile.ZipFile, node: str = "") -> dict[str, Any]:
    """Read the metadata of a store, or of one of its arrays."""
    found: dict[str, Any] = json.loads(archive.read("/".join(filter(None, [node, METADATA]))))
    return found


def metadata_of(path: str | Path, *nodes: str) -> list[dict[str, Any]]:
    """Read the metadata of nodes of a packed store; return an empty list if they cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [metadata(archive, node) for node in nodes]
    except DAMAGE:
        return []


def expected_entries(archive: zipfile.ZipFile) -> Iterator[str]:
    """Yield the entries that a store has by its metadata: every node, and every chunk of its arrays."""
    for name in archive.namelist():
        node, _, last = name.rpartition("/")
        if last == METADATA:
            yield name
            content = metadata(archive, node)
            if content["node_type"] == "array":
                shape, chunks = content["shape"], content["chunk_grid"]["configuration"]["chunk_shape"]
                counts = [range(-(-size // chunk)) for size, chunk in zip(shape, chunks, strict=True)]
                for place in itertools.product(*counts):
                    yield "/".join([node, "c", *map(str, place)])
