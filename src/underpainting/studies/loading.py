"""Reading study files.

A place may begin with `{data}`, which stands for the data folder: the one thing that differs from machine to machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from underpainting.studies.errors import StudyError, from_validation
from underpainting.studies.models import Study

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
PLACES = (("dataset", "path"), ("dataset", "root"), ("denoiser", "path"), ("denoiser", "folder"), ("denoiser", "code"))
DATA, VARIABLE = "data", "UNDERPAINTING_DATA"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def data_folder(
    config: Mapping[str, Any], chosen: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> str:
    """The folder that `{data}` stands for: chosen on the command line, else in the environment, else configured.

    Args:
        config: the whole configuration, which has the key `data`.
        chosen: what of it comes from the command line.
        environment: its variable UNDERPAINTING_DATA names the folder.
    """
    return str(chosen.get(DATA) or environment.get(VARIABLE) or config.get(DATA) or DATA)


def _located(value: str, data: str) -> str:
    """A place with the data folder filled in.

    Raises:
        ValueError: "problem | remedy" of a placeholder that is not known, or not at the beginning.
    """
    for found in _PLACEHOLDER.finditer(value):
        if found[1] != DATA:
            raise ValueError(f"the placeholder {found[0]} in {value!r} is unknown | {{data}} is the only one")
        if found.start() or value[found.end() : found.end() + 1] not in ("", "/"):
            raise ValueError(f"{{data}} stands inside {value!r} | write {{data}}/ at its beginning")
    return value.replace("{data}", data.rstrip("/") or "/", 1)


def _locate(content: dict[str, Any], data: str, path: Path) -> None:
    """Fill the data folder into every place of a study, in place."""
    for section, key in PLACES:
        part = content.get(section)
        if isinstance(part, dict) and isinstance(part.get(key), str):
            try:
                part[key] = _located(part[key], data)
            except ValueError as error:
                problem, _, remedy = str(error).partition(" | ")
                raise StudyError(path, f"{section}.{key}", problem, remedy) from error


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


def _retrain(content: dict[str, Any]) -> None:
    """Turn a network that ships into one that the workflow trains, in place."""
    denoiser = content.get("denoiser")
    if isinstance(denoiser, dict) and denoiser.get("source") == "reference":
        denoiser["source"] = "train"


def load_study(path: str | Path, data: str = DATA, retrain: bool = False) -> Study:
    """Read and check one study file.

    Args:
        path: the file.
        data: the folder that `{data}` stands for.
        retrain: train the network that ships with the repository anew.

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
    _locate(content, data, path)
    if retrain:
        _retrain(content)
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise from_validation(error, path, Study) from error


def find_studies(
    chosen: str | Sequence[str] | None, folder: str | Path, config: str | Path, data: str = DATA, retrain: Any = False
) -> dict[str, Study]:
    """The studies to build, by name.

    Args:
        chosen: names, as a list or separated by commas (`--config studies=digits,mnist`).
        folder: holds NAME.yaml for each.
        config: the file that names them, for messages.
        data: the folder that `{data}` stands for.
        retrain: train the networks that ship with the repository anew.

    Raises:
        StudyError: no study is chosen, a name cannot be a folder's, or a study file is wrong.
    """
    anew = {"true": True, "false": False}.get(str(retrain).lower())  # the command line gives text
    if anew is None:
        raise StudyError(config, "retrain", f"{retrain!r} is not allowed", "give true or false")
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
    return {name: load_study(Path(folder) / f"{name}.yaml", data, anew) for name in dict.fromkeys(names)}
