"""Samplers of a study against what `XScheduler.from_config(pipe.scheduler.config)` makes of a model's own folder.

They are equal, but for the rows of one table in docs/pipeline.md; each row names its test.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import schedulers
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

from tests.helpers.pipelines import pipeline, unet
from underpainting import denoisers
from underpainting.denoisers import PredictionType
from underpainting.noise.schedules import schedule_of
from underpainting.samplers import trajectories
from underpainting.samplers.randomness import added_noise, initial_noise
from underpainting.samplers.registry import SAMPLERS
from underpainting.samplers.walk import Sampler, sample

SEEDS, STEPS, SHAPE = range(2), 10, (1, 8, 8)
OF_DIFFUSERS = sorted(name for name, kind in SAMPLERS.items() if kind.levels == "scheduler" and not kind.relative)
IPNDM = ["ipndm", "ipndm2", "ipndm3"]
CLIPPING = sorted(name for name in OF_DIFFUSERS if SAMPLERS[name].clips)
PREDICTIONS: list[PredictionType] = ["epsilon", "v_prediction", "sample"]
SPACINGS = ["leading", "trailing", "linspace"]
TABLE = Path("docs/pipeline.md")
AS_PNDM_IS_RUN = {"skip_prk_steps": True, "set_alpha_to_one": True}
LAST_NOISE = {"variance_type": "fixed_small"}  # where diffusers, too, adds none at the last step


@cache
def network() -> Any:
    return unet(block_out_channels=(8,), down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",))


def own_config(prediction: str = "v_prediction", **settings: Any) -> DDPMScheduler:
    """A model's scheduler like that of google/ddpm-*; with less noise for epsilon, whose images would else be black and white."""
    noise = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.002 if prediction == "epsilon" else 0.02}
    google = {**noise, "num_train_timesteps": 1000, "clip_sample": True, "variance_type": "fixed_large"}
    return DDPMScheduler.from_config({**google, "prediction_type": prediction, **settings})


def by_diffusers(name: str, own: Any, steps: int = STEPS, **settings: Any) -> Tensor:
    """The images of diffusers' own loop, with the class's scheduler from the model's configuration."""
    scheduler = getattr(schedulers, SAMPLERS[name].scheduler).from_config(own.config, **settings)
    return loop(scheduler, steps)


@torch.inference_mode()
def loop(scheduler: Any, steps: int, to_image: bool = True) -> Tensor:
    """The images of diffusers' loop; DEIS' too end at the image then, near which it takes a logarithm."""
    scheduler.set_timesteps(steps)
    if to_image and isinstance(scheduler, schedulers.DEISMultistepScheduler):
        scheduler.sigmas[-1] = 1e-10
    images = initial_noise(SEEDS, SHAPE) * scheduler.init_noise_sigma
    adding = {"generator": added_noise(SEEDS)} if isinstance(scheduler, DDPMScheduler) else {}
    for time in scheduler.timesteps:
        output = network()(scheduler.scale_model_input(images, time), time).sample
        images = scheduler.step(output, time, images, **adding).prev_sample
    return images


def by_study(name: str, own: Any, steps: int = STEPS, **choice: Any) -> Tensor:
    """The images of a study's sampler."""
    sampler = trajectories.make_sampler({"name": name, "steps": steps, **choice}, own)
    denoiser = denoisers.make_denoiser(network(), own)
    return sample(sampler, denoiser, sampler.start(initial_noise(SEEDS, SHAPE)), seeds=SEEDS)


def by_pipeline(scheduler: Any, steps: int = STEPS) -> np.ndarray[Any, Any]:
    pipe = pipeline(unet=network(), scheduler=scheduler)
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    return (
        pipe(generator=generators, num_inference_steps=steps, skipped_steps=0, output_type="pt").images.numpy() * 2 - 1
    )


def distance(found: Tensor, expected: Tensor) -> float:
    """Largest difference, of the scale of the images."""
    return float((found - expected).abs().max()) / max(1.0, float(expected.abs().max()))


def tolerance(name: str) -> float:
    return 1e-4 if name == "lms" else 1e-5  # LMS finds its coefficients by a quadrature to 1e-4


def as_run(name: str) -> dict[str, Any]:
    """What a row of the table says of PNDM, and the order that a sampler's name says."""
    return AS_PNDM_IS_RUN if name == "pndm" else {"solver_order": 3} if name.endswith("3") else {}


# --- equal -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", OF_DIFFUSERS)
def test_a_study_s_sampler_is_diffusers_from_the_model_s_own_configuration(
    name: str, spacing: str, prediction: PredictionType
) -> None:
    """Clipped, and with the larger variance, as the model's file says; or it is a row of the table."""
    own = own_config(prediction, **LAST_NOISE if name == "ddpm" and spacing == "trailing" else {})
    if name in ("ddim", "pndm") and spacing == "linspace":
        with pytest.raises(ValueError, match="moves by 100 times at each step, its grid does not"):
            by_study(name, own, timestep_spacing=spacing)
        return
    if name == "pndm" and prediction == "sample":
        pytest.skip("diffusers' PNDM refuses such a network: a row of the table with a test of its own")
    expected = by_diffusers(name, own, timestep_spacing=spacing, **as_run(name))
    found = by_study(name, own, timestep_spacing=spacing, clip_sample=SAMPLERS[name].clips)
    assert ((expected > -1) & (expected < 1)).float().mean() > 0.2, "images that are all black or white show nothing"
    assert distance(found, expected) <= tolerance(name)


@pytest.mark.parametrize("name", OF_DIFFUSERS)
def test_without_a_spacing_in_the_model_s_file_both_take_the_class_s(name: str) -> None:
    found = by_study(name, own_config(), clip_sample=SAMPLERS[name].clips)
    assert distance(found, by_diffusers(name, own_config(), **as_run(name))) <= tolerance(name)


@pytest.mark.parametrize("name", sorted({*OF_DIFFUSERS} - {"ddpm"}))
def test_an_offset_of_the_times_is_the_model_s(name: str) -> None:
    own = own_config(steps_offset=3)
    found = by_study(name, own, timestep_spacing="leading", clip_sample=SAMPLERS[name].clips)
    assert distance(found, by_diffusers(name, own, timestep_spacing="leading", **as_run(name))) <= tolerance(name)
    assert distance(found, by_study(name, own_config(), timestep_spacing="leading")) > 1e-3


@pytest.mark.parametrize("name", sorted({*OF_DIFFUSERS} - {"ddpm"}))  # whose added noise belongs to the seeds
def test_a_pipeline_follows_the_scheduler_that_it_is_given(name: str) -> None:
    """The model's spacing and clipping, too."""
    own = own_config(timestep_spacing="trailing", clip_sample_range=0.8)
    scheduler = getattr(schedulers, SAMPLERS[name].scheduler).from_config(own.config, **as_run(name))
    expected = loop(scheduler, STEPS).clamp(-1, 1).numpy()
    assert np.abs(by_pipeline(scheduler) - expected).max() <= 10 * tolerance(name)  # it clips to the range of images


def test_means_of_velocities_are_no_means_of_noise_predictions() -> None:
    """So that equality of PNDM on both kinds of networks shows something."""
    own = own_config()
    sampler = Sampler("pndm", STEPS, own, prediction_type="epsilon")
    start = sampler.start(initial_noise(SEEDS, SHAPE))
    assert distance(sample(sampler, denoisers.make_denoiser(network(), own), start), by_study("pndm", own)) > 1e-2


# --- not equal: the rows of the table --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_DIFFUSERS)
def test_row_spacing(name: str) -> None:
    """A study takes the class's spacing, from_config that of the model's file; written into the study file, both are equal."""
    usual = "leading" if SAMPLERS[name].tabled else "linspace"
    written = "trailing" if usual == "leading" else "leading"
    own = own_config(timestep_spacing=written, **LAST_NOISE)
    clips = {"clip_sample": True} if SAMPLERS[name].clips else {}
    expected = by_diffusers(name, own, **as_run(name))
    assert distance(by_study(name, own, **clips), expected) > 1e-3
    assert distance(by_study(name, own, timestep_spacing=written, **clips), expected) <= tolerance(name)


@pytest.mark.parametrize("name", CLIPPING)
def test_row_clipping(name: str) -> None:
    expected = by_diffusers(name, own_config())
    assert distance(by_study(name, own_config()), expected) > 1e-3
    assert distance(by_study(name, own_config(), clip_sample=True), expected) <= 1e-5


@pytest.mark.parametrize("name", ["ddim", "ddpm", "dpmsolverpp", "unipc", "deis"])
def test_row_thresholding(name: str) -> None:
    """Never by a study; by a pipeline as its scheduler says."""
    own = own_config(thresholding=True, sample_max_value=1.5, clip_sample=False)
    scheduler = getattr(schedulers, SAMPLERS[name].scheduler).from_config(own.config)
    expected = loop(scheduler, STEPS)
    assert distance(by_study(name, own), expected) > 1e-3
    if name != "ddpm":
        assert np.abs(by_pipeline(scheduler) - expected.clamp(-1, 1).numpy()).max() <= 1e-4


@pytest.mark.parametrize("name", ["ddim", "pndm"])
def test_row_set_alpha_to_one(name: str) -> None:
    """The last step ends at the image, whatever the file says."""
    own = own_config(clip_sample=False)
    settings = as_run(name) | {"set_alpha_to_one": False}
    assert distance(by_study(name, own), by_diffusers(name, own, **settings)) > 1e-5
    assert distance(by_study(name, own), by_diffusers(name, own, **settings | {"set_alpha_to_one": True})) <= 1e-5


@pytest.mark.parametrize("name", ["euler", "dpmsolverpp", "unipc"])
def test_row_final_sigmas_type(name: str) -> None:
    own = getattr(schedulers, SAMPLERS[name].scheduler)(prediction_type="v_prediction", final_sigmas_type="sigma_min")
    assert distance(by_study(name, own), by_diffusers(name, own)) > 1e-5
    assert distance(by_study(name, own), by_diffusers(name, own, final_sigmas_type="zero")) <= 1e-5
    with pytest.raises(ValueError, match="would leave noise in the images; use 'zero'"):
        by_pipeline(own)


def test_row_last_level_of_deis() -> None:
    own = schedulers.DEISMultistepScheduler(prediction_type="v_prediction")
    assert distance(by_study("deis", own), loop(own, STEPS, to_image=False)) > 1e-5
    assert np.abs(by_pipeline(own) - loop(own, STEPS).clamp(-1, 1).numpy()).max() <= 1e-4


@pytest.mark.parametrize("name", IPNDM)
def test_row_ipndm(name: str) -> None:
    """Diffusers gives the network fractions of 1 as times and ignores its noise schedule; here it is the network's time."""
    own = own_config()
    scheduler, found = schedulers.IPNDMScheduler.from_config(own.config), by_study(name, own)
    for choice in ({}, {"timestep_spacing": "trailing"}):
        grid = Sampler(name, STEPS, own, **choice).grid
        np.testing.assert_array_equal(grid.sigma, schedule_of(own).grid(STEPS).sigma)
    assert distance(found, loop(scheduler, STEPS)) > 0.01
    assert (np.abs(by_pipeline(scheduler) - found.clamp(-1, 1).numpy()).max() <= 1e-5) == (name == "ipndm")


def test_row_runge_kutta() -> None:
    """PNDM without the Runge-Kutta steps that are its class's default."""
    own = own_config()
    assert distance(by_study("pndm", own), by_diffusers("pndm", own, set_alpha_to_one=True)) > 1e-3
    assert Sampler("pndm", STEPS, own).calls() == STEPS + 1


def test_row_pndm_of_sample_networks() -> None:
    """Means of noise predictions, where diffusers has none: as its loop of what the network says of the noise."""
    own = own_config("sample", clip_sample=False)
    with pytest.raises(ValueError, match="prediction_type given as sample must be one of"):
        by_diffusers("pndm", own)
    scheduler = schedulers.PNDMScheduler.from_config(own.config, prediction_type="epsilon", **AS_PNDM_IS_RUN)
    scheduler.set_timesteps(STEPS)
    images = initial_noise(SEEDS, SHAPE)
    with torch.inference_mode():
        for time in scheduler.timesteps:
            square = own.alphas_cumprod[time]
            noise = (images - square.sqrt() * network()(images, time).sample) / (1 - square).sqrt()
            images = scheduler.step(noise, time, images).prev_sample
    assert distance(by_study("pndm", own), images) <= 1e-4


@pytest.mark.parametrize("setting", [{"solver_order": 3}, {"solver_type": "heun"}], ids=str)
def test_row_other_settings(setting: dict[str, Any]) -> None:
    """A study takes the class's; a pipeline follows its scheduler."""
    own = schedulers.DPMSolverMultistepScheduler(prediction_type="v_prediction", **setting)
    expected = by_diffusers("dpmsolverpp", own)
    assert distance(by_study("dpmsolverpp", own), expected) > 1e-5
    assert np.abs(by_pipeline(own) - expected.clamp(-1, 1).numpy()).max() <= 1e-4


@pytest.mark.parametrize("name", ["euler", "heun", "lms", "dpmsolverpp", "unipc", "deis"])
def test_row_levels_between_times(name: str) -> None:
    """The network is given another time at a level between two of training: ours interpolates sigma, diffusers its logarithm."""
    own = getattr(schedulers, SAMPLERS[name].scheduler)(prediction_type="v_prediction", use_karras_sigmas=True)
    expected = by_diffusers(name, own).clamp(-1, 1).numpy()
    assert 1e-5 < np.abs(by_pipeline(own) - expected).max() < 0.1


def test_row_edmheun() -> None:
    """Heun's class with Karras' levels: the network's times and the spread of the initial noise differ by little."""
    own = own_config(clip_sample=False)
    assert 1e-5 < distance(by_study("edmheun", own), by_diffusers("heun", own, use_karras_sigmas=True)) < 0.02


@pytest.mark.parametrize("kind", ["learned", "learned_range"])
def test_row_learned_variance(kind: str) -> None:
    """DDPM adds the noise of its class's own variance."""
    own = DDPMScheduler(prediction_type="v_prediction", variance_type=kind)
    expected = by_diffusers("ddpm", own, variance_type="fixed_small")
    assert distance(by_study("ddpm", own, clip_sample=True), expected) <= 1e-5


@pytest.mark.parametrize(("spacing", "offset"), [("trailing", 0), ("leading", 1)])
def test_row_last_noise_of_ddpm(spacing: str, offset: int) -> None:
    """With the larger variance diffusers adds noise at the last step, unless that is at the time 0; here it ends at the image."""
    own, choice = own_config(steps_offset=offset), {"timestep_spacing": spacing}
    found, expected = by_study("ddpm", own, clip_sample=True, **choice), by_diffusers("ddpm", own, **choice)
    assert float(found.abs().max()) <= 1 < float(expected.abs().max())


def test_row_noise_of_ddpm() -> None:
    """The noise that is added to an image is another stream of its seed than the noise begun with."""
    own = own_config()
    scheduler = DDPMScheduler.from_config(own.config)
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    scheduler.set_timesteps(STEPS)
    images = initial_noise(SEEDS, SHAPE)
    with torch.inference_mode():
        for time in scheduler.timesteps:
            images = scheduler.step(network()(images, time).sample, time, images, generator=generators).prev_sample
    assert distance(by_study("ddpm", own, clip_sample=True), images) > 1e-2


# --- refusals and the table itself -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({*OF_DIFFUSERS, *IPNDM} - {*CLIPPING}))
def test_a_sampler_that_cannot_clip_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot clip endpoint estimates; leave clip_sample out, or take ddim, heun,"):
        Sampler(name, STEPS, own_config(), clip_sample=True)


@pytest.mark.parametrize("name", OF_DIFFUSERS)
def test_an_offset_beyond_the_network_s_times_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot take 1000 steps"):
        Sampler(name, 1000, own_config(steps_offset=1), timestep_spacing="leading")


def rows() -> list[str]:
    """The rows of the table, as they stand in the page."""
    section = TABLE.read_text(encoding="utf-8").partition("## Where images are diffusers' own")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][2:]


def test_each_row_of_the_table_names_its_test_and_each_test_has_a_row() -> None:
    named = [name for row in rows() for name in re.findall(r"`(test_\w+)`", row)]
    here = {name for name in globals() if name.startswith("test_row_")}
    elsewhere = "".join(
        Path("tests/underpainting", file).read_text()
        for file in ("samplers/test_sampling.py", "denoisers/test_denoisers.py")
    )
    assert len(rows()) > 10 and all(re.search(r"`test_\w+`", row) for row in rows())
    assert here <= set(named)
    assert all(name in here or f"def {name}(" in elsewhere for name in named)
