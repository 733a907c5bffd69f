"""dvc.yaml: one record-only stage per study, written from its manifest.

DVC owns no second graph of jobs. A stage has outputs and nothing else; `frozen` makes DVC pull what is missing instead
of running the command, which is documentation; `persist` keeps it from deleting outputs.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from snakemake_provenance.layout import ACROSS, Layout
from snakemake_provenance.writing import write_atomically

FILE, LOCK = Path("dvc.yaml"), Path("dvc.lock")


@dataclass(frozen=True)
class Recording:
    """What DVC records of outputs, by path below the study's folder.

    Args:
        metrics: files that `dvc metrics` shows.
        plots: files and folders that `dvc plots` shows, with DVC's settings.
        command: the stage's command, with `{study}`.
    """

    metrics: Collection[str] = ()
    plots: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    command: str = "snakemake --cores all --config studies={study}"


def entries(paths: Sequence[str], study: str, layout: Layout) -> list[str]:
    """What DVC tracks of a study: files and folders right below its folder, sorted."""
    root = PurePosixPath(layout.results) / ("" if study == ACROSS else study)
    return sorted({(root / PurePosixPath(path).relative_to(root).parts[0]).as_posix() for path in paths})


def update(outputs: Mapping[str, Sequence[str]], layout: Layout, recording: Recording, file: Path = FILE) -> bool:
    """Bring the stages of studies up to date; everything else in the file stays as it is.

    Args:
        outputs: recorded outputs, by study.

    Returns:
        whether the file changed.
    """
    yaml = _yaml()
    old = file.read_text(encoding="utf-8") if file.is_file() else ""
    content = yaml.load(old) or CommentedMap()
    if not content.get("stages"):
        content["stages"] = CommentedMap()
    stages = content["stages"]
    for study, paths in outputs.items():
        stages[study] = _stage(study, entries(paths, study, layout), layout, recording)
    stream = io.StringIO()
    yaml.dump(content, stream)
    if stream.getvalue() == old:
        return False
    write_atomically(file, stream.getvalue())
    return True


def recorded(file: Path = LOCK) -> list[str]:
    """The stages whose outputs are recorded."""
    content = _yaml().load(file.read_text(encoding="utf-8")) if file.is_file() else None
    return list((content or {}).get("stages", {}))


def _yaml() -> YAML:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 200
    return yaml


def _stage(study: str, found: Sequence[str], layout: Layout, recording: Recording) -> CommentedMap:
    root = layout.results if study == ACROSS else f"{layout.results}/{study}"
    metrics = [path for path in found if path.removeprefix(f"{root}/") in recording.metrics]
    plots = {
        path: recording.plots[path.removeprefix(f"{root}/")]
        for path in found
        if path.removeprefix(f"{root}/") in recording.plots
    }
    stage = CommentedMap(frozen=True, cmd=recording.command.format(study=study))
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
