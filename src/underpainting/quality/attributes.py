r"""A classifier of images with one head for each attribute, which measures how far samples agree with their prompts.

    agreement = fraction of the images whose attribute, by the classifier, is what the prompt says

Attributes are numbers of words; -1 means that an image has no word for it, or that a prompt leaves it open, and is not counted.
The last hidden layer supplies features for FD (attribute classifier) and for distances between images; neither is FID or LPIPS.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from underpainting.io import tensor_files
from underpainting.quality.feature_networks import build_seeded, train_epochs
from underpainting.quality.held_out import training_indices


@dataclass(frozen=True)
class AttributeShape:
    """Sizes of a classifier of attributes.

    Attributes:
        channels: channels of the images.
        size: side of the images in pixels, a multiple of 8.
        words: number of words of each attribute, by its name.
        width: channels of the first layer.
        features: length of the feature vector.
    """

    channels: int
    size: int
    words: dict[str, int]
    width: int = 16
    features: int = 64


class AttributeClassifier(nn.Module):
    """Four convolutions down to an eighth of the side, one hidden layer (the features), and the scores of all words.

    Args:
        shape: sizes of the layers.
    """

    def __init__(self, shape: AttributeShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.body = nn.Sequential(
            nn.Conv2d(shape.channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.SiLU(),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 4 * width),
            nn.SiLU(),
            nn.Conv2d(4 * width, 4 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 4 * width),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(4 * width * (shape.size // 8) ** 2, shape.features),
            nn.SiLU(),
        )
        self.head = nn.Linear(shape.features, sum(shape.words.values()))

    def features(self, images: Tensor) -> Tensor:
        """Compute feature vectors of byte images, (sample, channel, height, width) to (sample, feature), float32."""
        result: Tensor = self.body(images.float() / 127.5 - 1.0)
        return result

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the scores of each attribute's words, shapes (sample, word), in the order of `shape.words`."""
        return self.head(self.features(images)).split(list(self.shape.words.values()), dim=1)

    @torch.inference_mode()
    def classify(self, images: Tensor, batch_size: int = 256) -> NDArray[np.int8]:
        """Return the most likely word of each attribute of byte images, shape (sample, attribute)."""
        parts = [torch.stack([score.argmax(1) for score in self(batch)], 1) for batch in images.split(batch_size)]
        return torch.cat(parts).numpy().astype(np.int8)


class TrainedAttributes(NamedTuple):
    """A trained classifier of attributes.

    Attributes:
        network: the classifier, in evaluation mode.
        accuracy: of each attribute on held-out images that have a word for it.
    """

    network: AttributeClassifier
    accuracy: dict[str, float]


def train(
    images: Tensor,
    attributes: Tensor,
    held_out: Tensor,
    shape: AttributeShape,
    epochs: int,
    seed: int,
    batch_size: int = 64,
) -> TrainedAttributes:
    """Train a classifier on the images that are not held out, blurred at random, and score it on those that are, as they are.

    Args:
        images: bytes, shape (sample, channel, height, width).
        attributes: number of the word of each attribute, -1 where there is none, shape (sample, attribute).
        held_out: indices of the held-out images, shape (held out,).
        shape: sizes of the classifier.
        epochs: passes through the data.
        seed: seed of initial weights and order.
        batch_size: images per step.

    Raises:
        ValueError: attributes do not fit the images or the shape, or the side is no multiple of 8.
    """
    if attributes.shape != (len(images), len(shape.words)):
        raise ValueError(
            f"attributes {tuple(attributes.shape)} do not fit {len(images)} images, {len(shape.words)} heads"
        )
    if shape.size % 8 or tuple(images.shape[1:]) != (shape.channels, shape.size, shape.size):
        raise ValueError(f"images {tuple(images.shape[1:])} are not {shape.channels} x {shape.size}^2, a multiple of 8")
    generator = torch.Generator().manual_seed(seed)
    network = build_seeded(lambda: AttributeClassifier(shape), seed)
    labels = attributes.long()

    def loss(batch: Tensor) -> Tensor:
        scores = network(blur(images[batch], torch.rand(len(batch), generator=generator)))
        return torch.stack([_cross_entropy(*pair) for pair in zip(scores, labels[batch].T, strict=True)]).sum()

    indices = torch.from_numpy(training_indices(len(images), held_out.numpy()))
    train_epochs(network, loss, indices, epochs, batch_size, generator)
    accuracy = agreement(network.classify(images[held_out]), attributes[held_out].numpy())
    return TrainedAttributes(network, dict(zip(shape.words, accuracy.tolist(), strict=True)))


def blur(images: Tensor, strengths: Tensor) -> Tensor:
    """Blend images with their binomial blur over 3 x 3 pixels.

    Decoded images are less sharp than those that the classifier learns from; trained on blurred ones, too, it judges the width
    of a stroke by its area, not by its edges.

    Args:
        images: bytes, shape (sample, channel, height, width).
        strengths: in [0, 1], shape (sample,).

    Returns:
        float32 images in the units of bytes.
    """
    sharp = images.float()
    line = torch.tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(line, line).expand(images.shape[1], 1, 3, 3)
    padded = nn.functional.pad(sharp, (1, 1, 1, 1), mode="replicate")
    smooth = nn.functional.conv2d(padded, kernel, groups=images.shape[1])
    return torch.lerp(sharp, smooth, strengths[:, None, None, None])


def _cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Compute the mean cross entropy over the images of a batch that have a word; 0 if none has."""
    total = nn.functional.cross_entropy(scores, labels, ignore_index=-1, reduction="sum")
    return total / len(labels)


def is_right(classified: NDArray[np.integer], requested: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return 1 where an attribute is what the prompt says, 0 where not, NaN where the prompt leaves it open.

    Args:
        classified: words that the classifier sees, shape (sample, attribute).
        requested: words of the prompt of each image, -1 for none, of the same shape.
    """
    return np.where(requested < 0, np.nan, classified == requested)


def agreement(classified: NDArray[np.integer], requested: NDArray[np.integer]) -> NDArray[np.float64]:
    """Compute the agreement of each attribute, shape (attribute,); NaN where no prompt says anything of it.

    Args:
        classified, requested: as for `is_right`.
    """
    said = requested >= 0
    right = ((classified == requested) & said).sum(0)
    return np.divide(right, said.sum(0), out=np.full(requested.shape[1], np.nan), where=said.any(0))


def save(trained: TrainedAttributes, path: str | Path) -> None:
    """Write weights, shape and accuracies as one safetensors file."""
    shape = trained.network.shape
    words = list(shape.words.items())  # a list, as the order counts and the keys of metadata are sorted
    about = {"attributes": {**asdict(shape), "words": words}, "accuracy": trained.accuracy}
    tensor_files.write(path, trained.network.state_dict(), about)


def load(path: str | Path) -> TrainedAttributes:
    """Read a classifier written by `save`.

    Raises:
        TensorFileError: the file is damaged, or holds no classifier of attributes.
    """
    tensors, about = tensor_files.read(path)
    if not {"attributes", "accuracy"} <= about.keys():
        raise tensor_files.TensorFileError(
            f"{path} holds no classifier of attributes; delete it and run snakemake again"
        )
    sizes = about["attributes"]
    network = AttributeClassifier(AttributeShape(**{**sizes, "words": dict(sizes["words"])}))
    network.load_state_dict(tensors)
    return TrainedAttributes(network.eval(), {name: about["accuracy"][name] for name in network.shape.words})
