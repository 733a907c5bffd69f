"""Check, before any job starts, that the data, the network and the extractor that a study names can be used.

Reading takes time, so images are read only if the study's data set has still to be built, and a network only if it has
still to be copied.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from underpainting.io import archives, network_config
from underpainting.io.errors import InputError, Problem, gathered, problems_of
from underpainting.io.messages import quote
from underpainting.io.network_config import component_folder
from underpainting.noise.families import UnknownPathError, family_of
from underpainting_workflow import text_preflight
from underpainting_workflow.studies import counts
from underpainting_workflow.studies.denoiser import HubDenoiser, PathDenoiser, PickledDenoiser, ReferenceDenoiser
from underpainting_workflow.studies.files.sources import dataset, needed, network, of_network
from underpainting_workflow.studies.loading import AnyStudy
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy

log = logging.getLogger(__name__)

RETRAIN = "--config retrain=true"
Kind = TypeVar("Kind", bound=AnyStudy)
Checks: TypeAlias = Mapping[str, Callable[[Kind, Path], None]]


def check_all(studies: Mapping[str, AnyStudy], folder: str | Path) -> None:
    """Check every study; images last, and only if all other checks pass, since reading them takes longest.

    Args:
        studies: by name.
        folder: of the study files.

    Raises:
        InputError: data, networks or weights are missing or do not fit; holds the problems of all studies.
    """
    for place in (Path(root, name) for root in ("results", "logs") for name in ("", *studies)):
        if (place.exists() or place.is_symlink()) and not place.is_dir():
            raise InputError(Problem("a folder belongs here, but this is a file", "move it away", file=str(place)))
    of_images = {name: study for name, study in studies.items() if isinstance(study, Study)}
    of_text = {name: study for name, study in studies.items() if isinstance(study, TextToImageStudy)}
    quick: Checks[Study] = {"teleport.extractor": _check_extractor, "denoiser": _check_new_network}
    text: Checks[TextToImageStudy] = {
        "dataset": text_preflight.check_data,
        "denoiser": text_preflight.check_model,
        "distance": text_preflight.check_distance,
        "teleport": text_preflight.check_teleport,
    }
    device: Checks[AnyStudy] = {"device": _check_device}
    problems = _found(studies, device, folder) + _found(of_images, quick, folder) + _found(of_text, text, folder)
    if problems := problems or _found(of_images, {"dataset": _check_images}, folder):
        raise InputError(*problems)


def _found(studies: Mapping[str, Kind], checks: Checks[Kind], folder: str | Path) -> list[Problem]:
    """Run checks, by the key of which they speak, on every study, and return their problems."""
    problems: list[Problem] = []
    for (name, study), (key, check) in product(studies.items(), checks.items()):
        file = Path(folder) / f"{name}.yaml"
        with gathered(problems, file), _reachable(key):
            check(study, file)
    return problems


@contextmanager
def _reachable(key: str) -> Iterator[None]:
    """Report errors of the operating system as a problem of a key."""
    try:
        yield
    except OSError as error:
        if isinstance(error, InputError):
            raise
        problem = f"{quote(error.filename)} cannot be read ({error.strerror or error})"
        raise InputError(Problem(problem, "correct the path, or its permissions", key)) from error


def _check_images(study: Study, file: Path) -> None:
    """Refuse too few or unusable images; images of a data set that is built are not read again."""
    artifact = Path(dataset(file.stem))
    described = _described(artifact) if _is_built(study, artifact) else None
    if described:
        attributes, count = described
        counts.check_number(study, count, len(attributes.get("class_names", ())))
        return
    from underpainting_workflow import suitability

    log.info("checking the images of the study %s", file.stem)
    if remark := suitability.check(study):
        log.warning("%s: dataset: %s.", file, remark)


def _is_built(study: Study, artifact: Path) -> bool:
    """Return whether the data set was made from the current files with the current settings."""
    if not artifact.is_file():
        return False
    files = [Path(file) for file in needed(study.dataset.files(), str(artifact))]
    built = artifact.stat().st_mtime
    current = all(file.is_file() and file.stat().st_mtime <= built for file in files)
    return current and _provenance(artifact).get("source") == study.dataset.settings()


def _is_copied(name: str, study: Study) -> bool:
    """Return whether the study's network is a copy of the current files or commit, and so was read completely."""
    index = Path(network(name))
    if not index.is_file():
        return False
    copied, settings = index.stat().st_mtime, study.denoiser.settings()
    files = [Path(file) for file in of_network(name, study)]
    current = all(file.is_file() and file.stat().st_mtime <= copied for file in files)
    made = _provenance(index.with_name("schedule.zarr.zip")).get("config") or {}
    return current and all(made.get(key) == value for key, value in settings.items())


def _is_pulled(study: Study, artifact: Path) -> bool:
    """Return whether the network is here, but not the folder from which it was copied."""
    denoiser = study.denoiser
    return (
        isinstance(denoiser, PathDenoiser | PickledDenoiser) and artifact.is_file() and not Path(denoiser.path).exists()
    )


def _provenance(artifact: Path) -> dict[str, Any]:
    """Return the provenance of an artifact, read without its arrays; empty if it cannot be read."""
    found = archives.metadata_of(artifact, "")
    try:
        return dict(json.loads(found[0]["attributes"]["provenance"])) if found else {}
    except archives.DAMAGE:
        return {}


def _described(artifact: Path) -> tuple[dict[str, Any], int] | None:
    """Return a data set's attributes and its number of images, read without its arrays; None if they cannot be read."""
    found = archives.metadata_of(artifact, "", "images")
    try:
        return (dict(found[0]["attributes"]), int(found[1]["shape"][0])) if found else None
    except archives.DAMAGE:
        return None


def _check_extractor(study: Study, _: Path) -> None:
    """Refuse Inception's features if its weights are missing."""
    if study.teleport.extractor.name != "inception-v3-compat":
        return
    from underpainting.quality.extractors import find_inception_weights

    with problems_of("", "teleport.extractor.weights"):
        find_inception_weights(study.teleport.extractor.weights)


def _check_device(study: AnyStudy, _: Path) -> None:
    """Refuse a study that requires a CUDA device if there is none."""
    if study.device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        remedy = "use auto or cpu, or run on a machine that has one"
        raise InputError(Problem("torch sees no CUDA device", remedy, "device"))


def _check_new_network(study: Study, file: Path) -> None:
    """Refuse a network that does not fit the study; read it completely if it has still to be copied."""
    if not _is_pulled(study, Path(network(file.stem))):
        check_denoiser(study, read=not _is_copied(file.stem, study))


def check_denoiser(study: Study, read: bool = True) -> None:
    """Refuse a network that does not fit the study, if the network is on this machine.

    Args:
        study: the study.
        read: whether to read every tensor of the network.

    Raises:
        InputError: it is missing, incomplete, damaged, not trusted, or made for other images or steps.
    """
    found = _network_of(study)
    if found and read:
        check_readable(*found)


def _network_of(study: Study) -> tuple[Path, str] | None:
    """Check the configuration of a complete network on this machine; return its folder and the key that names it."""
    denoiser = study.denoiser
    if isinstance(denoiser, PathDenoiser):
        check_network(study, denoiser.path, "denoiser.path", denoiser.obtain or "correct it, or use source: train")
        return Path(denoiser.path), "denoiser.path"
    if isinstance(denoiser, ReferenceDenoiser):
        remedy = f"correct it, or train the network: denoiser.source: train, or {RETRAIN}"
        check_network(study, denoiser.folder, "denoiser.folder", remedy)
        check_description(denoiser)
        return Path(denoiser.folder), "denoiser.folder"
    if isinstance(denoiser, PickledDenoiser):
        check_pickle(denoiser)
    elif isinstance(denoiser, HubDenoiser):
        from underpainting.denoisers import find_cached, weights

        if found := find_cached(denoiser.repository, denoiser.revision):
            check_fit(study, found, "denoiser.revision")
            return (found, "denoiser.revision") if weights.are_complete(component_folder(found, "unet")) else None
    return None


def check_readable(folder: Path, key: str) -> None:
    """Read a network; refuse an unknown kind or noise schedule, and weights that do not match its configuration.

    Args:
        folder: of the network.
        key: the key that names the folder.

    Raises:
        InputError: it cannot be used.
    """
    from underpainting.denoisers import edm_code, load_network, load_schedule, weights

    unet = component_folder(folder, "unet")
    with problems_of("", key):
        if network_config.read_config(unet / "config.json").get("_class_name") == edm_code.CLASS_NAME:
            # written by code that is not run here
            load_schedule(component_folder(folder, "scheduler"))
            weights.read_weights(unet)
        else:
            load_network(folder)


def check_pickle(denoiser: PickledDenoiser) -> None:
    """Refuse a pickle that is not trusted, or whose file or code are missing; its bytes are checked when it is opened.

    Raises:
        InputError: it is refused.
    """
    with problems_of("", "denoiser"):
        if not denoiser.trust_pickle:
            problem = f"{denoiser.path} is a pickle, which can run any code when it is opened"
            raise InputError(Problem(problem, "set it to true if you trust who made the file", "trust_pickle"))
        if not denoiser.sha256:
            remedy = f"compare what `sha256sum {denoiser.path}` prints with its publisher's, and write it there"
            raise InputError(Problem("without it no pickle is opened", remedy, "sha256"))
        if not Path(denoiser.path).is_file():
            raise InputError(Problem(f"there is no file {denoiser.path}", denoiser.obtain or "correct it", "path"))
        for part in ("dnnlib", "torch_utils", "training/networks.py"):
            if not (Path(denoiser.code) / part).exists():
                remedy = denoiser.obtain or "name the folder of NVlabs' official EDM code"
                raise InputError(Problem(f"{denoiser.code} holds no {part}", remedy, "code"))


def check_network(study: Study, path: str, key: str, remedy: str) -> None:
    """Refuse a folder without a network in safetensors for images of the study's size.

    Args:
        study: the study.
        path: the folder, as diffusers writes it.
        key: the key that names the folder.
        remedy: what to do if there is no such folder.

    Raises:
        InputError: a file is missing, or the network is made for other images or steps.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(Problem(f"there is no folder {folder}", remedy, key))
    unet, scheduler = component_folder(folder, "unet"), component_folder(folder, "scheduler")
    weights = "diffusion_pytorch_model.safetensors"
    needed = {
        unet / "config.json": "give a folder written by a diffusers pipeline's save_pretrained",
        unet / weights: "convert the weights to safetensors first; a pickle is never opened (docs/weights.md)",
        scheduler / "scheduler_config.json": "add the scheduler_config.json that belongs to the network",
    }
    # shards and variants have longer names; the reader chooses among them
    patterns = {part: "diffusion_pytorch_model*.safetensors" if part.name == weights else part.name for part in needed}
    missing = [part for part, pattern in patterns.items() if not any(part.parent.glob(pattern))]
    if missing:
        raise InputError(
            *(Problem(f"{folder} holds no {part.relative_to(folder)}", needed[part], key) for part in missing)
        )
    check_fit(study, folder, key)


def check_fit(study: Study, folder: Path, key: str) -> None:
    """Refuse a network whose configuration or noise schedule, if present, does not fit the study.

    Args:
        study: the study.
        folder: of the network.
        key: the key that names the folder.

    Raises:
        InputError: one of them does not.
    """
    network = component_folder(folder, "unet") / "config.json"
    schedule = component_folder(folder, "scheduler") / "scheduler_config.json"
    if network.is_file():
        check_shape(study, settings_of(network, key))
    if schedule.is_file():
        settings = settings_of(schedule, key)
        times = settings.get("num_train_timesteps", 1000)
        if not isinstance(times, int) or times < 1:
            problem = f"num_train_timesteps in {schedule} is {quote(times)}, no number of times"
            raise InputError(Problem(problem, "repair that file", key))
        check_samplers(study, times)
        if settings.get("steps_offset"):
            check_grids(study, settings)


def settings_of(config: Path, key: str) -> dict[str, Any]:
    """Return the settings in one of diffusers' JSON files, which lies in the folder that a key names."""
    with problems_of("", key):
        return network_config.read_config(config)


def check_description(denoiser: ReferenceDenoiser) -> None:
    """Refuse a shipped network that differs from the one that the study's keys describe.

    Raises:
        InputError: a key differs.
    """
    folder = Path(denoiser.folder)
    network = settings_of(component_folder(folder, "unet") / "config.json", "denoiser.folder")
    schedule = settings_of(component_folder(folder, "scheduler") / "scheduler_config.json", "denoiser.folder")
    kinds = network.pop("down_block_types", ())
    network["attention_levels"] = sum(kind.startswith("Attn") for kind in kinds)
    own = denoiser.used()
    described: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "training": ({"prediction_type": denoiser.training.prediction_type}, {"prediction_type": kind_of(schedule)}),
        "architecture": (denoiser.model_dump(mode="json")["architecture"], network),
    }
    described |= {section: (own[section], schedule) for section in ("schedule", "edm") if section in own}
    remedy = f"correct it, or train such a network: denoiser.source: train, or {RETRAIN}"
    problems = [
        Problem(
            f"{value} is not that of the network in {folder}, {found.get(key)}", remedy, f"denoiser.{section}.{key}"
        )
        for section, (expected, found) in described.items()
        for key, value in expected.items()
        if found.get(key) != value
    ]
    if problems:
        raise InputError(*problems)


def kind_of(schedule: Mapping[str, Any]) -> str:
    """Return a network's prediction type, in the words of `denoiser.training`, from its scheduler's configuration."""
    try:
        family = family_of(str(schedule.get("_class_name", "")))
    except UnknownPathError:
        return "unknown"
    return {"EDM": "edm", "flow matching": "flow"}.get(family) or str(schedule.get("prediction_type", "epsilon"))


def check_samplers(study: Study, times: int) -> None:
    """Refuse samplers that cannot take their steps on the discrete times of the network.

    Raises:
        InputError: a sampler cannot.
    """
    for key, choice in study.choices():
        problem = choice.misfit(times)
        if choice.steps > times:
            problem = Problem(f"{choice.id} takes more steps than the network's {times} times", "lower its steps")
        if problem:
            raise InputError(problem.within(key=f"{key}.samplers"))


def check_grids(study: Study, schedule: Mapping[str, Any]) -> None:
    """Refuse samplers that cannot take their steps on the network's shifted times, if its folder shifts them.

    Raises:
        InputError: a sampler cannot.
    """
    from underpainting.samplers import trajectories

    for key, choice in study.choices():
        if choice.kind.relative:
            continue
        try:
            trajectories.make_sampler(choice.model_dump(), schedule)
        except ValueError as error:
            problem = f"{error} (with the model's steps_offset of {schedule['steps_offset']})"
            raise InputError(Problem(problem, "lower its steps", f"{key}.samplers")) from error


def check_shape(study: Study, network: Mapping[str, object]) -> None:
    """Refuse a network for images of another size or with another number of channels than the study's.

    Args:
        study: the study.
        network: the network's configuration.

    Raises:
        InputError: the network is for other images.
    """
    with problems_of("", "denoiser"):
        size = network_config.image_size(network)
    if size is not None and size != study.dataset.image_size:
        problem = f"{study.dataset.image_size} pixels do not fit a network for images of {size}"
        remedy = f"set dataset.image_size: {size} and dataset.resize: crop"
        raise InputError(Problem(problem, remedy, "dataset.image_size"))
    if (channels := network.get("in_channels", 3)) != study.dataset.channels:
        problem = f"{study.dataset.channels} channels do not fit a network for images of {channels}"
        raise InputError(Problem(problem, f"set dataset.channels: {channels}", "dataset.channels"))
