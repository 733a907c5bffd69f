"""Where features come from: Inception as torch-fidelity has it, or the networks that a study trains for the purpose."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from underpainting.io.errors import MissingFileError, Problem

if TYPE_CHECKING:
    from torch import Tensor

INCEPTION = "inception-v3-compat"
INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
FEATURES = {"": "features", "autoencoder_": "autoencoder_features"}
"""The sets of features of a study: what their columns in tables begin with, and the array that holds them."""

Extractor: TypeAlias = "Callable[[Tensor], Tensor]"


def inception_weights(path: str | None) -> Path:
    """Where Inception's weights are: the path given, or torch-fidelity's cache.

    Raises:
        FileNotFoundError: they are in neither place.
    """
    import torch

    found = Path(path) if path else Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE
    if not found.is_file():
        remedy = f"put torch-fidelity's {INCEPTION_FILE} there, give its path as teleport.extractor.weights, or use the extractor"
        raise MissingFileError(Problem(f"Inception's weights are not at {found}", f"{remedy} `classifier`"))
    return found


def inception_extractor(path: str | None) -> Extractor:
    """torch-fidelity's Inception v3, 2048 features of float64 arithmetic (independent of the batch size).

    Its own loader would execute the weights' pickle. Here they are read as tensors only, and handed on in a file
    that holds nothing else.
    """
    import torch
    from torch_fidelity.utils import create_feature_extractor

    found = inception_weights(path)
    if found.suffix == ".safetensors":
        from safetensors.torch import load_file

        weights = load_file(found)
    else:
        weights = torch.load(found, weights_only=True, map_location="cpu")
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "weights.pth"
        torch.save(weights, clean)
        network = create_feature_extractor(
            INCEPTION,
            ["2048"],
            cuda=False,
            verbose=False,
            feature_extractor_weights_path=str(clean),
            feature_extractor_internal_dtype="float64",
        )

    def extract(images: Tensor) -> Tensor:
        colour = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        features: Tensor = network(colour)[0]
        return features

    return extract


def classifier_extractor(path: str | Path) -> Extractor:
    """The features of a study's classifier."""
    from underpainting.quality import classifier

    return classifier.load(path).classifier.features


def autoencoder_extractor(path: str | Path) -> Extractor:
    """The code of a study's autoencoder."""
    from underpainting.quality import autoencoder

    return autoencoder.load(path).autoencoder.features


def make_extractor(name: str, weights: str | None) -> Extractor:
    """An extractor by its name.

    Args:
        name: `classifier`, `autoencoder` or `inception-v3-compat`.
        weights: file of its weights; Inception's may lie in torch-fidelity's cache instead.

    Raises:
        ValueError: an unknown extractor, or one of a study without its file.
    """
    if name == INCEPTION:
        return inception_extractor(weights)
    if name in _OF_STUDY and weights:
        return _OF_STUDY[name](weights)
    raise ValueError(f"extractor {name!r} is unknown or lacks its file; use {', '.join(_OF_STUDY)} or {INCEPTION}")


_OF_STUDY: dict[str, Callable[[str | Path], Extractor]] = {
    "classifier": classifier_extractor,
    "autoencoder": autoencoder_extractor,
}


class Extractors(NamedTuple):
    """Where a study's features come from.

    Attributes:
        name: of the extractor that the study chose.
        weights: its file; for Inception none, if it is in torch-fidelity's cache.
        autoencoder: file of the autoencoder, whose features know no labels.
    """

    name: str
    weights: str | None
    autoencoder: str

    def load(self) -> dict[str, Extractor]:
        """The extractors by the array that their features are stored in, that of the study first."""
        found = (make_extractor(self.name, self.weights), autoencoder_extractor(self.autoencoder))
        return dict(zip(FEATURES.values(), found, strict=True))


def register(name: str, path: str | Path) -> str:
    """Make an extractor of a study known to torch-fidelity, for its own `calculate_metrics` and command line.

    Args:
        name: `classifier` or `autoencoder`.
        path: its file.

    Returns:
        the name under which torch-fidelity knows it.
    """
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

    extract, known = make_extractor(name, str(path)), f"underpainting-{name}"

    class StudyFeatures(FeatureExtractorBase):  # type: ignore[misc]
        def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("features",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:  # noqa: ARG004  the name is torch-fidelity's
            return "features"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            return (extract(images),)

    FEATURE_EXTRACTORS_REGISTRY.pop(known, None)
    register_feature_extractor(known, StudyFeatures)
    return known
