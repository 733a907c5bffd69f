r"""Distances between two images, for perturbations and for samplers that are compared (Sec. 6.2, App. B.8).

    attributes   ||f(x) - f(y)|| / sqrt(features), f the last hidden layer of a study's classifier of attributes
    lpips        Zhang et al. 2018 with SqueezeNet, as the paper (App. B.7); the package `lpips`, its backbone from a file
    pixels       root mean square difference, in the units of images

They do not compare with each other. Nothing but `lpips` is called LPIPS.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from underpainting.io.errors import InputError, MissingFileError, Problem
from underpainting.quality.extractors import Extractor

DISTANCES = {
    "attributes": "distance in the attribute classifier's features",
    "lpips": "LPIPS distance (SqueezeNet)",
    "pixels": "root mean square difference of pixels",
}
"""Names of the distances, and their labels in figures and tables."""


class ImageDistance(NamedTuple):
    """A distance between images.

    Attributes:
        name: a key of `DISTANCES`.
        function: maps two batches of images in [-1, 1], shape (sample, channel, height, width) each, to (sample,).
    """

    name: str
    function: Callable[[Tensor, Tensor], Tensor]

    @property
    def label(self) -> str:
        """What it is called."""
        return DISTANCES[self.name]

    @torch.inference_mode()
    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Compute the distance of each pair of images, shape (sample,), float32, on the CPU.

        Args:
            first, second: in [-1, 1], shape (sample, channel, height, width); values beyond are clipped, as in a picture.
        """
        return self.function(*(images.float().cpu().clamp(-1, 1) for images in (first, second)))


def make_distance(name: str, weights: str | Path | None = None) -> ImageDistance:
    """Make a distance by its name.

    Args:
        name: a key of `DISTANCES`.
        weights: file of the classifier, or of LPIPS's backbone (torchvision's SqueezeNet 1.1); none for `pixels`.

    Raises:
        InputError: the distance is unknown, its file is not given, or the package `lpips` is missing.
        MissingFileError: there is no such file.
    """
    if name == "pixels":
        return ImageDistance(name, _root_mean_square)
    if name not in DISTANCES:
        raise InputError(Problem(f"the distance {name!r} is unknown", f"use one of {', '.join(DISTANCES)}"))
    if weights is None:
        raise InputError(Problem(f"the distance {name} needs a file of weights", "give its path, or use pixels"))
    if not Path(weights).is_file():
        raise MissingFileError(Problem(f"the weights of the distance {name} are not at {weights}", "put them there"))
    return ImageDistance(name, _attributes(weights) if name == "attributes" else _lpips(weights))


def _root_mean_square(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).square().flatten(1).mean(1).sqrt()


def _attributes(weights: str | Path) -> Callable[[Tensor, Tensor], Tensor]:
    from underpainting.quality import attributes

    return _in_features(attributes.load(weights).network.features)


def _in_features(extract: Extractor) -> Callable[[Tensor, Tensor], Tensor]:
    def distance(first: Tensor, second: Tensor) -> Tensor:
        return _root_mean_square(*(extract((images + 1) * 127.5) for images in (first, second)))

    return distance


def _lpips(weights: str | Path) -> Callable[[Tensor, Tensor], Tensor]:
    """Load LPIPS with the weights of its backbone from a file; the package brings those of its last layers."""
    try:
        import lpips
    except ImportError as error:
        problem = "the distance lpips needs the package of that name"
        raise InputError(Problem(problem, "run pip install lpips, or use another distance")) from error
    network = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False).eval()
    tensors = _backbone(Path(weights))
    names = {name.partition(".")[2]: name for name in network.net.state_dict()}  # slice3.4.squeeze.weight
    missing = sorted(names.keys() - tensors.keys())
    if missing:
        problem = f"{weights} lacks {missing[0]} of torchvision's SqueezeNet 1.1"
        raise InputError(Problem(problem, "get squeezenet1_1-b8a52dc0.pth, or a safetensors file of the same tensors"))
    network.net.load_state_dict({names[key]: tensors[key] for key in names})
    return lambda first, second: network(first, second).flatten()


def _backbone(file: Path) -> dict[str, Tensor]:
    """Read the convolutions of torchvision's network as tensors only, without the prefix of their names."""
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        tensors = load_file(file)
    else:
        tensors = torch.load(file, weights_only=True, map_location="cpu")
    return {name.removeprefix("features."): tensor for name, tensor in tensors.items()}
