r"""A small autoencoder of a study's images, whose code supplies features that know no labels.

A classifier learns the very classes whose Gaussians make a mixture's jump, so its features reward that jump. An autoencoder is
trained to give images back, |decode(encode(x)) - x|^2, and learns nothing else. A Frechet distance in its code is called
FD (autoencoder), never FID: its values compare results within one study and nothing else.
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

LARGEST = 32


@dataclass(frozen=True)
class AutoencoderShape:
    """Sizes of an autoencoder.

    Attributes:
        channels: of the images.
        size: side of the images in pixels; larger ones than `LARGEST` are reduced to it by averaging.
        width: channels of the first layer.
        features: length of the code.
    """

    channels: int
    size: int
    width: int = 16
    features: int = 32

    @property
    def sides(self) -> tuple[int, int, int]:
        """Sides of the feature maps: as the network sees the images, half and a quarter of it, rounded up."""
        side = min(self.size, LARGEST)
        return side, (side + 1) // 2, (side + 3) // 4


class Autoencoder(nn.Module):
    """Convolutions down to a quarter of the side, a linear code, and the way back.

    Args:
        shape: its sizes.
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

    def seen(self, images: Tensor) -> Tensor:
        """Byte images as the network sees them: in [-1, 1], no larger than `LARGEST`."""
        values = images[:, : self.shape.channels].float() / 127.5 - 1.0
        side = self.shape.sides[0]
        return values if side == self.shape.size else nn.functional.adaptive_avg_pool2d(values, side)

    def features(self, images: Tensor) -> Tensor:
        """Codes of byte images, (sample, channel, height, width) to (sample, feature), float32."""
        result: Tensor = self.encoder(self.seen(images))
        return result

    def forward(self, images: Tensor) -> Tensor:
        """Mean squared error of what is given back of each byte image, shape (sample,)."""
        seen = self.seen(images)
        return (self.decoder(self.encoder(seen)) - seen).square().flatten(1).mean(1)


class Trained(NamedTuple):
    """A trained autoencoder and the share of the pixels' variance that it gives back of images held out."""

    autoencoder: Autoencoder
    explained: float


def train(
    images: Tensor, held: Tensor, shape: AutoencoderShape, epochs: int, seed: int, batch_size: int = 128
) -> Trained:
    """Train on the images that are not held out, measure on those that are.

    Args:
        images: bytes, shape (sample, channel, height, width).
        held: numbers of the images held out, shape (held,).
        shape: sizes of the autoencoder.
        epochs: passes through the data.
        seed: of weights and order.
        batch_size: images per step.
    """
    generator = torch.Generator().manual_seed(seed)
    network = seeded(lambda: Autoencoder(shape), seed)
    rest = torch.from_numpy(held_out.others(len(images), held.numpy()))
    descend(network, lambda batch: network(images[batch]).mean(), rest, epochs, batch_size, generator)
    with torch.inference_mode():
        parts = held.split(batch_size)
        error = torch.cat([network(images[batch]) for batch in parts]).double().mean()
        spread = torch.cat([network.seen(images[batch]) for batch in parts]).double().var(0).mean()
    return Trained(network, float(1 - error / spread) if spread > 0 else 1.0)


def save(trained: Trained, path: str | Path) -> None:
    """Write weights, sizes and the share explained as one safetensors file."""
    about = {"autoencoder": asdict(trained.autoencoder.shape), "explained": trained.explained}
    tensor_files.write(path, trained.autoencoder.state_dict(), about)


def load(path: str | Path) -> Trained:
    """Read what `save` wrote.

    Raises:
        TensorFileError: the file is damaged, or holds no autoencoder.
    """
    tensors, about = tensor_files.read(path)
    if "autoencoder" not in about:
        raise tensor_files.TensorFileError(f"{path} holds no autoencoder; delete it and run snakemake again")
    network = Autoencoder(AutoencoderShape(**about["autoencoder"]))
    network.load_state_dict(tensors)
    network.eval()
    return Trained(network, about["explained"])
