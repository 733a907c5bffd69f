r"""Training of a variational autoencoder for latent diffusion (Kingma & Welling 2014; Rombach et al. 2022).

    loss = mean (decode(z) - x)^2 + w mean KL(N(m, s^2) || N(0, 1)),     z = m + s noise,   m, s = encode(x)

The first mean is over values of the image, the second over those of the latent. The latents of a diffusion model are m times
the scaling factor, 1 / standard deviation of m, so that they have unit variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from underpainting.io import tensor_files
from underpainting.training.trainer import OptimizerRecipe, TrainingLoop

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

_INITIAL_LOG_VARIANCE = -5.0


@dataclass(frozen=True)
class VaeRecipe(OptimizerRecipe):
    """Settings of the training of a VAE; those of `OptimizerRecipe` and these.

    Attributes:
        block_out_channels: channels of each level; every level after the first halves the side.
        layers_per_block: residual blocks of each level of the encoder; the decoder has one more.
        latent_channels: channels of the latents.
        norm_num_groups: groups of the group normalisation; few, since groups of few channels hide the colour of plain areas.
        kl_weight: weight w of the Kullback-Leibler divergence.
    """

    block_out_channels: tuple[int, ...] = (16, 32, 64)
    layers_per_block: int = 1
    latent_channels: int = 4
    norm_num_groups: int = 2
    kl_weight: float = 1e-4


def make_vae(image_shape: tuple[int, ...], recipe: VaeRecipe) -> AutoencoderKL:
    """Build an untrained VAE for images of shape (channel, height, width), its weights drawn from the recipe's seed."""
    from diffusers import AutoencoderKL

    levels = len(recipe.block_out_channels)
    torch.manual_seed(recipe.seed)
    vae = AutoencoderKL(
        in_channels=image_shape[0],
        out_channels=image_shape[0],
        sample_size=image_shape[1],
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=recipe.block_out_channels,
        layers_per_block=recipe.layers_per_block,
        latent_channels=recipe.latent_channels,
        norm_num_groups=recipe.norm_num_groups,
    )
    with torch.no_grad():  # a narrow posterior at first, whose noise does not hide the latents
        vae.quant_conv.bias[recipe.latent_channels :] = _INITIAL_LOG_VARIANCE
    return vae


class VaeTrainer(TrainingLoop):
    """Training of a VAE on images.

    Args:
        network: the VAE; trained in place.
        images: bytes, shape (sample, channel, height, width), uint8.
        recipe: how to train.
        device: where to train.
    """

    recipe: VaeRecipe

    def __init__(self, network: AutoencoderKL, images: Tensor, recipe: VaeRecipe, device: torch.device) -> None:
        super().__init__(network, recipe, device)
        self.vae, self.images = network, images

    def loss(self) -> Tensor:
        """Compute the squared error of the decoded posterior sample and the weighted divergence."""
        generator = self.recipe.generator(self.step)
        chosen = torch.randint(len(self.images), (self.recipe.batch_size,), generator=generator)
        clean = scale_bytes(self.images[chosen]).to(self.device)
        posterior = self.vae.encode(clean).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(self.device)
        decoded = self.vae.decode(posterior.mean + posterior.std * noise).sample
        divergence = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean()
        return nn.functional.mse_loss(decoded, clean) + self.recipe.kl_weight * divergence


def scale_bytes(images: Tensor) -> Tensor:
    """Convert byte images to float32 in [-1, 1]."""
    return images.float() / 127.5 - 1.0


def round_to_half(network: nn.Module) -> None:
    """Round all weights to half precision, in place, so that the network computes the same after it was saved so."""
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())


def train_vae(
    images: Tensor, recipe: VaeRecipe, checkpoint: Path, run: str, device: torch.device | None = None
) -> tuple[AutoencoderKL, NDArray[np.float32]]:
    """Train a VAE, or continue from a checkpoint of the same run; its weights are rounded to half precision.

    Args:
        images: bytes, shape (sample, channel, height, width), uint8.
        recipe: how to train.
        checkpoint: file of the checkpoint; removed by the caller after the results are saved.
        run: digest of all that determines the run; a checkpoint of another run is ignored.
        device: where to train; the CPU by default.

    Returns:
        the VAE, with its scaling factor, and the loss of every step, shape (step,).

    Raises:
        FloatingPointError: the loss is not finite.
    """
    vae = make_vae(tuple(images.shape[1:]), recipe)
    losses = VaeTrainer(vae, images, recipe, device or torch.device("cpu")).run(checkpoint, run)
    round_to_half(vae)
    vae.register_to_config(scaling_factor=1.0)
    vae.register_to_config(scaling_factor=1 / float(encode(vae, images[:10_000]).double().std()))
    return vae, losses


@torch.no_grad()
def encode(vae: AutoencoderKL, images: Tensor, batch_size: int = 256) -> Tensor:
    """Encode byte images: posterior mean times scaling factor, float32, shape (sample, channel, height, width)."""
    parts = images.split(batch_size)
    means = [vae.encode(scale_bytes(part).to(vae.device)).latent_dist.mean.cpu() for part in parts]
    return torch.cat(means) * float(vae.config["scaling_factor"])


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor, batch_size: int = 256) -> Tensor:
    """Decode latents times scaling factor to byte images, uint8, shape (sample, channel, height, width)."""
    parts = (latents / float(vae.config["scaling_factor"])).split(batch_size)
    decoded = torch.cat([vae.decode(part.to(vae.device)).sample.cpu() for part in parts])
    return ((decoded.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def save(vae: AutoencoderKL, path: str | Path) -> None:
    """Write weights and configuration as one safetensors file.

    Raises:
        TensorFileError: the network holds numbers that are not finite.
    """
    config = {key: value for key, value in vae.config.items() if not key.startswith("_")}
    tensor_files.write(path, vae.state_dict(), {"vae": config})


def load(path: str | Path) -> AutoencoderKL:
    """Read a VAE written by `save`.

    Raises:
        TensorFileError: the file is damaged, or holds no VAE.
    """
    from diffusers import AutoencoderKL

    tensors, about = tensor_files.read(path)
    if "vae" not in about:
        raise tensor_files.TensorFileError(f"{path} holds no VAE; delete it and run snakemake again")
    vae = AutoencoderKL.from_config(about["vae"])
    vae.load_state_dict(tensors)
    return vae.eval()
