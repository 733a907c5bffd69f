r"""A small autoencoder of a study's images, whose code supplies features that do not depend on labels.

A classifier learns the classes whose Gaussians make the jump of a mixture, so its features favour that jump. An autoencoder
minimises |decode(encode(x)) - x|^2 alone. A Frechet distance in its code is called FD (autoencoder), never FID: it compares
results within one study only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from underpainting.quality import feature_networks
from underpainting.quality.feature_networks import Trained, build_seeded, train_epochs
from underpainting.quality.held_out import training_indices

MAX_SIDE = 32


@dataclass(frozen=True)
class AutoencoderShape:
    """Sizes of an autoencoder.

    Attributes:
        channels: channels of the images.
        size: side of the images in pixels; larger images are reduced to `MAX_SIDE` by averaging.
        width: channels of the first layer.
        features: length of the code.
    """

    channels: int
    size: int
    width: int = 16
    features: int = 32

    @property
    def sides(self) -> tuple[int, int, int]:
        """Sides of the feature maps: of the network's input, half and a quarter of it, rounded up."""
        side = min(self.size, MAX_SIDE)
        return side, (side + 1) // 2, (side + 3) // 4


class Autoencoder(nn.Module):
    """Convolutions down to a quarter of the side, a linear code, and the mirrored decoder.

    Args:
        shape: sizes of the layers.
    """

    def __init__(self, shape: AutoencoderShape) -> None:
        super().__init__()
        self.shape = shape
        width, (_, half, quarter) = shape.width, shape.sides
        self.encoder = nn.Sequential(
            nn.Conv2d(shape.channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(2 * width * quarter**2, shape.features),
        )
        self.decoder = nn.Sequential(
            nn.Linear(shape.features, 2 * width * quarter**2),
            nn.Unflatten(1, (2 * width, quarter, quarter)),
            nn.SiLU(),
            nn.Upsample((half, half)),
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.SiLU(),
            nn.Upsample((shape.sides[0], shape.sides[0])),
            nn.Conv2d(width, shape.channels, 3, padding=1),
        )

    def preprocess(self, images: Tensor) -> Tensor:
        """Scale byte images to [-1, 1] and reduce them to at most `MAX_SIDE`."""
        values = images[:, : self.shape.channels].float() / 127.5 - 1.0
        side = self.shape.sides[0]
        return values if side == self.shape.size else nn.functional.adaptive_avg_pool2d(values, side)

    def features(self, images: Tensor) -> Tensor:
        """Encode byte images, (sample, channel, height, width) to (sample, feature), float32."""
        result: Tensor = self.encoder(self.preprocess(images))
        return result

    def forward(self, images: Tensor) -> Tensor:
        """Compute the mean squared reconstruction error of each byte image, shape (sample,)."""
        pixels = self.preprocess(images)
        return (self.decoder(self.encoder(pixels)) - pixels).square().flatten(1).mean(1)


def train(
    images: Tensor, held_out: Tensor, shape: AutoencoderShape, epochs: int, seed: int, batch_size: int = 128
) -> Trained[Autoencoder]:
    """Train an autoencoder on the images that are not held out, and score it on those that are.

    Args:
        images: bytes, shape (sample, channel, height, width).
        held_out: indices of the held-out images, shape (held out,).
        shape: sizes of the autoencoder.
        epochs: passes through the data.
        seed: seed of initial weights and order.
        batch_size: images per step.
    """
    generator = torch.Generator().manual_seed(seed)
    network = build_seeded(lambda: Autoencoder(shape), seed)
    indices = torch.from_numpy(training_indices(len(images), held_out.numpy()))
    train_epochs(network, lambda batch: network(images[batch]).mean(), indices, epochs, batch_size, generator)
    with torch.inference_mode():
        parts = held_out.split(batch_size)
        error = torch.cat([network(images[batch]) for batch in parts]).double().mean()
        spread = torch.cat([network.preprocess(images[batch]) for batch in parts]).double().var(0).mean()
    return Trained(network, float(1 - error / spread) if spread > 0 else 1.0)


def save(trained: Trained[Autoencoder], path: str | Path) -> None:
    """Write weights, shape and score as one safetensors file."""
    feature_networks.save(trained, path, "autoencoder", "explained")


def load(path: str | Path) -> Trained[Autoencoder]:
    """Read an autoencoder written by `save`.

    Raises:
        TensorFileError: the file is damaged, or holds no autoencoder.
    """
    return feature_networks.load(
        path, "autoencoder", "autoencoder", "explained", lambda shape: Autoencoder(AutoencoderShape(**shape))
    )
