"""Copies of latent models: one layout, whatever the layout of the source."""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from tests.helpers.latents import BEGIN, MERGES, save_latent_model, vocabulary
from underpainting.denoisers import latent_files
from underpainting.denoisers.latent_model import LatentModel
from underpainting.io.errors import MissingFileError
from underpainting.io.writing import write_json


def images(folder: Path) -> torch.Tensor:
    """What diffusers makes of a folder."""
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    made = pipe("one red", num_inference_steps=2, generator=torch.Generator().manual_seed(0), output_type="pt")
    return made.images


def test_a_copy_has_the_images_of_its_source_and_the_same_bytes_each_time(latent_folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        latent_files.copy(latent_folder, tmp_path / name)
    files = sorted(file.relative_to(tmp_path / "a") for file in (tmp_path / "a").rglob("*") if file.is_file())
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)
    assert torch.equal(images(latent_folder), images(tmp_path / "a"))


def test_an_old_layout_in_half_precision_becomes_the_usual_one(latent_folder: Path, tmp_path: Path) -> None:
    source = save_latent_model(tmp_path / "source", variant="fp16")
    shutil.rmtree(source / "tokenizer")
    write_json(vocabulary(), source / "tokenizer/vocab.json")
    merges = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in MERGES)])
    (source / "tokenizer/merges.txt").write_text(merges + "\n")
    write_json(
        {"model_max_length": 12, "tokenizer_class": "CLIPTokenizer", "bos_token": BEGIN},
        source / "tokenizer/tokenizer_config.json",
    )
    latent_files.copy(source, tmp_path / "copy", "fp16")
    names = {
        file.relative_to(tmp_path / "copy").as_posix() for file in (tmp_path / "copy").rglob("*") if file.is_file()
    }
    assert names == set(latent_files.COPIED)
    original, copied = LatentModel.load(latent_folder), LatentModel.load(tmp_path / "copy")
    assert torch.equal(original.embed(["one red"]), copied.embed(["one red"]))


def test_no_half_of_a_model_is_left(latent_folder: Path, tmp_path: Path) -> None:
    source = shutil.copytree(latent_folder, tmp_path / "source")
    file = source / "vae/diffusion_pytorch_model.safetensors"
    save_file({name: tensor * torch.nan for name, tensor in load_file(file).items()}, file)
    with pytest.raises(ValueError, match="not finite"):
        latent_files.copy(source, tmp_path / "copy")
    assert not [entry for entry in (tmp_path / "copy").rglob("*") if entry.is_file()]
    file.unlink()
    with pytest.raises(MissingFileError, match="only safetensors are read"):
        latent_files.copy(source, tmp_path / "copy")


def test_a_download_leaves_out_what_is_not_read() -> None:
    """The names of Stable Diffusion 1.5's repository."""
    unet = [
        f"unet/diffusion_pytorch_model{mark}.{kind}"
        for mark in ("", ".fp16", ".non_ema")
        for kind in ("bin", "safetensors")
    ]
    others = ["v1-5-pruned.safetensors", "safety_checker/model.safetensors", "text_encoder/model.fp16.safetensors"]
    offered = [*unet, *others, "text_encoder/model.safetensors", "tokenizer/merges.txt", "model_index.json"]

    def kept(variant: str) -> set[str]:
        return {name for name in offered if any(fnmatch(name, pattern) for pattern in latent_files.patterns(variant))}

    both = {"tokenizer/merges.txt", "model_index.json"}
    assert kept("") == both | {"unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"}
    assert kept("fp16") == both | {
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.fp16.safetensors",
    }
