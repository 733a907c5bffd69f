"""What a study is made from: data, networks that lie somewhere, weights of an extractor."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from underpainting.io import third_party_code
from underpainting_workflow.studies.data import DatasetBase, FolderDataset, NpzDataset, TorchvisionDataset
from underpainting_workflow.studies.denoiser import OwnDenoiser, PathDenoiser, PickledDenoiser, ReferenceDenoiser
from underpainting_workflow.studies.files import stages
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import InceptionExtractor

# of all kinds of pictures, so that none is passed over: those that Pillow does not know are refused by name
# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".jxl", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".svg", ".tga", ".tif", ".tiff", ".webp",
})
# fmt: on


def image_files(folder: Path) -> list[Path]:
    """The image files below a folder, sorted, links to files and folders followed; hidden ones are passed over.

    A link that leads nowhere is among them, so that who reads it says so.
    """
    files = (file for file in _followed(folder, set()) if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(file for file in files if file.is_file() or not file.exists())


def _followed(folder: Path, above: set[str]) -> Iterator[Path]:
    """Everything below a folder that is not hidden; a folder is not entered within itself."""
    if (place := os.path.realpath(folder)) in above:
        return
    for entry in folder.iterdir():
        if not entry.name.startswith("."):
            if entry.is_dir():
                yield from _followed(entry, {*above, place})
            else:
                yield entry


def read_by(dataset: DatasetBase) -> list[str]:
    """The files that a data source reads; none for what comes from a package, the Hub or a download."""
    if isinstance(dataset, NpzDataset):
        return [dataset.path]
    if isinstance(dataset, FolderDataset):
        return [file.as_posix() for file in image_files(Path(dataset.path))]
    if isinstance(dataset, TorchvisionDataset) and not dataset.download:
        folder = Path(dataset.root)
        folder = folder / dataset.name if (folder / dataset.name).is_dir() else folder
        return [file.as_posix() for file in sorted(folder.rglob("*")) if file.is_file()]
    return []


def needed(found: list[str], made: str) -> list[str]:
    """Source files; none, where none is here but what was made from them is: others' results are pulled without raw data."""
    return found if not Path(made).is_file() or any(Path(file).exists() for file in found) else []


def dataset(name: str) -> str:
    """The images of a study."""
    return f"results/{name}/dataset.zarr.zip"


def network(name: str) -> str:
    """The file of the denoiser that is written last."""
    return f"results/{name}/denoiser/model_index.json"


def of_dataset(name: str, study: Study) -> list[str]:
    """What the images are made from: files, or a whole folder of images, of which there may be a hundred thousand."""
    found = [study.dataset.path] if isinstance(study.dataset, FolderDataset) else read_by(study.dataset)
    return needed(found, dataset(name))


def of_network(name: str, study: Study) -> list[str]:
    """The files of a denoiser that lies in a folder, or of a pickle and of the code that opens it."""
    if isinstance(study.denoiser, PickledDenoiser):
        found = needed([study.denoiser.path], network(name))
        return found and found + [file.as_posix() for file in third_party_code.files(study.denoiser.code)]
    if not isinstance(study.denoiser, PathDenoiser | ReferenceDenoiser):
        return []
    files = Path(study.denoiser.place).rglob("*")
    return sorted(file.as_posix() for file in files if file.suffix in (".json", ".safetensors"))


def sampler_of_network(study: Study) -> dict[str, dict[str, object]]:
    """What the scheduler of a copied network says of the study's main sampler, where that is a DDIM with settings of its own."""
    main, denoiser = stages.headline_first(study.trajectories)[0], study.denoiser
    other_path = isinstance(denoiser, OwnDenoiser) and denoiser.training.prediction_type in ("edm", "flow")
    if main.name != "ddim" or other_path or isinstance(denoiser, PickledDenoiser):
        return {}
    chosen = {"timestep_spacing": main.timestep_spacing, "clip_sample": main.clip_sample}
    found: dict[str, object] = {key: value for key, value in chosen.items() if value not in (None, "leading", False)}
    return {"sampler": found} if found else {}


def code_folders(studies: Mapping[str, Study]) -> list[str]:
    """Where the official code of EDM lies, for the studies whose networks need it."""
    return [study.denoiser.code for study in studies.values() if isinstance(study.denoiser, PickledDenoiser)]


def of_extractor(name: str, study: Study) -> list[str]:
    """What features are extracted with: the study's classifier, or Inception's weights if the study names them."""
    if isinstance(study.teleport.extractor, InceptionExtractor):
        weights = study.teleport.extractor.weights
        return [weights] if weights else []
    return [f"results/{name}/classifier.safetensors"]
