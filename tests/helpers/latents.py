"""A tiny latent model with random weights, in the layout of diffusers' StableDiffusionPipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
TOKENS = 12
MERGES = [("e", "d</w>"), ("r", "ed</w>"), ("o", "n</w>"), ("o", "n"), ("on", "e</w>")]
SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "skip_prk_steps": True,
    "set_alpha_to_one": False,
}
"""Stable Diffusion's noise schedule."""


def vocabulary() -> dict[str, int]:
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in MERGES), BEGIN, END]
    return {word: number for number, word in enumerate(words)}


def tokenizer() -> Any:
    return CLIPTokenizer(vocab=vocabulary(), merges=MERGES, model_max_length=TOKENS)


def text_encoder() -> Any:
    words = vocabulary()
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        bos_token_id=words[BEGIN],
        eos_token_id=words[END],
        pad_token_id=words[END],
    )
    return CLIPTextModel(config)


def vae() -> Any:
    return AutoencoderKL(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=16,
        scaling_factor=0.3,
    )


def unet(**changes: Any) -> Any:
    given: dict[str, Any] = {
        "sample_size": 8,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 16,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
    }
    return UNet2DConditionModel(**(given | changes))


def stable_diffusion(prediction: str = "epsilon") -> Any:
    """diffusers' pipeline of random components, the same each time; prompts differ in their images."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = {"vae": vae(), "text_encoder": text_encoder(), "tokenizer": tokenizer(), "unet": unet()}
    for name, parameter in parts["unet"].named_parameters():
        if "attn2" in name:
            parameter.data *= 8  # a random network hardly attends to the prompt
    pipe = StableDiffusionPipeline(
        **parts,
        scheduler=PNDMScheduler(**SCHEDULE, prediction_type=prediction),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def save_latent_model(folder: Path, prediction: str = "epsilon", **options: Any) -> Path:
    """Write the folder of the tiny latent model; options as for `save_pretrained`."""
    stable_diffusion(prediction).save_pretrained(folder, **options)
    return folder


def change_json(file: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None removes a key."""
    content = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
