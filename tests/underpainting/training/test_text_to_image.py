"""Text to image on scikit-learn's digits: tokenizer, VAE, text encoder and U-Net, and the folder that diffusers reads."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from torch import Tensor
from transformers import CLIPTokenizer

from tests.helpers.painted import painted
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import LatentModel
from underpainting.images.painted_digits import complete_captions, draw_captions
from underpainting.io.tensor_files import TensorFileError
from underpainting.training import checkpoints, text_to_image, vae
from underpainting.training.text_to_image import TextToImage, TextToImageRecipe, TextToImageTrainer, TrainingSet
from underpainting.training.tokenizer import train_tokenizer
from underpainting.training.trainer import TrainingLoop
from underpainting.training.vae import VaeRecipe, VaeTrainer

CPU = torch.device("cpu")
VAE = VaeRecipe(steps=80, batch_size=16, learning_rate=3e-3, warmup=5, block_out_channels=(8, 8, 16), ema_decay=0.9)
TEXT = TextToImageRecipe(
    steps=40, batch_size=16, warmup=5, block_out_channels=(8, 16), text_width=16, text_layers=1, ema_decay=0.9
)


class Model(NamedTuple):
    """A trained model and what it was trained on."""

    vae: torch.nn.Module
    network: TextToImage
    data: TrainingSet
    losses: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.from_numpy(painted(256).images)


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return train_tokenizer(complete_captions(), 16)


@pytest.fixture(scope="module")
def model(images: Tensor, tokenizer: CLIPTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("model")
    autoencoder, vae_losses = vae.train_vae(images, VAE, folder / "vae", "run")
    latents = vae.encode(autoencoder, images)
    data = TrainingSet(latents, draw_captions(painted(256).attributes, 0.2, 0.1), tokenizer)
    network, losses = text_to_image.train_text_to_image(data, TEXT, folder / "unet", "run")
    return Model(autoencoder, network, data, {"vae": vae_losses, "unet": losses})


@pytest.fixture(scope="module")
def folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pipeline")
    save(model, path)
    return path


def save(model: Model, path: Path) -> None:
    text_to_image.save_pipeline(model.vae, model.network, model.data.tokenizer, text_to_image.make_schedule(TEXT), path)


def test_every_word_of_a_caption_is_one_token(tokenizer: CLIPTokenizer) -> None:
    caption = "a thick red three leaning left on blue"
    (tokens,) = text_to_image.tokenize(tokenizer, [caption]).tolist()
    assert tokens[:10] == [tokenizer.bos_token_id, *tokens[1:9], tokenizer.eos_token_id]
    assert tokenizer.convert_ids_to_tokens(tokens[1:9]) == [f"{word}</w>" for word in caption.split()]
    assert set(tokens[10:]) == {tokenizer.pad_token_id}


def test_the_tokenizer_can_encode_any_text(tokenizer: CLIPTokenizer) -> None:
    (tokens,) = tokenizer(["zebra ÷ 7 三"]).input_ids
    assert tokens.count(tokenizer.unk_token_id) == 1  # the end
    assert tokenizer.decode(tokens, skip_special_tokens=True) == "zebra ÷ 7 三"


def test_losses_fall(model: Model) -> None:
    for name, curve in model.losses.items():
        assert curve[-10:].mean() < 0.9 * curve[:5].mean(), name


def test_latents_have_unit_variance(model: Model) -> None:
    assert float(model.data.latents.std()) == pytest.approx(1, abs=1e-3)


def test_decoding_inverts_encoding_better_than_the_mean_image(model: Model, images: Tensor) -> None:
    decoded = vae.decode(model.vae, model.data.latents)
    error = (decoded.float() - images.float()).square().mean()
    assert decoded.dtype == torch.uint8 and decoded.shape == images.shape
    assert error < 0.9 * (images.float().mean(0) - images.float()).square().mean()


def test_a_saved_vae_is_the_same(model: Model, images: Tensor, tmp_path: Path) -> None:
    vae.save(model.vae, tmp_path / "vae.safetensors")
    loaded = vae.load(tmp_path / "vae.safetensors")
    assert torch.equal(vae.encode(loaded, images[:8]), vae.encode(model.vae, images[:8]))
    assert loaded.config.scaling_factor == model.vae.config.scaling_factor


def test_another_file_holds_no_vae(tmp_path: Path) -> None:
    checkpoints.write(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, "run")
    with pytest.raises(TensorFileError, match="holds no VAE"):
        vae.load(tmp_path / "other.safetensors")


def test_the_folder_is_a_latent_model_with_the_same_latents_and_embeddings(
    model: Model, folder: Path, images: Tensor
) -> None:
    loaded = LatentModel.load(folder, Compute(device="cpu"))
    prompts = ["", "a thin cyan nine on black"]
    own = model.network.text_encoder(text_to_image.tokenize(model.data.tokenizer, prompts))[0]
    assert torch.allclose(loaded.embed(prompts), own, atol=1e-5)
    assert torch.allclose(loaded.encode(images[:8] / 127.5 - 1), model.data.latents[:8], atol=1e-5)


def test_diffusers_loads_the_folder_and_gives_the_same_images(model: Model, folder: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    prompts = ["a thick red three leaning left on blue", "a one"]
    theirs = pipeline(prompts, latents=latents, guidance_scale=3.0, num_inference_steps=4, output_type="np").images
    assert np.abs(theirs - own_images(model, prompts, latents, 3.0, 4)).max() < 1e-4


@torch.no_grad()
def own_images(model: Model, prompts: list[str], latents: Tensor, scale: float, steps: int) -> np.ndarray:
    """Sample with DDIM, v-prediction and guidance written out, from the networks in memory."""
    square = text_to_image.make_schedule(TEXT).alphas_cumprod.double()
    times = [1000 // steps * number + 1 for number in reversed(range(steps))]
    levels = [square[time] for time in times] + [square[0]]
    tokens = text_to_image.tokenize(model.data.tokenizer, ["", *prompts])
    state = latents.double()
    for time, now, then in zip(times, levels[:-1], levels[1:], strict=True):
        predicted = [
            model.network(state.float(), torch.tensor(time), part) for part in (tokens[:1].expand(2, -1), tokens[1:])
        ]
        velocity = (predicted[0] + scale * (predicted[1] - predicted[0])).double()
        clean = now.sqrt() * state - (1 - now).sqrt() * velocity
        noise = (1 - now).sqrt() * state + now.sqrt() * velocity
        state = then.sqrt() * clean + (1 - then).sqrt() * noise
    pixels = model.vae.decode(state.float() / model.vae.config.scaling_factor).sample
    return (pixels / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()


def test_the_folder_is_the_same_when_written_again_and_names_no_place(
    model: Model, folder: Path, tmp_path: Path
) -> None:
    save(model, tmp_path)
    files = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    assert [str(file) for file in files if file.suffix == ".safetensors"] == [
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    for file in files:
        content = (folder / file).read_bytes()
        assert content == (tmp_path / file).read_bytes(), file
        assert not re.search(rb"/tmp|_name_or_path", content), file
    assert len(files) == len([file for file in tmp_path.rglob("*") if file.is_file()])


def test_a_training_of_the_vae_continues_to_the_same_bytes(images: Tensor, tmp_path: Path) -> None:
    recipe = replace(VAE, steps=6)
    complete, losses = vae.train_vae(images, recipe, tmp_path / "a", "run")
    interrupt(VaeTrainer(vae.make_vae((3, 32, 32), recipe), images, recipe, CPU), tmp_path / "b")
    continued, later = vae.train_vae(images, recipe, tmp_path / "b", "run")
    assert (losses == later).all()
    assert_equal(complete, continued)


def test_a_training_of_the_unet_continues_to_the_same_bytes(model: Model, tmp_path: Path) -> None:
    recipe = replace(TEXT, steps=6)
    complete, losses = text_to_image.train_text_to_image(model.data, recipe, tmp_path / "a", "run")
    network = text_to_image.make_networks((4, 8, 8), model.data.tokenizer, recipe)
    interrupt(TextToImageTrainer(network, model.data, recipe, CPU), tmp_path / "b")
    continued, later = text_to_image.train_text_to_image(model.data, recipe, tmp_path / "b", "run")
    assert (losses == later).all()
    assert_equal(complete, continued)


def interrupt(loop: TrainingLoop, checkpoint: Path) -> None:
    """Stop a training after three steps, with a checkpoint."""
    for _ in range(3):
        loop.advance()
    checkpoints.write(checkpoint, loop.tensors(), "run")


def assert_equal(first: torch.nn.Module, second: torch.nn.Module) -> None:
    """Check that two networks have the same weights."""
    other = second.state_dict()
    assert all(torch.equal(value, other[key]) for key, value in first.state_dict().items())
