r"""A small classifier of a study's labels, whose last hidden layer supplies features without Inception's weights.

A Frechet distance in these features is called FD (classifier), never FID: it compares results within one study only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from underpainting.quality import feature_networks
from underpainting.quality.feature_networks import Trained, build_seeded, train_epochs
from underpainting.quality.held_out import training_indices


@dataclass(frozen=True)
class ClassifierShape:
    """Sizes of a classifier.

    Attributes:
        channels: channels of the images.
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
        shape: sizes of the layers.
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
        """Compute feature vectors of byte images, (sample, channel, height, width) to (sample, feature), float32."""
        result: Tensor = self.body(images[:, : self.shape.channels].float() / 127.5 - 1.0)
        return result

    def forward(self, images: Tensor) -> Tensor:
        """Compute class scores of byte images, shape (sample, class)."""
        scores: Tensor = self.head(self.features(images))
        return scores


def train(
    images: Tensor,
    labels: Tensor,
    held_out: Tensor,
    shape: ClassifierShape,
    epochs: int,
    seed: int,
    batch_size: int = 128,
) -> Trained[Classifier]:
    """Train a classifier on the images that are not held out, and score it on those that are.

    Args:
        images: bytes, shape (sample, channel, height, width).
        labels: integers in [0, classes), shape (sample,).
        held_out: indices of the held-out images, shape (held out,).
        shape: sizes of the classifier.
        epochs: passes through the data.
        seed: seed of initial weights and order.
        batch_size: images per step.

    Raises:
        ValueError: fewer than two images or classes.
    """
    if len(images) < 2 or shape.classes < 2:
        raise ValueError(f"a classifier needs two images and two classes, not {len(images)} and {shape.classes}")
    generator = torch.Generator().manual_seed(seed)
    network = build_seeded(lambda: Classifier(shape), seed)
    indices = torch.from_numpy(training_indices(len(images), held_out.numpy()))

    def loss(batch: Tensor) -> Tensor:
        return nn.functional.cross_entropy(network(images[batch]), labels[batch])

    train_epochs(network, loss, indices, epochs, batch_size, generator)
    with torch.inference_mode():
        guesses = torch.cat([network(images[batch]).argmax(1) for batch in held_out.split(batch_size)])
    return Trained(network, float((guesses == labels[held_out]).double().mean()))


def save(trained: Trained[Classifier], path: str | Path) -> None:
    """Write weights, shape and score as one safetensors file."""
    feature_networks.save(trained, path, "shape", "accuracy")


def load(path: str | Path) -> Trained[Classifier]:
    """Read a classifier written by `save`.

    Raises:
        TensorFileError: the file is damaged, or holds no classifier.
    """
    return feature_networks.load(
        path, "classifier", "shape", "accuracy", lambda shape: Classifier(ClassifierShape(**shape))
    )
