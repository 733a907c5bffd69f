"""Networks that learn what the Gaussian leaves over: what their forms mean, and that they are saved whole."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from tests.helpers.networks import SMALL, small_unet
from underpainting import denoisers
from underpainting.basis import eigenbasis
from underpainting.denoisers import residual
from underpainting.denoisers.compute import Compute
from underpainting.noise.levels import NoiseLevel, training_grid, vp_level
from underpainting.theory import gaussian
from underpainting.training.trainer import Recipe, Trainer

SCHEDULE = DDIMScheduler(clip_sample=False, prediction_type="v_prediction")
FloatArray = NDArray[np.float64]
FORMS = get_args(residual.Form)


def digits() -> torch.Tensor:
    return torch.from_numpy(np.round(load_digits().images / 16 * 255).astype(np.uint8))[:, None]


def basis_of_digits(rank: int | None = None) -> eigenbasis.Eigenbasis:
    """Some pixels never vary, so that some variances are zero."""
    images = (digits().double() / 127.5 - 1).flatten(1).numpy()
    basis = eigenbasis.dense(images.mean(0), np.cov(images.T), (1, 8, 8))
    return eigenbasis.truncate(basis, rank=rank) if rank else basis


def network(form: residual.Form, basis: eigenbasis.Eigenbasis) -> residual.ResidualNetwork:
    return residual.ResidualNetwork.untrained(small_unet(), basis, SCHEDULE, form)


def levels_and_states() -> Iterator[tuple[NoiseLevel, torch.Tensor]]:
    """Levels at a network's own times and between them, and states there."""
    grid = training_grid(SCHEDULE)
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for level in [grid[0], grid[500], grid[999], *(vp_level(ratio) for ratio in (0.02, 0.377, 1.0, 30.0))]:
        yield level, level.alpha * 0.5 * images + level.sigma * images.flip(0)


def explained(states: torch.Tensor, target: torch.Tensor) -> float:
    """The share of a target's variance that the best linear function of the states has."""
    centred, wanted = states - states.mean(0), target - target.mean(0)
    fitted = centred @ torch.linalg.solve(centred.T @ centred, centred.T @ wanted)
    return float(fitted.square().sum() / wanted.square().sum())


@pytest.mark.parametrize("rank", [None, 10])
def test_an_untrained_network_is_the_gaussian_at_all_times(rank: int | None) -> None:
    """At the network's own times and between them, for components without variance and outside the basis, too."""
    basis = basis_of_digits(rank)
    denoiser, exact = denoisers.make_denoiser(network("velocity", basis), SCHEDULE), gaussian.GaussianDenoiser(basis)
    for level, states in levels_and_states():
        torch.testing.assert_close(denoiser(states, *level), exact(states, *level), atol=2e-4, rtol=1e-4)


def test_a_blend_weighs_endpoint_estimates_by_noise_and_signal() -> None:
    """x0_hat = sigma^2 x0_gauss + alpha^2 x0_F, where F alone is a plain network for v."""
    basis, made = basis_of_digits(), network("blend", basis_of_digits())
    blend, plain = denoisers.make_denoiser(made, SCHEDULE), denoisers.make_denoiser(made.unet, SCHEDULE)
    exact = gaussian.GaussianDenoiser(basis)
    for level, states in levels_and_states():
        expected = level.sigma**2 * exact(states, *level) + level.alpha**2 * plain(states, *level)
        torch.testing.assert_close(blend(states, *level), expected, atol=2e-4, rtol=1e-4)


def test_the_rest_is_uncorrelated_with_every_linear_function_of_the_state() -> None:
    """Of the digits themselves, not of Gaussian images."""
    basis, clean = basis_of_digits(), (digits().double() / 127.5 - 1).flatten(1).repeat(20, 1)
    gaussian = residual.GaussianVelocity(basis.mean, basis.vectors, basis.variances)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for ratio in (0.3, 1.0):
        level = vp_level(ratio)
        alpha, sigma = (torch.full((len(clean), 1), value) for value in level)
        states, velocity = level.alpha * clean + level.sigma * noise, level.alpha * noise - level.sigma * clean
        rest = velocity - gaussian(states.float(), alpha, sigma).double()
        assert explained(states, velocity) > 0.2
        assert explained(states, rest) < 4e-3


def test_at_high_noise_the_gaussian_leaves_the_square_of_alpha_over() -> None:
    """Two skew modes: beside alpha^2, the rest of the endpoint estimate tends to a finite function of the noise."""
    weights, modes = np.array([0.8, 0.2]), np.array([-0.5, 2.0])
    mean, variance = weights @ modes, weights @ modes**2 - (weights @ modes) ** 2
    noise = np.array([-2.0, -0.5, 0.3, 1.7])

    def rest(alpha: float) -> FloatArray:
        sigma = np.sqrt(1 - alpha**2)
        states = alpha * mean + sigma * noise
        likelihood = weights * np.exp(-((states[:, None] - alpha * modes) ** 2) / (2 * sigma**2))
        exact = (likelihood * modes).sum(1) / likelihood.sum(1)
        gaussian = mean + alpha * variance / (sigma**2 + alpha**2 * variance) * (states - alpha * mean)
        return np.asarray(exact - gaussian)

    third = weights @ (modes - mean) ** 3
    np.testing.assert_allclose(rest(1e-3) / 1e-6, third / 2 * (noise**2 - 1), rtol=0.02)


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
    assert torch.equal(loaded(images, 0.6, 0.8), denoisers.make_denoiser(made, SCHEDULE)(images, 0.6, 0.8))
    assert loaded.image_shape == (1, 8, 8)
    assert json.loads((tmp_path / "unet/config.json").read_text())["residual"] == form


def trained(made: torch.nn.Module, folder: Path) -> tuple[FloatArray, Trainer]:
    """The losses of a short training, and the trainer."""
    recipe = Recipe(steps=60, batch_size=32, warmup=5, learning_rate=3e-3, prediction_type="v_prediction")
    trainer = Trainer(made, digits(), SCHEDULE, recipe, torch.device("cpu"))
    return trainer.run(folder, "run"), trainer


@pytest.mark.slow
def test_it_is_ahead_at_first(tmp_path: Path) -> None:
    """The loss is that of v-prediction, whatever the form."""
    plain, _ = trained(small_unet(), tmp_path / "plain")
    for form in FORMS:
        losses, trainer = trained(network(form, basis_of_digits()), tmp_path / form)
        assert losses[0] < 0.9 * plain[0], form
        assert losses[-10:].mean() < plain[-10:].mean(), form
        assert not [key for key in trainer.average if "gaussian" in key or "ratios" in key]


def test_the_gaussian_is_not_rounded_where_the_network_is() -> None:
    made = network("velocity", basis_of_digits())
    images, times = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([5.0, 900.0])
    with torch.autocast("cpu", torch.bfloat16):
        rounded = made(images, times).sample
    assert torch.equal(rounded, made(images, times).sample)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="use velocity or blend"):
        network("variance", basis_of_digits())  # type: ignore[arg-type]


def test_the_script_trains_on_a_gaussian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    eigenbasis.save(basis_of_digits(), tmp_path / "basis.zarr.zip")
    script = runpy.run_path("scripts/train_denoiser.py")
    config = {"training": {"residual": "velocity", "seed": 0}, "architecture": SMALL}
    made = script["make_network"]((1, 8, 8), SCHEDULE, config, str(tmp_path / "basis.zarr.zip"))
    assert isinstance(made, residual.ResidualNetwork)
    plain = script["make_network"]((1, 8, 8), SCHEDULE, config, None)
    assert torch.equal(made.unet.conv_in.weight, plain.conv_in.weight)
