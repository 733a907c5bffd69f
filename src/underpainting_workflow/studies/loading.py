"""Read and check study files, and the configuration that selects them.

A path may begin with `{data}`, which stands for the data folder, the only path that depends on the machine.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from underpainting.io.errors import InputError, Problem, gathered, problems_of
from underpainting.io.messages import quote, shorten
from underpainting_workflow.studies import plain_yaml
from underpainting_workflow.studies.base import possible_path
from underpainting_workflow.studies.errors import did_you_mean, from_validation
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy

CONFIG = "config/config.yaml"
STUDIES, DATA = "studies", "data"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,99}")
PLACES = (
    *(("dataset", key) for key in ("path", "root")),
    *(("denoiser", key) for key in ("path", "folder", "code")),
    ("distance", "weights"),
)
VARIABLE = "UNDERPAINTING_DATA"
AnyStudy = Study | TextToImageStudy
KINDS: dict[str, type[AnyStudy]] = {"images": Study, "text_to_image": TextToImageStudy}
"""The kinds of study file, by the value of their key `kind`; `images` if a file has none."""
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def check_configuration(files: Iterable[str | Path]) -> None:
    """Refuse a configuration file with a duplicate key, of which Snakemake would use the last without a warning.

    Raises:
        InputError: a key is duplicate, or a file is not valid YAML.
    """
    for file in map(Path, files):
        if file.suffix in (".yaml", ".yml"):
            plain_yaml.read(file)


def data_folder(
    config: Mapping[str, Any], chosen: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> str:
    """Return the folder that `{data}` stands for, from the command line, else the environment, else the configuration.

    Args:
        config: the configuration, which has the key `data`.
        chosen: entries of the configuration from the command line.
        environment: environment variables; UNDERPAINTING_DATA names the folder.

    Raises:
        InputError: it is not a valid path.
    """
    places = [place for place in (chosen.get(DATA), environment.get(VARIABLE), config.get(DATA), DATA) if place]
    with problems_of(CONFIG, DATA):
        for place in places:  # also of sections that are not used
            if not isinstance(place, str):
                raise InputError(Problem(f"{quote(place)} is no folder", "give one path, in quotes if it is a number"))
            possible_path(place)
    return places[0]


def _located(value: str, data: str) -> str:
    """Replace `{data}` in a path by the data folder.

    Raises:
        InputError: a placeholder is unknown or not at the beginning, or `..` leads out of its folder.
    """
    for found in _PLACEHOLDER.finditer(value):
        if found[1] != DATA:
            problem = f"the placeholder {shorten(found[0])} in {quote(value)} is unknown"
            raise InputError(Problem(problem, "{data} is the only one"))
        if found.start() or value[found.end() : found.end() + 1] not in ("", "/"):
            raise InputError(Problem(f"{{data}} stands inside {quote(value)}", "write {data}/ at its beginning"))
        if ".." in PurePath(value).parts:
            remedy = "name a place in it, or a path without {data}"
            raise InputError(Problem(f"{quote(value)} leads out of the data folder", remedy))
    return value.replace("{data}", data.rstrip("/") or "/", 1)


def _locate(content: dict[str, Any], data: str) -> None:
    """Replace `{data}` by the data folder in every path of a study, in place."""
    for section, key in PLACES:
        part = content.get(section)
        if isinstance(part, dict) and isinstance(part.get(key), str):
            with problems_of("", f"{section}.{key}"):
                part[key] = _located(part[key], data)


def _retrain(content: dict[str, Any]) -> None:
    """Replace a shipped network in a study by one that the workflow trains, in place."""
    denoiser = content.get("denoiser")
    if isinstance(denoiser, dict) and denoiser.get("source") == "reference":
        denoiser["source"] = "train"


def load_study(path: str | Path, data: str = DATA, retrain: bool = False) -> Study:
    """Read and check one study file of images; arguments as in `load_any`.

    Raises:
        InputError: as `load_any`, or the study is of another kind.
    """
    study = load_any(path, data, retrain)
    if not isinstance(study, Study):
        problem = f"a study of the kind {study.kind}, but a study of images is needed here"
        raise InputError(Problem(problem, "choose another study", "kind", file=str(path)))
    return study


def load_any(path: str | Path, data: str = DATA, retrain: bool = False) -> AnyStudy:
    """Read and check one study file of any kind.

    Args:
        path: the file.
        data: the folder that `{data}` stands for.
        retrain: whether to train a network that ships with the repository.

    Raises:
        InputError: the file is missing or not valid YAML, or a key is unknown, missing or has a wrong value.
    """
    with problems_of(path):
        if not _is_file(Path(path)):
            raise InputError(Problem("no such file", f"write it, or correct `studies` in {CONFIG}"))
        content = plain_yaml.read(Path(path))
        if not isinstance(content, dict):
            raise InputError(Problem("not a mapping", "start from config/studies/digits.yaml"))
        _locate(content, data)
        if retrain:
            _retrain(content)
        model = _model_of(content)
        try:
            return model.model_validate_json(json.dumps(content), strict=True)
        except ValidationError as error:
            raise from_validation(error, model) from error


def _model_of(content: Mapping[str, Any]) -> type[AnyStudy]:
    """Return the model of a study's kind.

    Raises:
        InputError: the kind is unknown.
    """
    kind = content.get("kind", "images")
    if not isinstance(kind, str) or kind not in KINDS:
        remedy = f"{did_you_mean(kind, KINDS)}use one of {', '.join(KINDS)}, or remove the key for images"
        raise InputError(Problem(f"{quote(kind)} is unknown", remedy, "kind"))
    return KINDS[kind]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system takes, a folder that cannot be entered
        return False


def find_studies(
    chosen: Any, folder: str | Path, config: str | Path, data: str = DATA, retrain: Any = False
) -> dict[str, AnyStudy]:
    """Load the studies to build, by name.

    Args:
        chosen: names, as a list or separated by commas (`--config studies=digits,mnist`).
        folder: holds NAME.yaml for each.
        config: the file that names them, for messages.
        data: the folder that `{data}` stands for.
        retrain: whether to train the networks that ship with the repository.

    Raises:
        InputError: no study is chosen, or names or study files are invalid; holds the problems of all of them.
    """
    train = {"true": True, "false": False}.get(str(retrain).lower())  # the command line passes text
    with problems_of(config):
        if train is None:
            raise InputError(Problem(f"{quote(retrain)} is not allowed", "give true or false", "retrain"))
        names = _known(_listed(chosen), Path(folder))
    problems: list[Problem] = []
    studies: dict[str, AnyStudy] = {}
    for name in dict.fromkeys(names):
        with gathered(problems):
            studies[name] = load_any(Path(folder) / f"{name}.yaml", data, train)
    if problems:
        raise InputError(*problems)
    return studies


def _listed(chosen: Any) -> list[Any]:
    """Return the entries of a list, or of a text with commas; integers are names, too."""
    if isinstance(chosen, str):
        return [name.strip() for name in chosen.split(",")]
    names = list(chosen) if isinstance(chosen, list | tuple) else [] if chosen is None else [chosen]
    return [str(name) if isinstance(name, int) and not isinstance(name, bool) else name for name in names]


def _known(names: list[Any], folder: Path) -> list[str]:
    """Return the names if each of them has a study file in the folder.

    Raises:
        InputError: a name has no study file, or there is no name.
    """
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    choice = ", ".join(known) or "none found"
    if not names or "" in names:
        raise InputError(Problem("no study is chosen", f"list some of: {choice}", STUDIES))
    for name in names:
        if study_name(name) not in known:
            remedy = f"{did_you_mean(name, known)}write it, or choose among: {choice}"
            raise InputError(Problem(f"there is no study file {folder / (name + '.yaml')}", remedy, STUDIES))
    return names


def study_name(name: object) -> str:
    """Return a name if it is a valid name for a study file.

    Raises:
        InputError: it cannot be the name of a file and of a folder.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        remedy = "use up to 100 letters, digits and underscores, in quotes where YAML takes them for something else"
        raise InputError(Problem(f"{quote(name)} cannot be a study's name", remedy, STUDIES))
    return name
