r"""A small classifier on a study's own labels, whose last hidden layer supplies features where Inception's cannot be had.

A Frechet distance in these features is called FD (classifier), never FID: its values compare results within one
study and nothing else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from underpainting.io import tensor_files
from underpainting.quality import held_out
from underpainting.quality.descent import descend, seeded


@dataclass(frozen=True)
class ClassifierShape:
    """Sizes of a classifier.

    Attributes:
        channels: of the images.
        classes: number of labels.
        width: channels of the first layer.
        features: length of the feature vector.
    """

    channels: int
    classes: int
    width: int = 32
    features: int = 64


class Classifier(nn.Module):
    """Three convolutions, a pooled 2 x 2 grid, one hidden layer (the features), and the class scores.

    Args:
        shape: its sizes.
    """

    def __init__(self, shape: ClassifierShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.body = nn.Sequential(
            nn.Conv2d(shape.channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * width, shape.features),
            nn.SiLU(),
        )
        self.head = nn.Linear(shape.features, shape.classes)

    def features(self, images: Tensor) -> Tensor:
        """Feature vectors of byte images, (sample, channel, height, width) to (sample, feature), float32."""
        result: Tensor = self.body(images[:, : self.shape.channels].float() / 127.5 - 1.0)
        return result

    def forward(self, images: Tensor) -> Tensor:
        """Class scores of byte images, shape (sample, class)."""
        scores: Tensor = self.head(self.features(images))
        return scores


class Trained(NamedTuple):
    """A trained classifier and its accuracy on the images held out."""

    classifier: Classifier
    accuracy: float


def train(
    images: Tensor,
    labels: Tensor,
    held: Tensor,
    shape: ClassifierShape,
    epochs: int,
    seed: int,
    batch_size: int = 128,
) -> Trained:
    """Train on the images that are not held out, measure on those that are.

    Args:
        images: bytes, shape (sample, channel, height, width).
        labels: integers in [0, classes), shape (sample,).
        held: numbers of the images held out, shape (held,).
        shape: sizes of the classifier.
        epochs: passes through the data.
        seed: of weights and order.
        batch_size: images per step.

    Raises:
        ValueError: fewer than two images or classes.
    """
    if len(images) < 2 or shape.classes < 2:
        raise ValueError(f"a classifier needs two images and two classes, not {len(images)} and {shape.classes}")
    generator = torch.Generator().manual_seed(seed)
    network = seeded(lambda: Classifier(shape), seed)
    rest = torch.from_numpy(held_out.others(len(images), held.numpy()))

    def loss(batch: Tensor) -> Tensor:
        return nn.functional.cross_entropy(network(images[batch]), labels[batch])

    descend(network, loss, rest, epochs, batch_size, generator)
    with torch.inference_mode():
        guesses = torch.cat([network(images[batch]).argmax(1) for batch in held.split(batch_size)])
    return Trained(network, float((guesses == labels[held]).double().mean()))


def save(trained: Trained, path: str | Path) -> None:
    """Write weights, sizes and accuracy as one safetensors file."""
    about = {"shape": asdict(trained.classifier.shape), "accuracy": trained.accuracy}
    tensor_files.write(path, trained.classifier.state_dict(), about)


def load(path: str | Path) -> Trained:
    """Read what `save` wrote.

    Raises:
        TensorFileError: the file is damaged, or holds no classifier.
    """
    tensors, about = tensor_files.read(path)
    if "shape" not in about:
        raise tensor_files.TensorFileError(f"{path} holds no classifier; delete it and run snakemake again")
    classifier = Classifier(ClassifierShape(**about["shape"]))
    classifier.load_state_dict(tensors)
    return Trained(classifier.eval(), about["accuracy"])
