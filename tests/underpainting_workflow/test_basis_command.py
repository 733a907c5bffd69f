"""`underpainting basis`: outside any project, its basis is that of the library's functions on the same images."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from PIL import Image

from underpainting import denoisers
from underpainting.basis import eigenbasis, estimate, moments
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.stored import StoredBasis, load_basis
from underpainting.denoisers.compute import Compute
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler, sample
from underpainting_workflow import cli

Array = np.ndarray[Any, Any]


def write_images(folder: Path, count: int, size: int = 4, classes: int = 0, channels: int = 1) -> Array:
    """Pictures in a folder; their bytes in the order in which they are read, shape (sample, channel, height, width)."""
    shape = (count, size, size, channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for index, image in enumerate(pixels):
        place = folder / f"class{index * classes // count}" if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze(-1) if channels == 1 else image).save(place / f"{index:03}.png")
    return pixels.transpose(0, 3, 1, 2)


def in_range(pixels: Array) -> Array:
    return pixels.reshape(len(pixels), -1) / 127.5 - 1.0


def covariance_basis(pixels: Array) -> Eigenbasis:
    found = moments.moments_of_batches([in_range(pixels)], in_range(pixels).shape[1])
    return eigenbasis.dense(found.mean, found.covariance(), pixels.shape[1:])


def close(one: Eigenbasis, other: Eigenbasis, rank: int, tolerance: float = 1e-6) -> bool:
    """Mean, variances and, since signs and degenerate axes are free, the covariances that the leading axes give."""
    assert one.rank == rank
    leading = eigenbasis.truncate(other, rank=rank)
    rebuilt = [(basis.vectors * basis.variances) @ basis.vectors.T for basis in (one, leading)]
    pairs = [(one.mean, leading.mean), (one.variances, leading.variances), (rebuilt[0], rebuilt[1])]
    return all(float((a - b).abs().max()) < tolerance for a, b in pairs)


def made(folder: Path, *options: str) -> StoredBasis:
    assert cli.main(["basis", *options, "-o", str(folder / "basis.safetensors")]) == 0
    return load_basis(folder / "basis.safetensors")


@pytest.mark.parametrize("method", ["auto", "dense", "gram", "randomized"])
def test_a_folder_gives_the_basis_of_its_covariance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = write_images(tmp_path / "faces", 40)
    found = made(tmp_path, "faces", "--rank", "12", "--method", method)
    assert close(found.all_images, covariance_basis(pixels), 12)
    assert found.card.method == ("dense" if method == "auto" else method)
    assert (found.card.source, found.card.count, found.card.image_shape) == ("the folder faces", 40, (1, 4, 4))
    assert found.card.data_digest == hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
    told = capsys.readouterr().out
    assert "basis.safetensors: 12 components of 1 x 4 x 4 images" in told
    assert f"{found.card.explained_variance:.2%} of the variance of the folder faces, 40 images" in told


@pytest.mark.parametrize(("option", "level"), [("7", [7] * 3), ("1,2,3", [1, 2, 3])])
def test_transparent_pixels_show_the_background(tmp_path: Path, option: str, level: list[int]) -> None:
    (tmp_path / "clear").mkdir()
    for index in range(4):
        Image.new("RGBA", (4, 4), (200, 100, 0, 0)).save(tmp_path / "clear" / f"{index}.png")
    found = made(tmp_path, str(tmp_path / "clear"), "--background", option)
    expected = np.repeat(np.array(level) / 127.5 - 1, 16)
    np.testing.assert_allclose(found.all_images.mean, expected, atol=1e-6)


def test_few_images_take_the_gram_matrix_and_colours_count(tmp_path: Path) -> None:
    pixels = write_images(tmp_path / "faces", 9, channels=3)
    found = made(tmp_path, str(tmp_path / "faces"))
    assert found.card.method == "gram"
    assert close(found.all_images, covariance_basis(pixels), 8)


def test_the_first_images_in_another_size_and_in_grey(tmp_path: Path) -> None:
    write_images(tmp_path / "faces", 30, size=8, channels=3)
    options = ["--size", "4", "--channels", "1", "--resize", "crop", "--limit", "20", "--precision", "float32"]
    found = made(tmp_path, str(tmp_path / "faces"), *options)
    assert (found.card.image_shape, found.card.count) == ((1, 4, 4), 20)


def test_each_sub_folder_is_a_class_with_a_basis_of_its_own(tmp_path: Path) -> None:
    pixels = write_images(tmp_path / "faces", 60, classes=2)
    found = made(tmp_path, str(tmp_path / "faces"), "--per-class")
    assert close(found.all_images, covariance_basis(pixels), 16)
    assert all(
        close(one, covariance_basis(part), 16) for one, part in zip(found.classes, np.split(pixels, 2), strict=True)
    )


def test_a_data_set_in_the_hub_s_format(tmp_path: Path) -> None:
    hub = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    pixels = write_images(tmp_path / "faces", 20)
    content = {"picture": [Image.fromarray(image[0]) for image in pixels]}
    (tmp_path / "set" / "data").mkdir(parents=True)
    features = hub.Features({"picture": hub.Image()})
    hub.Dataset.from_dict(content, features=features).to_parquet(tmp_path / "set" / "data" / "train-0.parquet")
    found = made(tmp_path, f"hub:{tmp_path / 'set'}@{'0' * 40}", "--image-column", "picture")
    assert close(found.all_images, covariance_basis(pixels), 16)


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        (DDIMScheduler(clip_sample=False), "ddim"),
        (DDIMScheduler(clip_sample=False), "ddpm"),
        (EDMEulerScheduler(), "edmchurn"),
        (FlowMatchEulerDiscreteScheduler(), "unipc"),
    ],
    ids=["ddim", "ddpm", "edm", "flow"],
)
def test_samples_of_a_network_stand_in_for_its_images(tmp_path: Path, schedule: Any, name: str) -> None:
    """Of every kind of network; the noise that a stochastic sampler adds has the seeds of the images, too."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        blocks = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
        network = UNet2DModel(4, 1, 1, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, **blocks)
    denoisers.save_pipeline(network, schedule, tmp_path / "network")
    options = ["--network", str(tmp_path / "network"), "--samples", "30", "--steps", "5", "--batch-size", "7"]
    found = made(tmp_path, *options, *(["--sampler", name] if name != "ddim" else []))
    denoiser, schedule = denoisers.load_denoiser(tmp_path / "network", Compute("cpu"))
    sampler, seeds = Sampler(name, 5, schedule), range(30)
    images = sample(sampler, denoiser, sampler.start(initial_noise(seeds, (1, 4, 4))), seeds=seeds).clamp(-1, 1)
    expected = covariance_basis(np.round((images.numpy() + 1) * 127.5).astype(np.uint8))
    assert close(found.all_images, expected, 16, tolerance=0.01)  # a sample at the edge of two bytes may fall to either
    assert found.card.source == f"samples of the network network ({name}, 5 steps, seeds from 0)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give either SOURCE, a folder or hub:owner/name@commit, or --network FOLDER, or --pipeline FOLDER"),
        (["nowhere"], "there is no folder nowhere; correct SOURCE"),
        (["empty"], "SOURCE: the folder empty holds no image"),
        (["faces", "--size", "8"], "has 4 x 4 pixels, not 8 x 8. Remedy: set --size 4, or --resize crop"),
        (["wide"], "--size: the first image has 6 x 4 pixels. Remedy: say which size images are to have"),
        (["clear"], "Remedy: set --background to what lies behind them: a grey level, or red, green and blue"),
        (["clear", "--background", "256"], "--background 256 is not allowed. Remedy: "),
        (["faces", "--rank", "99"], "rank 99 is not possible"),
        (["faces", "--per-class"], "the images have no classes; put those of each class into a sub-folder"),
        (["hub:owner/name"], "names no commit; write hub:owner/name@"),
        (["hub:owner/name@main"], "SOURCE: 'main' is no full commit"),
        (["--network", "nowhere"], "--network needs --samples"),
        (["--network", "nowhere", "--samples", "3"], "is not a diffusers pipeline folder"),
        (["faces", "--network", "nowhere"], "give either SOURCE"),
    ],
)
def test_what_cannot_be_done_is_said_in_the_words_of_the_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "faces", 5)
    (tmp_path / "empty").mkdir()
    (tmp_path / "wide").mkdir()
    Image.new("L", (6, 4)).save(tmp_path / "wide" / "0.png")
    (tmp_path / "clear").mkdir()
    Image.new("LA", (4, 4), (9, 0)).save(tmp_path / "clear" / "0.png")
    assert cli.main(["basis", *options, "-o", "b.safetensors"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("b.safetensors").exists()


@pytest.mark.parametrize(
    ("pixels", "count", "method"), [(3072, 50_000, "dense"), (196_608, 1000, "gram"), (196_608, 30_000, "randomized")]
)
def test_the_method_follows_number_and_size(pixels: int, count: int, method: str) -> None:
    assert estimate.choose_method("auto", pixels, count) == method
