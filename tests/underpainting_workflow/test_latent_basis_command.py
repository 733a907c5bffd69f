"""`underpainting basis --pipeline`: Gaussians of a model's own latents under prompts, and the regression on captions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.pipelines import quiet
from underpainting.basis import eigenbasis, prompts
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.shrinkage import shrunk_gaussian
from underpainting.basis.stored import StoredBasis, load_basis
from underpainting.denoisers.latent_model import LatentModel
from underpainting.denoisers.prompted import Guidance
from underpainting.pipeline import TeleportStableDiffusionPipeline
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler, sample
from underpainting_workflow import cli

SHAPE = (4, 8, 8)
FEW = ["--samples", "6", "--steps", "3", "--batch-size", "4"]


def made(model: Path, folder: Path, *options: str) -> StoredBasis:
    assert cli.main(["basis", "--pipeline", str(model), *options, "-o", str(folder / "b.safetensors")]) == 0
    return load_basis(folder / "b.safetensors", "latents")


def own_latents(folder: Path, prompt: str, seeds: range, scale: float, negative: str = "") -> np.ndarray:
    model = LatentModel.load(folder)
    denoiser = model.denoiser(model.embed([prompt]), Guidance(scale), model.embed([negative]))
    sampler = Sampler("ddim", 3, model.schedule)
    return sample(sampler, denoiser, sampler.start(initial_noise(seeds, SHAPE))).flatten(1).double().numpy()


def close(one: Eigenbasis, other: Eigenbasis) -> bool:
    """Mean, variances and, since signs are free, the covariances."""
    other = eigenbasis.truncate(other, rank=one.rank)
    rebuilt = [(basis.vectors * basis.variances) @ basis.vectors.T for basis in (one, other)]
    pairs = [(one.mean, other.mean), (one.variances, other.variances), (rebuilt[0], rebuilt[1])]
    return all(float((a - b).abs().max()) < 1e-3 * float(b.abs().max()) for a, b in pairs)


def test_one_prompt_gives_the_gaussian_of_its_samples(
    latent_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--guidance", "2", "--negative-prompt", "blue", "--first-seed", "5"]
    found = made(latent_folder, tmp_path, "--prompt", "a red one", *FEW, *options)
    latents = own_latents(latent_folder, "a red one", range(5, 11), 2.0, "blue")
    assert close(found.all_images, eigenbasis.basis_of_images(latents, SHAPE))
    model = LatentModel.load(latent_folder)
    space = found.card.latents
    assert space is not None and (space.prompts, space.scaling_factor) == (("a red one",), 0.3)
    assert space.vae_digest == model.vae_digest
    assert "(ddim, 3 steps, guidance 2, seeds from 5)" in found.card.source
    assert (found.card.count, found.classes) == (6, ())
    assert "5 components of 4 x 8 x 8 latents" in capsys.readouterr().out


def test_several_prompts_have_gaussians_shrunk_towards_all(latent_folder: Path, tmp_path: Path) -> None:
    found = made(latent_folder, tmp_path, "--prompt", "a red one", "--prompt", "blue", *FEW)
    each = [own_latents(latent_folder, prompt, range(6), 7.5) for prompt in ("a red one", "blue")]
    common = eigenbasis.basis_of_images(np.concatenate(each), SHAPE)
    assert close(found.all_images, common)
    assert all(close(one, shrunk_gaussian(own, common).basis) for one, own in zip(found.classes, each, strict=True))
    assert found.card.latents is not None and found.card.latents.prompts == ("a red one", "blue")
    pipe = quiet(TeleportStableDiffusionPipeline.from_pretrained(latent_folder, basis=tmp_path / "b.safetensors"))
    assert pipe(["blue", "a red one"], num_inference_steps=5, output_type="latent").skipped_steps == 2


def pictures(folder: Path, size: int = 16) -> tuple[Path, torch.Tensor, list[str]]:
    """Images with captions in a table, in another order than that of the names."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (24, size, size, 3), np.uint8)
    captions = [f"{letter} {other}" for letter in "abcd" for other in "efg"] * 2
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{23 - number:02}.png")
    rows = [{"file_name": f"{23 - number:02}.png", "text": text} for number, text in enumerate(captions)]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lines = [f'{row["file_name"]},"{row["text"]}"' for row in rows]
    (folder / "metadata.csv").write_text("\n".join(["file_name,text", *lines]))
    return folder, torch.from_numpy(pixels.transpose(0, 3, 1, 2)).float() / 127.5 - 1, captions


@pytest.mark.parametrize("table", ["metadata.jsonl", "metadata.csv"])
def test_captions_give_the_regression_on_the_text(
    latent_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str
) -> None:
    folder, images, captions = pictures(tmp_path / "pictures")
    place = ["--captions", str(folder / table), "--images", str(folder), "-o", str(tmp_path / "r.safetensors")]
    assert cli.main(["basis", "--pipeline", str(latent_folder), *place]) == 0
    assert "regression of 4 x 8 x 8 latents on 12 different captions" in capsys.readouterr().out
    found, about = prompts.load(tmp_path / "r.safetensors")
    model = LatentModel.load(latent_folder)
    numbers = torch.tensor([captions.index(caption) for caption in captions])
    data = prompts.CaptionedLatents(model.encode(images), model.embed(captions[:12]), numbers)
    expected, _ = prompts.fit(data)
    (one,), (other,) = (fit.gaussian_for(model.embed(["h i"])) for fit in (found, expected))
    assert torch.allclose(one.mean, other.mean, atol=1e-4)
    assert about["count"] == 24 and about["latents"]["vae_digest"] == model.vae_digest
    pipe = quiet(TeleportStableDiffusionPipeline.from_pretrained(latent_folder, basis=tmp_path / "r.safetensors"))
    assert pipe("h i", num_inference_steps=5, output_type="latent").skipped_steps == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--pipeline needs prompts or captions"),
        (["--prompt", "a"], "--prompt needs a number of samples"),
        (["--prompt", "a", "--captions", "c.csv", "--images", "."], "give --prompt TEXT, or --captions FILE"),
        (["--captions", "c.csv"], "--captions and --images belong together"),
        (["--prompt", "a", "--samples", "2", "--size", "8"], "--size is the model's with --pipeline"),
        (["--prompt", "a", "--samples", "2", "--per-class"], "--per-class is for images in sub-folders"),
        (["--captions", "c.csv", "--images", ".", "--guidance", "2"], "--samples and --guidance are for --prompt"),
        (["--captions", "c.csv", "--images", "."], "there is no file c.csv"),
        (["--captions", "bad.csv", "--images", "."], "has no file_name and text"),
        (["--captions", "bad.jsonl", "--images", "."], "bad.jsonl cannot be read"),
        (["--captions", "empty.csv", "--images", "."], "empty.csv has no captions"),
        (["--captions", "lost.csv", "--images", "."], "names lost.png and 0 more files that are not there"),
        (
            ["--captions", "one.csv", "--images", "."],
            "1.png has 4 x 4 pixels, not 16 x 16. Remedy: the size is the model's: give --resize crop",
        ),
        (["--prompt", "a", "--samples", "1"], "a Gaussian needs two samples or more"),
        (["--prompt", "a", "--prompt", "a", "--samples", "2"], "prompts that differ"),
        (["--prompt", "a " * 20, "--samples", "2"], "has 22 tokens, the text encoder knows 12"),
        (["--prompt", "a", "--samples", "2", "--guidance", "-1"], "a guidance scale of -1.0 is not possible"),
        (["--prompt", "a", "--samples", "2", "--network", "n"], "or --pipeline FOLDER"),
    ],
)
def test_what_cannot_be_done_is_refused(
    latent_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text("file_name,caption\na.png,a\n")
    Path("bad.jsonl").write_text("no json\n")
    Path("empty.csv").write_text("file_name,text\n")
    Path("lost.csv").write_text("file_name,text\nlost.png,a\n")
    Path("one.csv").write_text("file_name,text\n1.png,a\n")
    Image.new("RGB", (4, 4)).save("1.png")
    assert cli.main(["basis", "--pipeline", str(latent_folder), *options, "-o", "b.safetensors"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("b.safetensors").exists()


def test_a_text_to_image_model_is_no_network_of_pixels(
    latent_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "b.safetensors")
    assert cli.main(["basis", "--network", str(latent_folder), "--samples", "2", "-o", file]) == 2
    assert "is a text-to-image model; give it as --pipeline, with --prompt" in capsys.readouterr().err


def test_prompts_without_a_model_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["basis", "faces", "--prompt", "a", "-o", "b.safetensors"]) == 2
    assert "--prompt, --captions and --images need --pipeline FOLDER" in capsys.readouterr().err


def test_a_model_of_another_kind_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model_index.json").write_text('{"transformer": ["diffusers", "FluxTransformer2DModel"]}')
    assert cli.main(["basis", "--pipeline", str(tmp_path), "--prompt", "a", *FEW, "-o", "b.safetensors"]) == 2
    assert "network is a transformer" in capsys.readouterr().err
