"""Reading study files, and what the configuration says of them.

A place may begin with `{data}`, which stands for the data folder: the one thing that differs from machine to machine.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from underpainting.io.messages import shortened, shown
from underpainting_workflow.studies import plain_yaml
from underpainting_workflow.studies.base import possible_path
from underpainting_workflow.studies.errors import WHOLE_FILE, StudyError, from_validation
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.plain_yaml import PlainYamlError

CONFIG = "config/config.yaml"
STUDIES, DATA = "studies", "data"
SPELLED = (STUDIES, DATA)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,99}")
PLACES = (("dataset", "path"), ("dataset", "root"), ("denoiser", "path"), ("denoiser", "folder"), ("denoiser", "code"))
VARIABLE = "UNDERPAINTING_DATA"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def configuration(config: Mapping[str, Any], files: Iterable[str | Path], arguments: Iterable[str]) -> dict[str, Any]:
    """The configuration with `studies` and `data` as they are spelled: 007 and true are names, not 7 and a truth value.

    Args:
        config: as Snakemake read it.
        files: that it was read from; the last one wins.
        arguments: `key=value` of the command line, which wins over files.

    Raises:
        StudyError: a file is not YAML 1.2 of plain values, or a key stands twice.
    """
    contents = [content for file in files if isinstance(content := _spelled(Path(file)), dict)]
    templated = any("__use_yte__" in content for content in contents)  # Snakemake has filled it in
    found = {} if templated else {key: value for content in contents for key, value in content.items()}
    for argument in arguments:
        key, _, text = argument.partition("=")
        is_text = not isinstance(config.get(key), int | float)
        found[key] = config.get(key) if is_text else text.strip()
    return {**config, **{key: found[key] for key in SPELLED if key in found}}


def _spelled(file: Path) -> Any:
    """A file's content, with texts for values."""

    def read() -> Any:
        text = plain_yaml.read_text(file)
        is_json = text.lstrip().startswith("{")  # JSON is YAML, but for tabs
        return plain_yaml.parse(text.replace("\t", " ") if is_json else text, spelled=True)

    return _plain(file, read)


def data_folder(
    config: Mapping[str, Any], chosen: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> str:
    """The folder that `{data}` stands for: chosen on the command line, else in the environment, else configured.

    Args:
        config: the configuration, which has the key `data`.
        chosen: what of it comes from the command line.
        environment: its variable UNDERPAINTING_DATA names the folder.

    Raises:
        StudyError: it is no path.
    """
    places = [place for place in (chosen.get(DATA), environment.get(VARIABLE), config.get(DATA), DATA) if place]
    try:
        for place in places:  # also those that are not used: what is written must make sense
            if not isinstance(place, str):
                raise ValueError(f"{shown(place)} is no folder | give one path")
            possible_path(place)
        return places[0]
    except ValueError as error:
        problem, _, remedy = str(error).rpartition(" | ")
        raise StudyError(CONFIG, DATA, problem, remedy) from error


def _located(value: str, data: str) -> str:
    """A place with the data folder filled in.

    Raises:
        ValueError: "problem | remedy" of a placeholder that is not known, not at the beginning, or left by `..`.
    """
    for found in _PLACEHOLDER.finditer(value):
        if found[1] != DATA:
            raise ValueError(
                f"the placeholder {shortened(found[0])} in {shown(value)} is unknown | {{data}} is the only one"
            )
        if found.start() or value[found.end() : found.end() + 1] not in ("", "/"):
            raise ValueError(f"{{data}} stands inside {shown(value)} | write {{data}}/ at its beginning")
        if ".." in PurePath(value).parts:
            raise ValueError(
                f"{shown(value)} leads out of the data folder | name a place in it, or a path without {{data}}"
            )
    return value.replace("{data}", data.rstrip("/") or "/", 1)


def _locate(content: dict[str, Any], data: str, path: Path) -> None:
    """Fill the data folder into every place of a study, in place."""
    for section, key in PLACES:
        part = content.get(section)
        if isinstance(part, dict) and isinstance(part.get(key), str):
            try:
                part[key] = _located(part[key], data)
            except ValueError as error:
                problem, _, remedy = str(error).rpartition(" | ")
                raise StudyError(path, f"{section}.{key}", problem, remedy) from error


def _plain(file: str | Path, reading: Callable[[], Any]) -> Any:
    """What `reading` returns.

    Raises:
        StudyError: it is not YAML 1.2 of plain values.
    """
    try:
        return reading()
    except PlainYamlError as error:
        raise StudyError(file, WHOLE_FILE, error.problem, error.remedy) from error


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
        retrain: train the network that ships with the repository.

    Raises:
        StudyError: the file is missing or not valid YAML, or a key is unknown, missing or has a wrong value.
    """
    path = Path(path)
    if not _is_file(path):
        raise StudyError(path, WHOLE_FILE, "no such file", f"write it, or correct `studies` in {CONFIG}")
    content = _plain(path, lambda: plain_yaml.parse(plain_yaml.read_text(path)))
    if not isinstance(content, dict):
        raise StudyError(path, WHOLE_FILE, "not a mapping", "start from config/studies/digits.yaml")
    _locate(content, data, path)
    if retrain:
        _retrain(content)
    try:
        return Study.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise from_validation(error, path, Study) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system takes, a folder that cannot be entered
        return False


def find_studies(
    chosen: Any, folder: str | Path, config: str | Path, data: str = DATA, retrain: Any = False
) -> dict[str, Study]:
    """The studies to build, by name.

    Args:
        chosen: names, as a list or separated by commas (`--config studies=digits,mnist`).
        folder: holds NAME.yaml for each.
        config: the file that names them, for messages.
        data: the folder that `{data}` stands for.
        retrain: train the networks that ship with the repository.

    Raises:
        StudyError: no study is chosen, a name cannot be a folder's, or a study file is wrong.
    """
    train = {"true": True, "false": False}.get(str(retrain).lower())  # the command line gives text
    if train is None:
        raise StudyError(config, "retrain", f"{shown(retrain)} is not allowed", "give true or false")
    names = _listed(chosen)
    known = sorted(path.stem for path in Path(folder).glob("*.yaml"))
    choice = ", ".join(known) or "none found"
    if not names or "" in names:
        raise StudyError(config, STUDIES, "no study is chosen", f"list some of: {choice}")
    for name in names:
        if study_name(name, config) not in known:
            problem = f"there is no study file {Path(folder) / (name + '.yaml')}"
            raise StudyError(config, STUDIES, problem, f"write it, or choose among: {choice}")
    return {name: load_study(Path(folder) / f"{name}.yaml", data, train) for name in dict.fromkeys(names)}


def _listed(chosen: Any) -> list[Any]:
    """The entries of a list, or of a text with commas; whole numbers are names, too."""
    if isinstance(chosen, str):
        return [name.strip() for name in chosen.split(",")]
    names = list(chosen) if isinstance(chosen, list | tuple) else [] if chosen is None else [chosen]
    return [str(name) if isinstance(name, int) and not isinstance(name, bool) else name for name in names]


def study_name(name: object, told_by: str | Path) -> str:
    """The name of a study file, if it can be one.

    Args:
        name: what was given.
        told_by: where, for messages.

    Raises:
        StudyError: it cannot be the name of a file and of a folder.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        remedy = "use up to 100 letters, digits and underscores, in quotes where YAML takes them for something else"
        raise StudyError(told_by, STUDIES, f"{shown(name)} cannot be a study's name", remedy)
    return name
