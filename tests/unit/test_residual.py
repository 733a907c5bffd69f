"""Networks that learn what the Gaussian leaves over: untrained they are the Gaussian, trained they are saved whole."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from sklearn.datasets import load_digits

from underpainting import denoisers, eigenbasis, training
from underpainting.compute import Compute
from underpainting.denoisers import residual
from underpainting.noise import training_grid, vp_level

SCHEDULE = DDIMScheduler(clip_sample=False, prediction_type="v_prediction")
ARCHITECTURE = {
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "attention_levels": 0,
    "attention_head_dim": 8,
    "norm_num_groups": 4,
}
FORMS = get_args(residual.Form)


def digits() -> torch.Tensor:
    return torch.from_numpy(np.round(load_digits().images / 16 * 255).astype(np.uint8))[:, None]


def basis_of_digits(rank: int | None = None) -> eigenbasis.Eigenbasis:
    """Some pixels never vary, so that some variances are zero."""
    images = (digits().double() / 127.5 - 1).flatten(1).numpy()
    basis = eigenbasis.dense(images.mean(0), np.cov(images.T), (1, 8, 8))
    return eigenbasis.truncate(basis, rank=rank) if rank else basis


def unet() -> Any:
    torch.manual_seed(0)
    return training.make_unet((1, 8, 8), **ARCHITECTURE)


def network(form: residual.Form, basis: eigenbasis.Eigenbasis) -> residual.ResidualNetwork:
    return residual.ResidualNetwork.untrained(unet(), basis, SCHEDULE, form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rank", [None, 10])
def test_an_untrained_network_is_the_gaussian_at_all_times(form: residual.Form, rank: int | None) -> None:
    """At the network's own times and between them, for components without variance and outside the basis, too."""
    basis = basis_of_digits(rank)
    denoiser, exact = denoisers.of_kind(network(form, basis), SCHEDULE), denoisers.GaussianDenoiser(basis)
    grid = training_grid(SCHEDULE)
    between = [vp_level(ratio) for ratio in (0.02, 0.377, 1.0, 30.0)]
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for level in [grid[0], grid[500], grid[999], *between]:
        states = level.alpha * 0.5 * images + level.sigma * images.flip(0)
        torch.testing.assert_close(denoiser(states, *level), exact(states, *level), atol=2e-4, rtol=1e-4)


def test_under_the_gaussian_the_posterior_form_learns_unit_variance_along_every_component() -> None:
    """Along those with variance; the rest of the velocity itself has the variance lambda / m."""
    random, generator = np.random.default_rng(0), torch.Generator().manual_seed(3)
    vectors = torch.from_numpy(np.linalg.qr(random.standard_normal((6, 6)))[0])
    variances = torch.tensor([2.0, 0.5, 0.1, 1e-2, 1e-4, 0.0], dtype=torch.float64)
    gaussian = residual.GaussianVelocity(torch.full((6,), 0.3), vectors, variances)
    clean, noise = torch.randn(2, 100_000, 6, generator=generator, dtype=torch.float64)
    clean = 0.3 + (clean * variances.sqrt()) @ vectors.T
    for ratio in (0.05, 0.5, 20.0):
        level = vp_level(ratio)
        alpha, sigma = (torch.full((len(clean), 1), value) for value in level)
        states = level.alpha * clean + level.sigma * noise
        velocity = level.alpha * noise - level.sigma * clean
        rest = (velocity - gaussian(states.float(), alpha, sigma)) @ vectors
        expected = variances / (level.sigma**2 + level.alpha**2 * variances)
        np.testing.assert_allclose(rest.var(0)[:5], expected[:5], rtol=0.03)
        filtered = gaussian.rescale(torch.randn(100_000, 6, generator=generator), alpha, sigma).double() @ vectors
        np.testing.assert_allclose(filtered.var(0), expected, rtol=0.03, atol=1e-8)


@pytest.mark.parametrize("form", FORMS)
def test_a_residual_network_is_saved_whole(form: residual.Form, tmp_path: Path) -> None:
    made = network(form, basis_of_digits())
    torch.nn.init.normal_(made.unet.conv_out.weight)
    denoisers.save_pipeline(made, SCHEDULE, tmp_path)
    files = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    declared = {"model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"}
    assert files == declared | {"scheduler/scheduler_config.json"}
    loaded, _ = denoisers.load_denoiser(tmp_path, Compute("cpu"))
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(images, 0.6, 0.8), denoisers.of_kind(made, SCHEDULE)(images, 0.6, 0.8))
    assert loaded.image_shape == (1, 8, 8)
    assert json.loads((tmp_path / "unet/config.json").read_text())["residual"] == form


@pytest.mark.parametrize("form", FORMS)
def test_it_starts_where_the_gaussian_is_and_is_ahead_at_first(form: residual.Form, tmp_path: Path) -> None:
    """The loss is that of v-prediction, whatever the form."""
    recipe = training.Recipe(steps=60, batch_size=32, warmup=5, learning_rate=3e-3, prediction_type="v_prediction")
    images, losses = digits(), {}
    for name, made in {"plain": unet(), form: network(form, basis_of_digits())}.items():
        trainer = training.Trainer(made, images, SCHEDULE, recipe, torch.device("cpu"))
        losses[name] = trainer.run(tmp_path / name, "run")
    assert losses[form][0] < 0.5 * losses["plain"][0]
    assert losses[form][-10:].mean() < losses["plain"][-10:].mean()
    assert not [key for key in trainer.average if "gaussian" in key or "ratios" in key]


def test_the_gaussian_is_not_rounded_where_the_network_is() -> None:
    made = network("posterior", basis_of_digits())
    images, times = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([5.0, 900.0])
    with torch.autocast("cpu", torch.bfloat16):
        rounded = made(images, times).sample
    assert torch.equal(rounded, made(images, times).sample)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="use velocity or posterior"):
        network("variance", basis_of_digits())  # type: ignore[arg-type]


def test_the_script_trains_on_a_gaussian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    eigenbasis.save(basis_of_digits(), tmp_path / "basis.zarr.zip")
    script = runpy.run_path("scripts/train_denoiser.py")
    config = {"training": {"residual": "velocity", "seed": 0}, "architecture": ARCHITECTURE}
    made = script["make_network"]((1, 8, 8), SCHEDULE, config, str(tmp_path / "basis.zarr.zip"))
    assert isinstance(made, residual.ResidualNetwork)
    plain = script["make_network"]((1, 8, 8), SCHEDULE, config, None)
    assert torch.equal(made.unet.conv_in.weight, plain.conv_in.weight)
