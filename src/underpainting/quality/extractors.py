"""Feature extractors: torch-fidelity's Inception v3, and the classifier and autoencoder of a study."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from underpainting.io.errors import MissingFileError, Problem

if TYPE_CHECKING:
    from torch import Tensor

INCEPTION = "inception-v3-compat"
INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
FEATURES = {"": "features", "autoencoder_": "autoencoder_features"}
"""Sets of features of a study: prefix of their columns in tables, and name of the array that holds them."""

Extractor: TypeAlias = "Callable[[Tensor], Tensor]"


def find_inception_weights(path: str | None) -> Path:
    """Find the file of Inception's weights.

    Args:
        path: the file; torch-fidelity's cache if None.

    Raises:
        FileNotFoundError: there is no such file.
    """
    import torch

    found = Path(path) if path else Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE
    if not found.is_file():
        remedy = f"put torch-fidelity's {INCEPTION_FILE} there, give its path as teleport.extractor.weights, or use the extractor"
        raise MissingFileError(Problem(f"Inception's weights are not at {found}", f"{remedy} `classifier`"))
    return found


def inception_extractor(path: str | None) -> Extractor:
    """Load torch-fidelity's Inception v3: 2048 features in float64 arithmetic, independent of the batch size.

    torch-fidelity's loader would execute the pickle of the weights. Here the weights are read as tensors only, and passed on in
    a file that holds nothing else.

    Args:
        path: as for `find_inception_weights`.
    """
    import torch
    from torch_fidelity.utils import create_feature_extractor

    found = find_inception_weights(path)
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
    """Load the feature extractor of a study's classifier."""
    from underpainting.quality import classifier

    return classifier.load(path).network.features


def autoencoder_extractor(path: str | Path) -> Extractor:
    """Load the encoder of a study's autoencoder."""
    from underpainting.quality import autoencoder

    return autoencoder.load(path).network.features


def make_extractor(name: str, weights: str | None) -> Extractor:
    """Load an extractor by its name.

    Args:
        name: `classifier`, `autoencoder` or `inception-v3-compat`.
        weights: file of its weights; None finds Inception's in torch-fidelity's cache.

    Raises:
        ValueError: the extractor is unknown, or the file of a study's extractor is missing.
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
    """The two feature extractors of a study.

    Attributes:
        name: name of the extractor that the study chose.
        weights: its file; None finds Inception's in torch-fidelity's cache.
        autoencoder: file of the autoencoder, whose features do not depend on labels.
    """

    name: str
    weights: str | None
    autoencoder: str

    def load(self) -> dict[str, Extractor]:
        """Load the extractors, by the name of the array that stores their features; the study's choice first."""
        extractors = (make_extractor(self.name, self.weights), autoencoder_extractor(self.autoencoder))
        return dict(zip(FEATURES.values(), extractors, strict=True))
