"""Merge two versions of dvc.yaml or dvc.lock, which git would merge line by line and report as a conflict.

The merge goes stage by stage and output by output; where both sides changed the same entry, ours is kept. That is safe:
whatever bytes result, the manifests decide which of them are fresh, and the others are made again.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

DRIVER = "dvc-files"


def merge_files(base: Path, ours: Path, theirs: Path) -> list[str]:
    """Merge three versions into `ours`, as git asks of a merge driver.

    Returns:
        entries that both sides changed, of which ours was kept.
    """
    yaml = YAML()
    yaml.width = 200
    old, own, other = (yaml.load(path.read_text(encoding="utf-8")) or CommentedMap() for path in (base, ours, theirs))
    kept: list[str] = []
    merged = _merge(old, own, other, "", kept)
    stream = io.StringIO()
    yaml.dump(merged, stream)
    ours.write_text(stream.getvalue(), encoding="utf-8")
    return kept


def _merge(base: Any, ours: Any, theirs: Any, place: str, kept: list[str]) -> Any:
    if theirs in (base, ours):
        return ours
    if ours == base:
        return theirs
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return _merge_mappings(base if isinstance(base, dict) else {}, ours, theirs, place, kept)
    if isinstance(ours, list) and isinstance(theirs, list):
        merged = _merge_mappings(_keyed(base), _keyed(ours), _keyed(theirs), place, kept)
        return CommentedSeq(merged.values())
    kept.append(place)
    return ours


def _merge_mappings(base: Any, ours: Any, theirs: Any, place: str, kept: list[str]) -> Any:
    merged = ours
    for key in [*theirs, *(key for key in base if key not in theirs)]:
        inside = f"{place}/{key}" if place else str(key)
        if key not in theirs:
            if key in ours and ours[key] == base[key]:
                del merged[key]
        elif key not in ours:
            if key not in base or base[key] != theirs[key]:
                merged[key] = theirs[key]
        else:
            merged[key] = _merge(base.get(key), ours[key], theirs[key], inside, kept)
    return merged


def _keyed(items: Any) -> CommentedMap:
    """Return outputs by path, as dvc.lock (`path: ...`) or dvc.yaml (`PATH: settings`) lists them."""
    return CommentedMap({_path(item): item for item in items or ()})


def _path(item: Any) -> str:
    if isinstance(item, dict):
        return str(item.get("path") or next(iter(item)))
    return str(item)
