"""Examples of the README and of docs/ that need no study: they run as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from tests.helpers.bases import make_basis
from underpainting import denoisers
from underpainting.basis import eigenbasis
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.io import artifacts
from underpainting.noise.levels import NoiseGrid, vp_level
from underpainting.pipeline import TeleportPipeline
from underpainting.samplers.walk import Sampler, sample
from underpainting_workflow import cli

README = Path(__file__).resolve().parents[2] / "README.md"
ARTIFACTS = README.parent / "docs/artifacts.md"
PIPELINE = README.parent / "docs/pipeline.md"


def block(language: str, word: str, file: Path = README) -> str:
    """The code block of a language that holds a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", file.read_text(encoding="utf-8"), re.S)
    (found,) = (text for text in blocks if word in text)
    return str(found)


def commands() -> dict[str, list[str]]:
    """Arguments of the lines of the example of `underpainting basis`, by what follows the command's name."""
    lines = (line.split("#")[0].split()[1:] for line in block("sh", "underpainting basis").splitlines())
    return {line[1]: line for line in lines}


def write_study(folder: Path, network: UNet2DModel) -> None:
    """What the examples name: the network and the basis of the study `digits`."""
    denoisers.save_pipeline(network, DDIMScheduler(clip_sample=False), folder / "results/digits/denoiser")
    one = make_basis(64, [3.0, 1.0, 0.5], 0)
    basis = Eigenbasis(0.2 * one.mean, one.vectors, one.variances, one.total_variance, (1, 8, 8))
    eigenbasis.save(basis, folder / "results/digits/eigenbasis.zarr.zip", {"study": "digits"})


REPORT = README.parent / "workflow/report/workflow.rst"


def lines_of_xarray(text: str) -> list[str]:
    """The lines by which plain xarray opens an artifact."""
    lines = (line.strip() for line in text[text.index("import xarray, zarr.storage") :].splitlines())
    return list(filter(None, lines))[:3]


def test_plain_xarray_opens_an_artifact_in_two_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = xr.Dataset({"mean": artifacts.array(np.arange(3.0), "pixel", "mean image")})
    artifacts.save(found, "results/digits/moments.zarr.zip", {"study": "digits"})
    lines = lines_of_xarray(block("python", "open_zarr", ARTIFACTS))
    report = REPORT.read_text(encoding="utf-8").replace("{{ snakemake.config.about | first }}", "digits")
    report = report.replace('{{ "moments" if "images" in kinds else "samplers" }}', "moments")
    assert lines == lines_of_xarray(report)
    names: dict[str, object] = {}
    exec("\n".join(lines), names)
    xr.testing.assert_equal(names["data"].load(), found)  # type: ignore[attr-defined]


def test_the_pipeline_in_three_lines(network: UNet2DModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path, network)
    assert cli.main(commands()["results/digits/eigenbasis.zarr.zip"]) == 0
    names: dict[str, object] = {}
    exec(block("python", "TeleportPipeline"), names)
    images = names["images"]
    assert isinstance(images, list)
    assert [image.size for image in images] == [(8, 8)] * 4
    assert torch.equal(TeleportPipeline.from_pretrained("teleport").basis.vectors, names["pipe"].basis.vectors)  # type: ignore[attr-defined]


def test_the_relative_sampler_in_a_pipeline_of_diffusers(
    network: UNet2DModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path, network)
    assert cli.main(commands()["results/digits/eigenbasis.zarr.zip"]) == 0
    names: dict[str, object] = {}
    exec(block("python", "RelativeScheduler", PIPELINE), names)
    images = names["images"]
    assert isinstance(images, list)
    assert [image.size for image in images] == [(8, 8)] * 4


def test_levels_from_a_basis_in_diffusers(
    network: UNet2DModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The images are near those of Euler's steps on these levels here, where the network's time is interpolated otherwise."""
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path, network)
    assert cli.main(commands()["results/digits/eigenbasis.zarr.zip"]) == 0
    capsys.readouterr()
    arguments, _, target = block("sh", "underpainting grid", PIPELINE).partition(" > ")
    assert cli.main(arguments.split()[1:]) == 0
    Path(target.strip()).write_text(levels := capsys.readouterr().out, encoding="utf-8")
    torch.manual_seed(0)
    names: dict[str, object] = {}
    exec(block("python", "set_timesteps", PIPELINE), names)
    grid = NoiseGrid.of([vp_level(ratio) for ratio in json.loads(levels)["sigmas"]])
    denoiser, _ = denoisers.load_denoiser("results/digits/denoiser")
    torch.manual_seed(0)
    sampler = Sampler.on("euler", grid)
    with torch.no_grad():
        expected = sample(sampler, denoiser, sampler.start(torch.randn(4, 1, 8, 8)))
    assert len(grid) == 9
    torch.testing.assert_close(names["images"], expected, rtol=0, atol=0.05)


def test_a_basis_of_images_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Path("FOLDER").mkdir()
    for index in range(5):
        Image.effect_noise((40, 36), 50).save(f"FOLDER/{index}.png")
    assert cli.main(commands()["FOLDER"]) == 0


def test_a_basis_of_a_network_s_samples(network: UNet2DModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer of them than the example asks for."""
    monkeypatch.chdir(tmp_path)
    denoisers.save_pipeline(network, DDIMScheduler(clip_sample=False), tmp_path / "FOLDER")
    arguments = commands()["--network"]
    assert arguments.count("2000") == 1
    assert cli.main([*["4" if argument == "2000" else argument for argument in arguments], "--steps", "2"]) == 0
