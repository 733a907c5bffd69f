"""Latent models from folders: Stable Diffusion's layout, old and new; all others are refused before weights are read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.helpers.latents import MERGES, change_json, save_latent_model, stable_diffusion, unet, vocabulary
from underpainting.denoisers import latent_folders
from underpainting.denoisers.latent_model import LatentModel
from underpainting.denoisers.prompted import Guidance
from underpainting.io.errors import InputError, MissingFileError
from underpainting.noise.levels import vp_level

PROMPTS = ["a red one", ""]


@pytest.fixture
def folder(latent_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(latent_folder, tmp_path / "model"))


@pytest.fixture(scope="module")
def model(latent_folder: Path) -> LatentModel:
    return LatentModel.load(latent_folder)


def pictures(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_shapes_and_factor_are_those_of_the_files(model: LatentModel) -> None:
    assert (model.latent_shape, model.image_shape, model.scaling_factor) == ((4, 8, 8), (3, 16, 16), 0.3)
    assert model.embed(PROMPTS).shape == (2, 12, 16)
    assert model.schedule.config["prediction_type"] == "epsilon"


def test_embeddings_are_those_of_diffusers(model: LatentModel) -> None:
    expected = stable_diffusion().encode_prompt(PROMPTS, "cpu", 1, False)[0]
    assert torch.allclose(model.embed(PROMPTS), expected, atol=1e-5)
    assert (expected[0] - expected[1]).abs().max() > 0.1


def test_latents_are_posterior_means_in_units_of_the_noise_path(model: LatentModel) -> None:
    vae = stable_diffusion().vae
    with torch.no_grad():
        expected = vae.encode(pictures()).latent_dist.mean * 0.3
        image = vae.decode(expected / 0.3).sample
    assert torch.allclose(model.encode(pictures()), expected, atol=1e-5)
    assert torch.allclose(model.decode(expected), image, atol=1e-5)


def test_images_and_latents_of_another_shape_are_refused(model: LatentModel) -> None:
    with pytest.raises(ValueError, match=r"for images of shape \(3, 16, 16\), not \(4, 8, 8\)"):
        model.encode(torch.zeros(1, 4, 8, 8))
    with pytest.raises(ValueError, match=r"latents of shape \(4, 8, 8\), not \(3, 16, 16\)"):
        model.decode(pictures())


def test_the_digest_is_that_of_the_vae_alone(folder: Path, model: LatentModel) -> None:
    network, vae = (
        folder / "unet/diffusion_pytorch_model.safetensors",
        folder / "vae/diffusion_pytorch_model.safetensors",
    )
    save_file({name: tensor * 2 for name, tensor in load_file(network).items()}, network)
    assert LatentModel.load(folder).vae_digest == model.vae_digest
    save_file({name: tensor * 2 for name, tensor in load_file(vae).items()}, vae)
    assert LatentModel.load(folder).vae_digest != model.vae_digest


def test_a_prompt_that_is_too_long_is_refused_with_its_length(model: LatentModel) -> None:
    assert model.embed(["a red one " * 3]).shape == (1, 12, 16), "eleven tokens of at most twelve"
    with pytest.raises(InputError, match="has 14 tokens, the text encoder knows 12"):
        model.embed(["a red one", "a red one " * 4])


# --- layouts that are read -------------------------------------------------------------------------------------------


def estimate(folder: Path) -> torch.Tensor:
    model = LatentModel.load(folder)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    return model.denoiser(model.embed(["a red one"]), Guidance(3.0))(latents, *vp_level(2.0))


def old_tokenizer(folder: Path) -> None:
    """The layout before tokenizer.json: vocab.json and merges.txt."""
    (folder / "tokenizer/tokenizer.json").unlink()
    (folder / "tokenizer/vocab.json").write_text(json.dumps(vocabulary()))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in MERGES)]
    (folder / "tokenizer/merges.txt").write_text("\n".join(lines) + "\n")
    change_json(folder / "tokenizer/tokenizer_config.json", tokenizer_class="CLIPTokenizer", backend=None)


def old_text_encoder(folder: Path) -> None:
    """The names of tensors before version 5 of transformers, and the stored numbers of the positions."""
    file = folder / "text_encoder/model.safetensors"
    tensors = {f"text_model.{name}": tensor for name, tensor in load_file(file).items()}
    save_file({**tensors, "text_model.embeddings.position_ids": torch.arange(12)[None]}, file)


def old_vae(folder: Path) -> None:
    """The names of the attention's tensors in the first releases of diffusers."""
    file = folder / "vae/diffusion_pytorch_model.safetensors"
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def old(name: str) -> str:
        for new, older in names.items():
            name = name.replace(f".{new}.", f".{older}.")
        return name

    tensors = {old(name): tensor for name, tensor in load_file(file).items()}
    assert any("proj_attn" in name for name in tensors)
    save_file(tensors, file)


def safety_checker(folder: Path) -> None:
    change_json(
        folder / "model_index.json",
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        feature_extractor=["transformers", "CLIPFeatureExtractor"],
        requires_safety_checker=True,
    )


def half_beside_full(folder: Path) -> None:
    for part, stem in latent_folders.STEMS.items():
        file = folder / part / f"{stem}.safetensors"
        save_file(
            {name: torch.zeros_like(tensor) for name, tensor in load_file(file).items()}, file.with_stem(f"{stem}.fp16")
        )


@pytest.mark.parametrize(
    "change",
    [old_tokenizer, old_text_encoder, old_vae, safety_checker, half_beside_full],
    ids=lambda change: change.__name__,
)
def test_older_layouts_give_the_same_estimates(folder: Path, change: Callable[[Path], None]) -> None:
    expected = estimate(folder)
    change(folder)
    assert torch.equal(estimate(folder), expected)


def test_half_precision_alone_is_read_in_float32(tmp_path: Path) -> None:
    pipe = stable_diffusion().to(torch.float16)
    pipe.save_pretrained(tmp_path, variant="fp16")
    assert (tmp_path / "unet/diffusion_pytorch_model.fp16.safetensors").is_file()
    loaded = LatentModel.load(tmp_path)
    for network, exact in ((loaded.unet, pipe.unet), (loaded.vae, pipe.vae), (loaded.text_encoder, pipe.text_encoder)):
        assert network.dtype == torch.float32
        assert all(
            torch.equal(one, other.float()) for one, other in zip(network.parameters(), exact.parameters(), strict=True)
        )


def test_a_network_of_velocities_is_read_as_one(tmp_path: Path) -> None:
    save_latent_model(tmp_path, "v_prediction")
    model = LatentModel.load(tmp_path)
    assert model.denoiser(model.embed([""])).prediction_type == "v_prediction"


def test_a_network_may_pool_the_prompt_by_itself(tmp_path: Path) -> None:
    """`addition_embed_type: text` (DeepFloyd IF) needs nothing but the embedded prompt, as diffusers' pipeline gives it."""
    pipe = stable_diffusion()
    pipe.unet = unet(addition_embed_type="text", addition_embed_type_num_heads=2, resnet_time_scale_shift="scale_shift")
    pipe.save_pretrained(tmp_path)
    model, latents = LatentModel.load(tmp_path), torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    signal = pipe.scheduler.alphas_cumprod[500].double()
    alpha, sigma = float(signal.sqrt()), float((1 - signal).sqrt())
    with torch.no_grad():
        for prompt in ("a red one", "on"):
            embedded = pipe.encode_prompt(prompt, "cpu", 1, False)[0]
            noise = pipe.unet(latents, 500, encoder_hidden_states=embedded).sample
            found = model.denoiser(model.embed([prompt]), Guidance(1.0))(latents, alpha, sigma)
            assert torch.allclose(found, (latents - sigma * noise) / alpha, atol=1e-4)


# --- folders that are refused ----------------------------------------------------------------------------------------


def without(name: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def index(**changes: object) -> Callable[[Path], object]:
    return lambda folder: change_json(folder / "model_index.json", **changes)


def network(**changes: object) -> Callable[[Path], object]:
    return lambda folder: change_json(folder / "unet/config.json", **changes)


def pickled(folder: Path) -> None:
    (folder / "unet/diffusion_pytorch_model.safetensors").rename(folder / "unet/diffusion_pytorch_model.bin")


REFUSED: list[tuple[str, Callable[[Path], object], str]] = [
    ("no index", without("model_index.json"), "model_index.json is missing"),
    ("sdxl", index(text_encoder_2=["transformers", "CLIPTextModelWithProjection"]), "two text encoders"),
    ("sd3", index(transformer=["diffusers", "SD3Transformer2DModel"], unet=None), "network is a transformer"),
    ("pixels", index(unet=["diffusers", "UNet2DModel"]), "unet of .* is a UNet2DModel, not a UNet2DConditionModel"),
    ("t5", index(text_encoder=["transformers", "T5EncoderModel"]), "is a T5EncoderModel, not a CLIPTextModel"),
    ("no vae", index(vae=None), "names no vae"),
    ("empty vae", index(vae=[None, None]), "names no vae"),
    ("depth", index(depth_estimator=["transformers", "DPTForDepthEstimation"]), "names depth_estimator"),
    ("no files of the vae", without("vae"), "holds no vae/config.json"),
    ("no tokenizer", without("tokenizer/tokenizer.json"), "holds no tokenizer/vocab.json, tokenizer/merges.txt"),
    ("no scheduler", without("scheduler"), "holds no scheduler/scheduler_config.json"),
    ("inpainting", network(in_channels=9), "9 input channels: it is one for inpainting"),
    ("image to image", network(in_channels=8), "8 input and 4 output channels for latents of 4"),
    ("classes", network(num_class_embeds=10), r"needs more than a prompt \(num_class_embeds: 10\)"),
    ("distilled", network(time_cond_proj_dim=256), r"needs more than a prompt \(time_cond_proj_dim: 256\)"),
    ("text and time", network(addition_embed_type="text_time"), "needs more than a prompt"),
    ("other encoder", network(cross_attention_dim=32), "attends to 32 features, the text encoder gives 16"),
    ("pickle", pickled, "only safetensors are read, never a pickle"),
]


@pytest.mark.parametrize(("change", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_other_models_are_refused_before_weights_are_read(
    folder: Path, change: Callable[[Path], object], message: str
) -> None:
    for file in folder.rglob("*.safetensors"):
        file.write_bytes(b"")  # so that a reader of weights would fail in another way
    change(folder)
    for read in (latent_folders.read_layout, LatentModel.load):
        with pytest.raises(InputError, match=message):
            read(folder)


def test_missing_files_are_missing_files(folder: Path) -> None:
    pickled(folder)
    with pytest.raises(MissingFileError, match=r"unet/diffusion_pytorch_model\.safetensors is missing"):
        LatentModel.load(folder)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    file = folder / "text_encoder/model.safetensors"
    tensors = load_file(file)
    del tensors["final_layer_norm.bias"]
    save_file(tensors, file)
    with pytest.raises(InputError, match=r"final_layer_norm\.bias is missing"):
        LatentModel.load(folder)


def test_a_tokenizer_that_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "tokenizer/tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="holds no usable CLIPTokenizer"):
        LatentModel.load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "another path than the variance-preserving one"),
        ({"_class_name": "LCMScheduler"}, "the noise path of the scheduler 'LCMScheduler' is not known"),
    ],
)
def test_schedules_of_another_path_are_refused(folder: Path, changes: dict[str, str], message: str) -> None:
    change_json(folder / "scheduler/scheduler_config.json", **changes)
    with pytest.raises(InputError, match=message):
        LatentModel.load(folder)


def test_a_folder_of_latents_is_told_from_one_of_pixels(latent_folder: Path, folder: Path) -> None:
    assert latent_folders.is_latent_folder(latent_folder)
    change_json(folder / "model_index.json", vae=None)
    assert not latent_folders.is_latent_folder(folder)
    assert not latent_folders.is_latent_folder(folder / "unet")
