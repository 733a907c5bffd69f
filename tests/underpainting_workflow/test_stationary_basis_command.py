"""`underpainting basis --stationary`: one covariance per frequency, of images or of their latents."""

from __future__ import annotations

from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from underpainting.basis import stationary
from underpainting.basis.stationary import StationaryBasis
from underpainting.denoisers.latent_encoder import LatentEncoder
from underpainting_workflow import cli

COUNT, SIDE = 6, 16


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder, choose = tmp_path / "images", np.random.default_rng(0)
    folder.mkdir()
    for number in range(COUNT):
        Image.fromarray(choose.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


def pixels(folder: Path) -> torch.Tensor:
    found = np.stack([np.asarray(Image.open(file)) for file in sorted(folder.iterdir())])
    return torch.from_numpy(found).permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.fixture
def shifted_vae(tmp_path: Path) -> Path:
    """A tiny random VAE with a shift, as Stable Diffusion 3 has it, in the folder of a pipeline."""
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=16,
        norm_num_groups=2,
        scaling_factor=1.5,
        shift_factor=0.25,
    )
    vae.save_pretrained(tmp_path / "model/vae")
    return tmp_path / "model"


def made(folder: Path, *options: str) -> StationaryBasis:
    file = folder / "b.safetensors"
    assert cli.main(["basis", *options, "--stationary", "-o", str(file)]) == 0
    assert file.stat().st_size < stationary.LARGEST
    return stationary.load(file)


def test_of_images(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = made(tmp_path, str(images))
    expected = stationary.fit([pixels(images)], {})
    assert torch.allclose(found.spectrum, expected.spectrum, atol=1e-5) and torch.allclose(found.mean, expected.mean)
    assert found.about == {"source": "the folder images", "latents": None, "count": COUNT}
    assert "stationary basis of 3 channels, for images of any size" in capsys.readouterr().out


def test_of_latents_shifted_and_scaled_as_the_network_knows_them(
    images: Path, shifted_vae: Path, tmp_path: Path
) -> None:
    found = made(tmp_path, str(images), "--vae", str(shifted_vae), "--limit", "4")
    vae = diffusers.AutoencoderKL.from_pretrained(shifted_vae / "vae")
    with torch.no_grad():
        latents = (vae.encode(pixels(images)[:4]).latent_dist.mean - 0.25) * 1.5
    expected = stationary.fit([latents], {})
    assert torch.allclose(found.spectrum, expected.spectrum, atol=1e-4)
    assert torch.allclose(found.mean, expected.mean, atol=1e-5)
    assert found.about["latents"]["shift_factor"] == 0.25 and found.about["latents"]["scaling_factor"] == 1.5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--vae", "{vae}"], "add --stationary"),
        (["--stationary", "--rank", "3"], "--stationary does not go with --rank"),
        (["--stationary", "--per-class"], "--stationary does not go with --per-class"),
        (["--stationary", "--vae", "{images}"], "holds no config.json of a VAE"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: list[str], said: str, images: Path, shifted_vae: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [option.format(vae=shifted_vae, images=images) for option in options]
    assert cli.main(["basis", str(images), *given, "-o", str(tmp_path / "b.safetensors")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "b.safetensors").exists()


def test_images_that_do_not_fit_the_vae_are_refused(shifted_vae: Path) -> None:
    encoder = LatentEncoder.load(shifted_vae / "vae")
    with pytest.raises(ValueError, match="height and width multiples of 2"):
        encoder(torch.zeros(1, 3, 15, 16))
    with pytest.raises(ValueError, match="it takes 3 channels"):
        encoder(torch.zeros(1, 1, 16, 16))
