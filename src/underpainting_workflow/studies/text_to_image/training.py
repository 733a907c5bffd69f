"""Models of the trainings of a text-to-image model, and of the classifier that judges its images.

Each mirrors a recipe of `underpainting.training` or a shape of `underpainting.quality`, so that its keys are those of the recipe.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from underpainting_workflow.studies.base import Model

Width = Annotated[int, Field(ge=1)]


class OptimizerKeys(Model):
    """How a network is trained."""

    steps: int = Field(ge=1, description="Optimizer steps.")
    batch_size: int = Field(32, ge=1, description="Images per step.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate of AdamW.")
    warmup: int = Field(100, ge=0, description="Steps of linear warm-up; a cosine to zero follows.")
    weight_decay: float = Field(0.0, ge=0, description="Weight decay of AdamW.")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="Decay of the averaged weights, which become the network.")
    seed: int = Field(0, ge=0, lt=2**31, description="Random seed of weights, batches and noise.")


class VaeTraining(OptimizerKeys):
    """The AutoencoderKL that makes latents of images, and its training."""

    block_out_channels: tuple[Width, ...] = Field(
        (16, 32, 64), min_length=1, description="Channels of each level; every level after the first halves the side."
    )
    layers_per_block: int = Field(1, ge=1, description="Residual blocks of each level.")
    latent_channels: int = Field(4, ge=1, description="Channels of the latents.")
    norm_num_groups: int = Field(2, ge=1, description="Groups of group normalisation, a divisor of every width.")
    kl_weight: float = Field(1e-4, ge=0, description="Weight of the Kullback-Leibler divergence.")


class CaptionKeys(Model):
    """How captions are drawn during the training."""

    left_out: float = Field(0.3, ge=0, lt=1, description="Probability with which a caption leaves out an attribute.")
    empty: float = Field(0.1, ge=0, lt=1, description="Probability of the empty caption.")
    tokens: int = Field(16, ge=3, le=77, description="Length of a prompt in tokens.")


class TextToImageTraining(OptimizerKeys):
    """The text encoder and the U-Net, and their training."""

    block_out_channels: tuple[Width, ...] = Field(
        (48, 96), min_length=1, description="Channels of each level of the U-Net."
    )
    layers_per_block: int = Field(1, ge=1, description="Residual blocks of each level.")
    attention_levels: int = Field(1, ge=0, description="How many of the deepest levels attend to the text.")
    attention_heads: int = Field(4, ge=1, description="Heads of the attention, a divisor of every width that attends.")
    norm_num_groups: int = Field(8, ge=1, description="Groups of group normalisation, a divisor of every width.")
    text_width: int = Field(64, ge=1, description="Width of the text encoder, a multiple of its heads.")
    text_layers: int = Field(2, ge=1, description="Layers of the text encoder.")
    text_heads: int = Field(4, ge=1, description="Heads of the text encoder.")
    pooled_text: bool = Field(
        True,
        description="Whether the pooled text acts on every block, through the embedding of time, besides the attention.",
    )
    prediction_type: Literal["epsilon", "v_prediction", "sample"] = Field(
        "v_prediction", description="What the U-Net predicts."
    )
    log_sigma_mean: float = Field(0.5, description="Mean of ln(sigma / alpha) of the training.")
    log_sigma_std: float = Field(1.2, gt=0, description="Standard deviation of ln(sigma / alpha) of the training.")


class AttributesConfig(Model):
    """The classifier of the images' attributes: it measures agreement with prompts, and its features give distances."""

    epochs: int = Field(3, ge=1, description="Passes through the images.")
    width: int = Field(16, ge=1, description="Channels of the first layer.")
    features: int = Field(64, ge=2, description="Length of the feature vector.")
    seed: int = Field(0, ge=0, lt=2**31, description="Random seed.")


class OwnModel(Model):
    """A latent model that this workflow can train on painted digits."""

    vae: VaeTraining = Field(description="The VAE.")
    captions: CaptionKeys = Field(default_factory=CaptionKeys, description="The captions of the training.")
    training: TextToImageTraining = Field(description="Text encoder and U-Net.")
    threads: int = Field(1, ge=1, description="CPU threads of the trainings. A change does not train a network again.")

    def of_vae(self) -> dict[str, Any]:
        """Return the keys that the VAE depends on."""
        return self.model_dump(include={"vae"})

    def of_text_to_image(self) -> dict[str, Any]:
        """Return the keys that text encoder and U-Net depend on, besides the VAE."""
        return self.model_dump(include={"captions", "training"})
