"""Check, before any job starts, that the data and the latent model that a text-to-image study names can be used."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from underpainting.io.errors import InputError, Problem, problems_of
from underpainting_workflow.studies.text_to_image.denoiser import FolderModel, HubModel, ShippedModel
from underpainting_workflow.studies.text_to_image.files import model
from underpainting_workflow.studies.text_to_image.models import TextToImageStudy
from underpainting_workflow.studies.text_to_image.perturbation import LpipsDistance


def check_model(study: TextToImageStudy, file: Path) -> None:
    """Refuse a model of another kind, and prompts that are too long for it, if the model is on this machine.

    Raises:
        InputError: a component or its weights are missing, the model is of another kind, or a prompt is too long.
    """
    key, folder = _folder(study)
    if folder is None or (Path(model(file.stem)["index"]).is_file() and not folder.exists()):
        return
    if not folder.is_dir():
        remedy = getattr(study.denoiser, "obtain", "") or "correct it, or train the model: denoiser.source: train"
        raise InputError(Problem(f"there is no folder {folder}", remedy, key))
    from underpainting.denoisers import latent_folders, latent_model

    with problems_of("", key):
        layout = latent_folders.read_layout(folder)
        tokenizer = latent_model.load_tokenizer(folder / "tokenizer")
    with problems_of("", "prompts"):
        latent_model.require_short(tokenizer, study.prompts, layout)
    if study.teleport is not None:
        with problems_of("", "teleport.known"):
            latent_model.require_short(tokenizer, study.teleport.prompts, layout)


def _folder(study: TextToImageStudy) -> tuple[str, Path | None]:
    """Return the key that names the model, and its folder if it is on this machine."""
    if isinstance(study.denoiser, HubModel):
        from underpainting.denoisers import find_cached

        return "denoiser.revision", find_cached(study.denoiser.repository, study.denoiser.revision)
    if isinstance(study.denoiser, ShippedModel):
        return "denoiser.folder", Path(study.denoiser.folder)
    return ("denoiser.path", Path(study.denoiser.path)) if isinstance(study.denoiser, FolderModel) else ("", None)


def check_data(study: TextToImageStudy, file: Path) -> None:
    """Refuse a study whose files of images are missing while its data set has still to be made.

    Raises:
        InputError: a file is missing.
    """
    if study.dataset is None or Path(f"results/{file.stem}/dataset.zarr.zip").is_file():
        return
    if missing := [name for name in study.dataset.files() if not Path(name).is_file()]:
        remedy = "put MNIST's files there, name another folder, or use digits: sklearn"
        raise InputError(Problem(f"there is no file {missing[0]}", remedy, "dataset.root"))


def check_distance(study: TextToImageStudy, _: Path) -> None:
    """Refuse LPIPS without its package or the weights of its backbone.

    Raises:
        InputError: one of them is missing.
    """
    if not isinstance(distance := study.distance_used, LpipsDistance):
        return
    if find_spec("lpips") is None:
        raise InputError(Problem("the package lpips is not installed", "run pip install lpips", "distance.name"))
    if not Path(distance.weights).is_file():
        problem = f"there is no file {distance.weights}"
        raise InputError(Problem(problem, "put torchvision's SqueezeNet 1.1 there", "distance.weights"))


def check_teleport(study: TextToImageStudy, _: Path) -> None:
    """Refuse prompts of the sweep that are no captions of the study's images: nothing could be measured of them.

    Raises:
        InputError: a prompt is no caption.
    """
    if study.teleport is None:
        return
    from underpainting.images import painted_digits

    for key, prompts in (("known", study.teleport.known), ("left_out", study.teleport.left_out)):
        with problems_of("", f"teleport.{key}"):
            for prompt in prompts:
                painted_digits.read_caption(prompt)
