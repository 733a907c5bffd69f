"""Write dvc.yaml: one record-only stage per section of the results, from its manifest.

DVC holds no second graph of jobs. A stage has outputs and nothing else; `frozen` makes DVC pull missing files instead
of running the command, which is documentation; `persist` prevents DVC from deleting outputs.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from snakemake_provenance.settings import Settings
from snakemake_provenance.writing import write_atomically

FILE, LOCK = Path("dvc.yaml"), Path("dvc.lock")


def entries(paths: Sequence[str], section: str, settings: Settings) -> list[str]:
    """List the paths of a section that DVC tracks: files and folders directly below its folder, sorted."""
    root = PurePosixPath(settings.folder(section))
    return sorted({(root / PurePosixPath(path).relative_to(root).parts[0]).as_posix() for path in paths})


def update(outputs: Mapping[str, Sequence[str]], settings: Settings, file: Path = FILE) -> bool:
    """Update the stages of sections; the rest of the file is not changed.

    Args:
        outputs: recorded outputs, by section.

    Returns:
        whether the file changed.
    """
    yaml = _yaml()
    old = file.read_text(encoding="utf-8") if file.is_file() else ""
    content = yaml.load(old) or CommentedMap()
    if not content.get("stages"):
        content["stages"] = CommentedMap()
    stages = content["stages"]
    for section, paths in outputs.items():
        stages[section] = _stage(section, entries(paths, section, settings), settings)
    stream = io.StringIO()
    yaml.dump(content, stream)
    if stream.getvalue() == old:
        return False
    write_atomically(file, stream.getvalue())
    return True


def recorded(file: Path = LOCK) -> list[str]:
    """List the stages whose outputs are recorded."""
    content = _yaml().load(file.read_text(encoding="utf-8")) if file.is_file() else None
    return list((content or {}).get("stages", {}))


def _yaml() -> YAML:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 200
    return yaml


def _stage(section: str, found: Sequence[str], settings: Settings) -> CommentedMap:
    names = {path: path.removeprefix(f"{settings.folder(section)}/") for path in found}
    metrics = [path for path in found if settings.is_metrics(path)]
    plots = {path: settings.plots[names[path]] for path in found if names[path] in settings.plots}
    stage = CommentedMap(frozen=True, cmd=settings.stage_command.format(section))
    stage["outs"] = CommentedSeq(_out(path) for path in found if path not in metrics and path not in plots)
    if metrics:
        stage["metrics"] = CommentedSeq(_out(path) for path in metrics)
    if plots:
        stage["plots"] = CommentedSeq(_out(path, settings) for path, settings in plots.items())
    return stage


def _out(path: str, settings: Mapping[str, Any] | None = None) -> CommentedMap:
    inner = CommentedMap({**(settings or {}), "persist": True})
    inner.fa.set_flow_style()
    return CommentedMap({path: inner})
