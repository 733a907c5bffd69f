"""Checks before any job starts: can the data, the network and the extractor that a study names be used?

Reading every image takes time, so it is done only while the study's data set has still to be built.
"""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path

from underpainting.studies.errors import StudyError
from underpainting.studies.files import sources
from underpainting.studies.models import PathDenoiser, Study

log = logging.getLogger(__name__)


def check_all(studies: Mapping[str, Study], folder: str | Path, results: str | Path = "results") -> None:
    """Check every study.

    Args:
        studies: by name.
        folder: of the study files, for messages.
        results: where artifacts go.

    Raises:
        StudyError: data, network or weights are missing or do not fit.
    """
    for name, study in studies.items():
        file = Path(folder) / f"{name}.yaml"
        check_extractor(study, file)
        check_device(study, file)
        if isinstance(study.denoiser, PathDenoiser):
            check_network(study, study.denoiser.path, file)
        if not _is_built(study, Path(results) / name / "dataset.zarr.zip"):
            from underpainting import datasets

            log.info("checking the images of the study %s", name)
            datasets.check(study, file)


def _is_built(study: Study, artifact: Path) -> bool:
    """Is the data set made from these very files, by these very settings?"""
    if not artifact.is_file():
        return False
    files = [Path(file) for file in sources(study.dataset)]
    built = artifact.stat().st_mtime
    current = all(file.is_file() and file.stat().st_mtime <= built for file in files)
    return current and _settings(artifact) == study.dataset.settings()


def _settings(artifact: Path) -> object:
    """The settings from which a data set was made, read without opening its arrays."""
    try:
        with zipfile.ZipFile(artifact) as archive:
            attributes = json.loads(archive.read("zarr.json"))["attributes"]
        return json.loads(attributes["provenance"])["source"]
    except (zipfile.BadZipFile, KeyError, ValueError):
        return None


def check_extractor(study: Study, file: Path) -> None:
    """Are Inception's weights where the study says they are?"""
    if study.teleport.extractor.name != "inception-v3-compat":
        return
    from underpainting.fidelity import inception_weights

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


def check_network(study: Study, path: str, file: Path) -> None:
    """Is there a network in a diffusers folder, in safetensors, for images of the study's size?"""
    folder = Path(path)
    unet = folder / "unet" if (folder / "unet").is_dir() else folder
    if not folder.is_dir():
        raise StudyError(file, "denoiser.path", f"there is no folder {folder}", "correct it, or use source: train")
    config = unet / "config.json"
    if not config.is_file():
        remedy = "give a folder written by a diffusers pipeline's save_pretrained"
        raise StudyError(file, "denoiser.path", f"{folder} holds no unet/config.json", remedy)
    if not (unet / "diffusion_pytorch_model.safetensors").is_file():
        remedy = "convert the weights to safetensors first; a pickle is never opened (docs/weights.md)"
        raise StudyError(file, "denoiser.path", f"{unet} holds no diffusion_pytorch_model.safetensors", remedy)
    check_shape(study, json.loads(config.read_text(encoding="utf-8")), file)
    scheduler = folder / "scheduler" if (folder / "scheduler").is_dir() else folder
    if not (scheduler / "scheduler_config.json").is_file():
        remedy = "add the scheduler_config.json that belongs to the network"
        raise StudyError(file, "denoiser.path", f"{folder} holds no scheduler/scheduler_config.json", remedy)
    settings = json.loads((scheduler / "scheduler_config.json").read_text(encoding="utf-8"))
    check_samplers(study, int(settings.get("num_train_timesteps", 1000)), file)


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


def check_shape(study: Study, network: Mapping[str, object], file: Path) -> None:
    """Does a network's configuration fit the study's images?"""
    size, channels = network.get("sample_size"), network.get("in_channels")
    if isinstance(size, (list, tuple)):
        size = size[0] if len(set(size)) == 1 else size
    if size is not None and size != study.dataset.image_size:
        problem = f"{study.dataset.image_size} pixels do not fit a network for images of {size}"
        raise StudyError(
            file, "dataset.image_size", problem, f"set dataset.image_size: {size} and dataset.resize: crop"
        )
    if channels != study.dataset.channels:
        problem = f"{study.dataset.channels} channels do not fit a network for images of {channels}"
        raise StudyError(file, "dataset.channels", problem, f"set dataset.channels: {channels}")
