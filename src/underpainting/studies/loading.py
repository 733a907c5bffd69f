"""Reading study files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from underpainting.studies.errors import StudyError, from_validation
from underpainting.studies.models import Study

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise StudyError(path, "(the whole file)", "not UTF-8 text", "save it in the encoding UTF-8") from error
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise StudyError(
            path, "(the whole file)", f"not valid YAML{line}", "check indentation and colons there"
        ) from error


def load_study(path: str | Path) -> Study:
    """Read and check one study file.

    Raises:
        StudyError: the file is missing or not valid YAML, or a key is unknown, missing or has a wrong value.
    """
    path = Path(path)
    if not path.is_file():
        raise StudyError(
            path, "(the whole file)", "no such file", "write it, or correct `studies` in config/config.yaml"
        )
    content = _read_yaml(path)
    if not isinstance(content, dict):
        raise StudyError(path, "(the whole file)", "not a mapping", "start from config/studies/digits.yaml")
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise from_validation(error, path, Study) from error


def find_studies(chosen: str | Sequence[str] | None, folder: str | Path, config: str | Path) -> dict[str, Study]:
    """The studies to build, by name.

    Args:
        chosen: names, as a list or separated by commas (`--config studies=digits,mnist`).
        folder: holds NAME.yaml for each.
        config: the file that names them, for messages.

    Raises:
        StudyError: no study is chosen, a name cannot be a folder's, or a study file is wrong.
    """
    names = [name.strip() for name in chosen.split(",")] if isinstance(chosen, str) else list(chosen or [])
    known = sorted(path.stem for path in Path(folder).glob("*.yaml"))
    if not names or not all(isinstance(name, str) and name for name in names):
        raise StudyError(config, "studies", "no study is chosen", f"list some of: {', '.join(known) or 'none found'}")
    for name in names:
        if not NAME.fullmatch(name):
            raise StudyError(
                config, "studies", f"{name!r} cannot be a study's name", "use letters, digits and underscores"
            )
        if name not in known:
            remedy = f"write it, or choose among: {', '.join(known) or 'none found'}"
            raise StudyError(config, "studies", f"there is no study file {Path(folder) / (name + '.yaml')}", remedy)
    return {name: load_study(Path(folder) / f"{name}.yaml") for name in dict.fromkeys(names)}
