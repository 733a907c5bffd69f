"""Source files of a study: data, networks of a folder, weights of an extractor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from underpainting.io import third_party_code
from underpainting_workflow.studies.denoiser import OwnDenoiser, PathDenoiser, PickledDenoiser, ReferenceDenoiser
from underpainting_workflow.studies.files import stages
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import InceptionExtractor


def needed(found: list[str], made: str) -> list[str]:
    """Return the source files; none if all are missing but their product exists, as after a pull without raw data."""
    return found if not Path(made).is_file() or any(Path(file).exists() for file in found) else []


def dataset(name: str) -> str:
    """Return the artifact of a study's images."""
    return f"results/{name}/dataset.zarr.zip"


def network(name: str) -> str:
    """Return the file of the denoiser that is written last."""
    return f"results/{name}/denoiser/model_index.json"


def of_dataset(name: str, study: Study) -> list[str]:
    """Return the sources of the images: files, or a folder of possibly 100,000 images."""
    return needed(study.dataset.inputs(), dataset(name))


def of_network(name: str, study: Study) -> list[str]:
    """Return the files of a denoiser in a folder, or of a pickle and of the code that opens it."""
    if isinstance(study.denoiser, PickledDenoiser):
        found = needed([study.denoiser.path], network(name))
        return found and found + [file.as_posix() for file in third_party_code.files(study.denoiser.code)]
    if not isinstance(study.denoiser, PathDenoiser | ReferenceDenoiser):
        return []
    files = Path(study.denoiser.place).rglob("*")
    return sorted(file.as_posix() for file in files if file.suffix in (".json", ".safetensors"))


def sampler_of_network(study: Study) -> dict[str, dict[str, object]]:
    """Return the main sampler's settings for the scheduler of a copied network; empty unless it is a DDIM with any."""
    main, denoiser = stages.main_first(study.trajectories)[0], study.denoiser
    other_path = isinstance(denoiser, OwnDenoiser) and denoiser.training.prediction_type in ("edm", "flow")
    if main.name != "ddim" or other_path or isinstance(denoiser, PickledDenoiser):
        return {}
    chosen = {"timestep_spacing": main.timestep_spacing, "clip_sample": main.clip_sample}
    found: dict[str, object] = {key: value for key, value in chosen.items() if value not in (None, "leading", False)}
    return {"sampler": found} if found else {}


def code_folders(studies: Mapping[str, Study]) -> list[str]:
    """Return the folders of EDM's official code, for the studies whose networks need it."""
    return [study.denoiser.code for study in studies.values() if isinstance(study.denoiser, PickledDenoiser)]


def of_extractor(name: str, study: Study) -> list[str]:
    """Return the file of the feature extractor: the study's classifier, or Inception's weights if a study has them."""
    if isinstance(study.teleport.extractor, InceptionExtractor):
        weights = study.teleport.extractor.weights
        return [weights] if weights else []
    return [f"results/{name}/classifier.safetensors"]
