r"""Training of a text-to-image latent diffusion model: text encoder and U-Net together (Rombach et al. 2022).

    loss = mean (unet(z_t, t, text(caption)) - target)^2,     z_t = alpha_t z_0 + sigma_t noise

z_0 is the latent of an image, in units of the scaling factor. Captions are drawn at each step, so that the same image is seen
with longer, shorter and empty ones; the empty one is the unconditional model of classifier-free guidance (Ho & Salimans 2022).
Noise levels are log-normal in sigma / alpha: uniform times are mostly those at which z_t shows more than the caption says.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from underpainting.denoisers import PredictionType
from underpainting.io.tensor_files import require_finite
from underpainting.io.writing import publish, remove_leftovers
from underpainting.training import objectives
from underpainting.training.trainer import OptimizerRecipe, TrainingLoop, stratified
from underpainting.training.vae import round_to_half

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

Captions: TypeAlias = Callable[[Tensor, torch.Generator], Sequence[str]]
"""Draws a caption for each of the images with given indices, shape (sample,)."""

SCHEDULE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000}
"""Noise schedule of Stable Diffusion 1.x."""


@dataclass(frozen=True)
class TextToImageRecipe(OptimizerRecipe):
    """Settings of the training of text encoder and U-Net; those of `OptimizerRecipe` and these.

    Attributes:
        block_out_channels: channels of each level of the U-Net.
        layers_per_block: residual blocks of each level on the way down; one more on the way up.
        attention_levels: how many of the deepest levels attend to the text; the middle always does.
        attention_heads: of the U-Net.
        norm_num_groups: groups of the group normalisation.
        text_width, text_layers, text_heads: of the text encoder.
        pooled_text: whether the pooled text is added to the embedding of time, which then scales and shifts every residual block
            (Dhariwal & Nichol 2021), besides the cross-attention; a small U-Net learns words much faster with it.
        prediction_type: quantity that the U-Net predicts.
        log_sigma_mean, log_sigma_std: of ln(sigma / alpha), which is normal.
    """

    block_out_channels: tuple[int, ...] = (48, 96)
    layers_per_block: int = 1
    attention_levels: int = 1
    attention_heads: int = 4
    norm_num_groups: int = 8
    text_width: int = 64
    text_layers: int = 2
    text_heads: int = 4
    pooled_text: bool = True
    prediction_type: PredictionType = "v_prediction"
    log_sigma_mean: float = 0.5
    log_sigma_std: float = 1.2


class TextToImage(nn.Module):
    """A U-Net and the text encoder that supplies its cross-attention.

    Args:
        unet: the U-Net.
        text_encoder: the text encoder.
    """

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.unet, self.text_encoder = unet, text_encoder

    def forward(self, noisy: Tensor, times: Tensor, tokens: Tensor) -> Tensor:
        """Compute the U-Net's prediction, of the shape of `noisy`, for tokens of shape (sample, token)."""
        result: Tensor = self.unet(noisy, times, self.text_encoder(tokens)[0]).sample
        return result


def make_unet(latent_shape: tuple[int, ...], recipe: TextToImageRecipe) -> UNet2DConditionModel:
    """Build an untrained U-Net for latents of shape (channel, height, width), square."""
    from diffusers import UNet2DConditionModel

    widths = recipe.block_out_channels
    attends = [level >= len(widths) - recipe.attention_levels for level in range(len(widths))]
    return UNet2DConditionModel(
        sample_size=latent_shape[1],
        in_channels=latent_shape[0],
        out_channels=latent_shape[0],
        block_out_channels=widths,
        layers_per_block=recipe.layers_per_block,
        down_block_types=tuple("CrossAttnDownBlock2D" if attend else "DownBlock2D" for attend in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if attend else "UpBlock2D" for attend in reversed(attends)),
        cross_attention_dim=recipe.text_width,
        attention_head_dim=recipe.attention_heads,  # which diffusers reads as the number of heads
        norm_num_groups=recipe.norm_num_groups,
        addition_embed_type="text" if recipe.pooled_text else None,
        addition_embed_type_num_heads=recipe.text_heads,
        resnet_time_scale_shift="scale_shift" if recipe.pooled_text else "default",
    )


def make_text_encoder(tokenizer: CLIPTokenizer, recipe: TextToImageRecipe) -> CLIPTextModel:
    """Build an untrained text encoder for the prompts of a tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.text_width,
        intermediate_size=4 * recipe.text_width,
        projection_dim=recipe.text_width,
        num_hidden_layers=recipe.text_layers,
        num_attention_heads=recipe.text_heads,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def make_networks(latent_shape: tuple[int, ...], tokenizer: CLIPTokenizer, recipe: TextToImageRecipe) -> TextToImage:
    """Build untrained U-Net and text encoder, their weights drawn from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    return TextToImage(make_unet(latent_shape, recipe), make_text_encoder(tokenizer, recipe))


def tokenize(tokenizer: CLIPTokenizer, prompts: Sequence[str]) -> Tensor:
    """Convert prompts to token numbers as StableDiffusionPipeline does, shape (prompt, token)."""
    length = tokenizer.model_max_length
    encoded = tokenizer(list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    result: Tensor = encoded.input_ids
    return result


def make_schedule(recipe: TextToImageRecipe) -> Any:
    """Make the scheduler of Stable Diffusion 1.x, PNDM, with the recipe's prediction type."""
    from diffusers import PNDMScheduler

    settings = {"skip_prk_steps": True, "set_alpha_to_one": False, "steps_offset": 1}
    return PNDMScheduler(**SCHEDULE, **settings, prediction_type=recipe.prediction_type)


class TrainingSet(NamedTuple):
    """What a text-to-image model is trained on.

    Attributes:
        latents: times the scaling factor, float32, shape (sample, channel, height, width).
        captions: draws captions of images.
        tokenizer: of the captions.
    """

    latents: Tensor
    captions: Captions
    tokenizer: CLIPTokenizer


class TextToImageTrainer(TrainingLoop):
    """Training of text encoder and U-Net on latents and captions.

    Args:
        network: both networks; trained in place.
        data: latents, captions and tokenizer.
        recipe: how to train.
        device: where to train.
    """

    recipe: TextToImageRecipe

    def __init__(
        self, network: TextToImage, data: TrainingSet, recipe: TextToImageRecipe, device: torch.device
    ) -> None:
        super().__init__(network, recipe, device)
        self.data, self.schedule = data, make_schedule(recipe)

    def loss(self) -> Tensor:
        """Compute the mean squared error on the targets of a batch."""
        recipe, generator = self.recipe, self.recipe.generator(self.step)
        chosen = torch.randint(len(self.data.latents), (recipe.batch_size,), generator=generator)
        tokens = tokenize(self.data.tokenizer, self.data.captions(chosen, generator)).to(self.device)
        ratios = objectives.lognormal(
            stratified(recipe.batch_size, generator), recipe.log_sigma_mean, recipe.log_sigma_std
        )
        fractions = objectives.time_fractions(ratios, recipe.prediction_type, self.schedule)
        clean = self.data.latents[chosen]
        noise = torch.randn(clean.shape, generator=generator)
        batch = objectives.variance_preserving(clean, noise, fractions, self.schedule, recipe.prediction_type)
        noisy, times, target = (part.to(self.device) for part in batch)
        return nn.functional.mse_loss(self.network(noisy, times, tokens), target)


def train_text_to_image(
    data: TrainingSet, recipe: TextToImageRecipe, checkpoint: Path, run: str, device: torch.device | None = None
) -> tuple[TextToImage, NDArray[np.float32]]:
    """Train text encoder and U-Net, or continue from a checkpoint of the same run; weights are rounded to half precision.

    Args:
        data: latents, captions and tokenizer.
        recipe: how to train.
        checkpoint: file of the checkpoint; removed by the caller after the results are saved.
        run: digest of all that determines the run; a checkpoint of another run is ignored.
        device: where to train; the CPU by default.

    Returns:
        both networks, and the loss of every step, shape (step,).

    Raises:
        FloatingPointError: the loss is not finite.
    """
    network = make_networks(tuple(data.latents.shape[1:]), data.tokenizer, recipe)
    losses = TextToImageTrainer(network, data, recipe, device or torch.device("cpu")).run(checkpoint, run)
    round_to_half(network)
    return network, losses


def save_pipeline(
    vae: AutoencoderKL, network: TextToImage, tokenizer: CLIPTokenizer, schedule: Any, folder: str | Path
) -> None:
    """Write a folder that `diffusers.StableDiffusionPipeline.from_pretrained` reads, with weights in half precision.

    Every file is complete or absent, and the index comes last: a folder without it is incomplete.

    Args:
        vae: with its scaling factor.
        network: U-Net and text encoder.
        tokenizer: of the prompts.
        schedule: diffusers scheduler.
        folder: where to write.

    Raises:
        TensorFileError: a network holds numbers that are not finite.
    """
    from diffusers import StableDiffusionPipeline

    folder = Path(folder)
    for module in (vae, network):
        require_finite(module.state_dict(), folder)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=network.text_encoder,
        tokenizer=tokenizer,
        unet=network.unet,
        scheduler=schedule,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    index_file = folder / "model_index.json"
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(index_file)
    with tempfile.TemporaryDirectory(prefix=f".{index_file.name}.{os.getpid()}.", suffix=".tmp", dir=folder) as scratch:
        pipeline.save_pretrained(scratch, safe_serialization=True)
        for file in Path(scratch).rglob("*.safetensors"):
            _round_file(file)
        written = sorted(file for file in Path(scratch).rglob("*") if file.is_file())
        for file in sorted(written, key=lambda file: file.name == index_file.name):
            target = folder / file.relative_to(scratch)
            target.parent.mkdir(exist_ok=True)
            publish(file, target)


def _round_file(file: Path) -> None:
    """Round a file of weights to half precision.

    Its configuration still says float32, the type in which transformers then loads a text encoder; from half precision it would
    not fit the other networks.
    """
    save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file, {"format": "pt"})
