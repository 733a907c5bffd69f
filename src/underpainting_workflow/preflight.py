"""Checks before any job starts: can the data, the network and the extractor that a study names be used?

Reading every image takes time, so it is done only while the study's data set has still to be built; and reading a network only
while it has still to be copied.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from underpainting.io import archives, network_config
from underpainting.io.messages import shown
from underpainting.noise.families import UnknownPathError, family_of
from underpainting_workflow.studies import counts
from underpainting_workflow.studies.denoiser import HubDenoiser, PathDenoiser, PickledDenoiser, ReferenceDenoiser
from underpainting_workflow.studies.errors import WHOLE_FILE, StudyError
from underpainting_workflow.studies.files.sources import dataset, needed, network, of_network
from underpainting_workflow.studies.models import Study

log = logging.getLogger(__name__)

RETRAIN = "--config retrain=true"


def check_all(studies: Mapping[str, Study], folder: str | Path) -> None:
    """Check every study.

    Args:
        studies: by name.
        folder: of the study files, for messages.

    Raises:
        StudyError: data, network or weights are missing or do not fit.
    """
    for place in (Path(root, name) for root in ("results", "logs") for name in ("", *studies)):
        if (place.exists() or place.is_symlink()) and not place.is_dir():
            raise StudyError(place, WHOLE_FILE, "a folder belongs here, but this is a file", "move it away")
    for name, study in studies.items():
        file = Path(folder) / f"{name}.yaml"
        with _reachable(file, "teleport.extractor"):
            check_extractor(study, file)
        check_device(study, file)
        with _reachable(file, "denoiser"):
            if not _is_pulled(study, Path(network(name))):
                check_denoiser(study, file, read=not _is_copied(name, study))
        with _reachable(file, "dataset"):
            check_images(study, Path(dataset(name)), file, name)


@contextmanager
def _reachable(file: Path, key: str) -> Iterator[None]:
    """What the operating system refuses is an error of the study's."""
    try:
        yield
    except OSError as error:
        problem = f"{shown(error.filename)} cannot be read ({error.strerror or error})"
        raise StudyError(file, key, problem, "correct the path, or its permissions") from error


def check_images(study: Study, artifact: Path, file: Path, name: str) -> None:
    """Do the images suffice? They are read while the data set has still to be built; else their number is known."""
    described = _described(artifact) if _is_built(study, artifact) else None
    if described:
        attributes, count = described
        counts.check_number(study, count, len(attributes.get("class_names", ())), file)
        return
    from underpainting_workflow import suitability

    log.info("checking the images of the study %s", name)
    suitability.check(study, file)


def _is_built(study: Study, artifact: Path) -> bool:
    """Is the data set made from these very files, by these very settings?"""
    if not artifact.is_file():
        return False
    files = [Path(file) for file in needed(study.dataset.files(), str(artifact))]
    built = artifact.stat().st_mtime
    current = all(file.is_file() and file.stat().st_mtime <= built for file in files)
    return current and _provenance(artifact).get("source") == study.dataset.settings()


def _is_copied(name: str, study: Study) -> bool:
    """Is the study's network a copy of these very files, or of this commit? Then it was read, tensor by tensor."""
    index = Path(network(name))
    if not index.is_file():
        return False
    copied, settings = index.stat().st_mtime, study.denoiser.settings()
    files = [Path(file) for file in of_network(name, study)]
    current = all(file.is_file() and file.stat().st_mtime <= copied for file in files)
    made = _provenance(index.with_name("schedule.zarr.zip")).get("config") or {}
    return current and all(made.get(key) == value for key, value in settings.items())


def _is_pulled(study: Study, artifact: Path) -> bool:
    """Is the network here, though not the folder that it once came from?"""
    denoiser = study.denoiser
    return (
        isinstance(denoiser, PathDenoiser | PickledDenoiser) and artifact.is_file() and not Path(denoiser.path).exists()
    )


def _provenance(artifact: Path) -> dict[str, Any]:
    """What an artifact says of its making, read without opening its arrays; nothing, if it cannot be read."""
    found = archives.metadata_of(artifact, "")
    try:
        return dict(json.loads(found[0]["attributes"]["provenance"])) if found else {}
    except archives.DAMAGE:
        return {}


def _described(artifact: Path) -> tuple[dict[str, Any], int] | None:
    """A data set's attributes and its number of images, read without opening its arrays; None if they cannot be read."""
    found = archives.metadata_of(artifact, "", "images")
    try:
        return (dict(found[0]["attributes"]), int(found[1]["shape"][0])) if found else None
    except archives.DAMAGE:
        return None


def check_extractor(study: Study, file: Path) -> None:
    """Are Inception's weights where the study says they are?"""
    if study.teleport.extractor.name != "inception-v3-compat":
        return
    from underpainting.quality.extractors import inception_weights

    try:
        inception_weights(study.teleport.extractor.weights)
    except FileNotFoundError as error:
        problem, _, remedy = str(error).partition(": ")
        raise StudyError(file, "teleport.extractor.weights", problem, remedy) from error


def check_device(study: Study, file: Path) -> None:
    """Is there a CUDA device, where the study insists on one?"""
    if study.device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        raise StudyError(
            file, "device", "torch sees no CUDA device", "use auto or cpu, or run on a machine that has one"
        )


def check_denoiser(study: Study, file: Path, read: bool = True) -> None:
    """Does the network fit the study, where it is on this machine already?

    Args:
        study: the study.
        file: the study file, for messages.
        read: whether to read the network, every tensor of it.
    """
    found = _network_of(study, file)
    if found and read:
        folder, key = found
        check_readable(folder, file, key)


def _network_of(study: Study, file: Path) -> tuple[Path, str] | None:
    """The folder of a network that is complete here, its configuration checked, and the key that names it."""
    denoiser = study.denoiser
    if isinstance(denoiser, PathDenoiser):
        remedy = denoiser.obtain or "correct it, or use source: train"
        check_network(study, denoiser.path, file, "denoiser.path", remedy)
        return Path(denoiser.path), "denoiser.path"
    if isinstance(denoiser, ReferenceDenoiser):
        remedy = f"correct it, or train the network: denoiser.source: train, or {RETRAIN}"
        check_network(study, denoiser.folder, file, "denoiser.folder", remedy)
        check_description(denoiser, file)
        return Path(denoiser.folder), "denoiser.folder"
    if isinstance(denoiser, PickledDenoiser):
        check_pickle(denoiser, file)
    elif isinstance(denoiser, HubDenoiser):
        from underpainting.denoisers import cached, weights

        if found := cached(denoiser.repository, denoiser.revision):
            check_fit(study, found, file, "denoiser.revision")
            return (found, "denoiser.revision") if weights.are_complete(part_of(found, "unet")) else None
    return None


def check_readable(folder: Path, file: Path, key: str) -> None:
    """Are network and noise schedule of a kind that is known, and the weights those of the network? By reading them."""
    from underpainting.denoisers import load_network, load_schedule, official, weights

    unet = part_of(folder, "unet")
    try:
        if settings_of(unet / "config.json", file, key).get("_class_name") == official.CLASS_NAME:
            # made by code that is not run here
            load_schedule(part_of(folder, "scheduler"))
            weights.read(unet)
        else:
            load_network(folder)
    except (FileNotFoundError, ValueError) as error:
        if isinstance(error, StudyError):
            raise
        problem, _, remedy = str(error).rpartition("; ")
        raise StudyError(file, key, problem or remedy, remedy if problem else "repair that folder") from error


def check_pickle(denoiser: PickledDenoiser, file: Path) -> None:
    """May the pickle be opened, and is all there that it needs? Its bytes are looked at when it is opened, and before."""
    if not denoiser.trust_pickle:
        problem = f"{denoiser.path} is a pickle, which can run any code when it is opened"
        raise StudyError(file, "denoiser.trust_pickle", problem, "set it to true if you trust who made the file")
    if not denoiser.sha256:
        remedy = f"compare what `sha256sum {denoiser.path}` prints with its publisher's, and write it there"
        raise StudyError(file, "denoiser.sha256", "without it no pickle is opened", remedy)
    if not Path(denoiser.path).is_file():
        raise StudyError(file, "denoiser.path", f"there is no file {denoiser.path}", denoiser.obtain or "correct it")
    for part in ("dnnlib", "torch_utils", "training/networks.py"):
        if not (Path(denoiser.code) / part).exists():
            remedy = denoiser.obtain or "name the folder of NVlabs' official EDM code"
            raise StudyError(file, "denoiser.code", f"{denoiser.code} holds no {part}", remedy)


def check_network(study: Study, path: str, file: Path, key: str, remedy: str) -> None:
    """Is there a network in a diffusers folder, in safetensors, for images of the study's size?

    Args:
        study: the study.
        path: the folder.
        file: the study file, for messages.
        key: the key that names the folder.
        remedy: what to do if there is no such folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise StudyError(file, key, f"there is no folder {folder}", remedy)
    unet, scheduler = part_of(folder, "unet"), part_of(folder, "scheduler")
    weights = "diffusion_pytorch_model.safetensors"
    needed = {
        unet / "config.json": "give a folder written by a diffusers pipeline's save_pretrained",
        unet / weights: "convert the weights to safetensors first; a pickle is never opened (docs/weights.md)",
        scheduler / "scheduler_config.json": "add the scheduler_config.json that belongs to the network",
    }
    for part, missing in needed.items():
        # shards and variants have longer names; which of them serve is looked at where they are read
        there = any(unet.glob("diffusion_pytorch_model*.safetensors")) if part.name == weights else part.is_file()
        if not there:
            raise StudyError(file, key, f"{folder} holds no {part.relative_to(folder)}", missing)
    check_fit(study, folder, file, key)


def check_fit(study: Study, folder: Path, file: Path, key: str) -> None:
    """Do a network's configuration and its noise schedule fit the study, as far as they are there?"""
    network = part_of(folder, "unet") / "config.json"
    schedule = part_of(folder, "scheduler") / "scheduler_config.json"
    if network.is_file():
        check_shape(study, settings_of(network, file, key), file)
    if schedule.is_file():
        settings = settings_of(schedule, file, key)
        times = settings.get("num_train_timesteps", 1000)
        if not isinstance(times, int) or times < 1:
            problem = f"num_train_timesteps in {schedule} is {shown(times)}, no number of times"
            raise StudyError(file, key, problem, "repair that file")
        check_samplers(study, times, file)
        if settings.get("steps_offset"):
            check_grids(study, settings, file)


def part_of(folder: Path, name: str) -> Path:
    """A part of a pipeline folder; the folder itself in the oldest layout, where all files lie side by side."""
    return folder / name if (folder / name).is_dir() else folder


def settings_of(config: Path, file: Path, key: str) -> dict[str, Any]:
    """The settings in one of diffusers' JSON files."""
    try:
        return network_config.settings(config)
    except ValueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise StudyError(file, key, problem, remedy) from error


def check_description(denoiser: ReferenceDenoiser, file: Path) -> None:
    """Is the network in the folder the one that the study describes and would train?"""
    folder = Path(denoiser.folder)
    network = settings_of(part_of(folder, "unet") / "config.json", file, "denoiser.folder")
    schedule = settings_of(part_of(folder, "scheduler") / "scheduler_config.json", file, "denoiser.folder")
    kinds = network.pop("down_block_types", ())
    network["attention_levels"] = sum(kind.startswith("Attn") for kind in kinds)
    own = denoiser.used()
    described: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "training": ({"prediction_type": denoiser.training.prediction_type}, {"prediction_type": kind_of(schedule)}),
        "architecture": (denoiser.model_dump(mode="json")["architecture"], network),
    }
    described |= {section: (own[section], schedule) for section in ("schedule", "edm") if section in own}
    for section, (expected, found) in described.items():
        for key, value in expected.items():
            if found.get(key) != value:
                problem = f"{value} is not that of the network in {folder}, {found.get(key)}"
                remedy = f"correct it, or train such a network: denoiser.source: train, or {RETRAIN}"
                raise StudyError(file, f"denoiser.{section}.{key}", problem, remedy)


def kind_of(schedule: Mapping[str, Any]) -> str:
    """What a network predicts, as `denoiser.training.prediction_type` names it, from its scheduler's configuration."""
    try:
        family = family_of(str(schedule.get("_class_name", "")))
    except UnknownPathError:
        return "unknown"
    return {"EDM": "edm", "flow matching": "flow"}.get(family) or str(schedule.get("prediction_type", "epsilon"))


def check_samplers(study: Study, times: int, file: Path) -> None:
    """Can every sampler take its steps over the times that the network knows?"""
    for key, choice in study.choices():
        if choice.steps > times:
            raise StudyError(
                file,
                f"{key}.samplers",
                f"{choice.id} takes more steps than the network's {times} times",
                "lower its steps",
            )
        if misfit := choice.misfit(times):
            problem, _, remedy = misfit.partition(" | ")
            raise StudyError(file, f"{key}.samplers", f"{choice.id} over {times} times: {problem}", remedy)


def check_grids(study: Study, schedule: Mapping[str, Any], file: Path) -> None:
    """Can every sampler take its steps where the model's folder shifts its times? The samplers say it themselves."""
    from underpainting.samplers import trajectories

    for key, choice in study.choices():
        try:
            trajectories.make_sampler(choice.model_dump(), schedule)
        except ValueError as error:
            offset = f"with the model's steps_offset of {schedule['steps_offset']}"
            raise StudyError(file, f"{key}.samplers", f"{error} ({offset})", "lower its steps") from error


def check_shape(study: Study, network: Mapping[str, object], file: Path) -> None:
    """Does a network's configuration fit the study's images?"""
    try:
        size, channels = network_config.image_size(network), network.get("in_channels", 3)
    except ValueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise StudyError(file, "denoiser", problem, remedy) from error
    if size is not None and size != study.dataset.image_size:
        problem = f"{study.dataset.image_size} pixels do not fit a network for images of {size}"
        raise StudyError(
            file, "dataset.image_size", problem, f"set dataset.image_size: {size} and dataset.resize: crop"
        )
    if channels != study.dataset.channels:
        problem = f"{study.dataset.channels} channels do not fit a network for images of {channels}"
        raise StudyError(file, "dataset.channels", problem, f"set dataset.channels: {channels}")
