"""Text to image with a jump: StableDiffusionPipeline without one, the workflow's hybrid sampler with one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline, schedulers
from torch import Tensor

from tests.helpers.latents import SCHEDULE, change_json, save_latent_model, stable_diffusion
from tests.helpers.pipelines import images_of, quiet
from underpainting.basis import prompts
from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.basis.prompts import CaptionedLatents
from underpainting.basis.stored import BasisFileError, LatentSpace, StoredBasis, save_basis
from underpainting.denoisers.latent_model import LatentModel
from underpainting.denoisers.prompted import Guidance
from underpainting.noise.levels import NoiseLevel
from underpainting.pipeline import RelativeScheduler, TeleportBasis, TeleportStableDiffusionPipeline
from underpainting.samplers.randomness import initial_noise
from underpainting.samplers.walk import Sampler
from underpainting.teleport import hybrid_sampler
from underpainting.teleport.jumps import ClassJump, GuidedJump
from underpainting.theory import gaussian

PROMPTS = ["a red one", "blue"]
SHAPE = (4, 8, 8)
FIVE = {
    "ddim": "DDIMScheduler",
    "pndm": "PNDMScheduler",
    "lms": "LMSDiscreteScheduler",
    "euler": "EulerDiscreteScheduler",
    "dpmsolverpp": "DPMSolverMultistepScheduler",
}
SETTINGS: dict[str, dict[str, Any]] = {"ddim": {"clip_sample": False}}


@pytest.fixture(scope="module")
def model(latent_folder: Path) -> LatentModel:
    return LatentModel.load(latent_folder)


@pytest.fixture(scope="module")
def pipe(latent_folder: Path) -> TeleportStableDiffusionPipeline:
    return quiet(TeleportStableDiffusionPipeline.from_pretrained(latent_folder))


@pytest.fixture
def jumping(pipe: TeleportStableDiffusionPipeline, model: LatentModel) -> Any:
    """The pipeline with the Gaussians of two prompts and of the empty one."""
    own, pipe.basis = pipe.scheduler, stored(model)
    yield pipe
    pipe.scheduler, pipe.basis = own, None


@cache
def gaussians() -> list[Eigenbasis]:
    return [images_of(SHAPE, seed) for seed in (1, 2, 3)]


def stored(model: LatentModel, names: tuple[str, ...] = (*PROMPTS, "")) -> StoredBasis:
    space = LatentSpace(model.scaling_factor, model.vae_digest, names)
    return StoredBasis.of(common(), "noise", gaussians()[: len(names)], latents=space)


@cache
def common() -> Eigenbasis:
    return images_of(SHAPE)


def latents(count: int = 2) -> Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(0))


def scheduler_of(name: str, **changes: Any) -> Any:
    return getattr(schedulers, FIVE[name]).from_config({**SCHEDULE, **SETTINGS.get(name, {}), **changes})


def close(one: Any, other: Any, tolerance: float = 1e-4) -> bool:
    one, other = torch.as_tensor(one), torch.as_tensor(other)
    return bool((one - other).abs().max() < tolerance * max(1.0, float(other.abs().max())))


# --- without a jump --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guidance", [{"guidance_scale": 7.5, "guidance_rescale": 0.7}, {"guidance_scale": 1.0}])
@pytest.mark.parametrize("name", FIVE)
def test_without_a_jump_it_is_stable_diffusion_pipeline(
    pipe: TeleportStableDiffusionPipeline, name: str, guidance: dict[str, float]
) -> None:
    theirs = stable_diffusion()
    options = {"latents": latents(), "num_inference_steps": 5, "negative_prompt": ["", "a"], "output_type": "np"}
    expected = []
    for one in (theirs, pipe):
        one.scheduler = scheduler_of(name)
        expected.append(one(PROMPTS, **guidance, **options).images)
    assert np.abs(expected[0] - expected[1]).max() < 1e-4
    assert expected[0].std() > 0.05, "images that are not all alike"


def test_recording_changes_nothing(pipe: TeleportStableDiffusionPipeline) -> None:
    options = {"latents": latents(), "num_inference_steps": 4, "output_type": "latent"}
    assert torch.equal(pipe(PROMPTS, **options).images, pipe(PROMPTS, return_trajectory=True, **options).images)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", FIVE)
def test_a_trajectory_has_the_states_of_the_denoiser_in_one_convention(
    pipe: TeleportStableDiffusionPipeline, model: LatentModel, name: str, prediction: str
) -> None:
    pipe.scheduler = scheduler_of(name, prediction_type=prediction)
    found = pipe(
        PROMPTS,
        latents=latents(),
        num_inference_steps=5,
        return_trajectory=True,
        output_type="latent",
        guidance_scale=3.0,
    )
    path = found.trajectory
    assert path.states.shape == path.endpoints.shape == (2, 6, *SHAPE)
    assert np.allclose(path.grid.alpha**2 + path.grid.sigma**2, 1)
    assert (np.diff(path.grid.angle) < 0).all()
    assert close(path.states[:, -1], found.images * path.grid[5].alpha if name in ("lms", "euler") else found.images)
    config = {**SCHEDULE, "prediction_type": prediction}
    learned = LatentModel(
        model.unet, model.vae, model.text_encoder, model.tokenizer, schedulers.DDIMScheduler.from_config(config)
    )
    denoiser = learned.denoiser(model.embed(PROMPTS), Guidance(3.0))
    for step in range(5):
        assert close(path.endpoints[:, step], denoiser(path.states[:, step], *path.grid[step]))
    assert found.nfe == 2 * (6 if name == "pndm" else 5)


def test_each_seed_has_its_own_image(pipe: TeleportStableDiffusionPipeline) -> None:
    pipe.scheduler = scheduler_of("ddim")
    options = {"num_inference_steps": 3, "output_type": "latent", "guidance_scale": 2.0}
    both = pipe(PROMPTS[0], seeds=[5, 6], num_images_per_prompt=2, **options)
    assert both.seeds == [5, 6]
    assert close(both.images[1:], pipe(PROMPTS[0], seeds=[6], **options).images)
    assert close(
        both.images, pipe(PROMPTS[0], latents=initial_noise([5, 6], SHAPE), num_images_per_prompt=2, **options)[0]
    )


def test_noise_added_by_the_scheduler_comes_from_the_seeds_too(pipe: TeleportStableDiffusionPipeline) -> None:
    pipe.scheduler = scheduler_of("ddim")
    options = {"num_inference_steps": 3, "output_type": "latent", "eta": 1.0}
    both = pipe(PROMPTS, seeds=[5, 6], **options).images
    assert close(both[1:], pipe(PROMPTS[1], seeds=[6], **options).images)
    assert not close(both[1:], pipe(PROMPTS[1], seeds=[6], **{**options, "eta": 0.0}).images, 1e-2)


# --- with a jump -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skipped", [2, 4])
@pytest.mark.parametrize("name", FIVE)
def test_a_jump_gives_the_latents_of_the_workflow_s_hybrid_sampler(
    jumping: Any, model: LatentModel, name: str, skipped: int
) -> None:
    jumping.scheduler = scheduler_of(name, set_alpha_to_one=True, timestep_spacing="leading")
    found = jumping(
        PROMPTS,
        latents=latents(),
        num_inference_steps=6,
        skipped_fraction=skipped / 6,
        guidance_scale=3.0,
        output_type="latent",
    )
    sampler = Sampler(name, 6, model.schedule, timestep_spacing="leading")
    denoiser = model.denoiser(model.embed(PROMPTS), Guidance(3.0))
    *_, last = hybrid_sampler.walk(ClassJump(gaussians(), [0, 1]), sampler, denoiser, latents(), skipped)
    assert close(found.images, last.state)
    assert (found.nfe, found.skipped_steps) == (2 * sampler.calls(skipped), skipped)


def test_one_step_can_be_left(jumping: Any) -> None:
    for name in FIVE:
        jumping.scheduler = scheduler_of(name)
        found = jumping(PROMPTS, latents=latents(), num_inference_steps=5, skipped_fraction=0.8, output_type="latent")
        assert (found.nfe, found.skipped_steps) == (2, 4)
        assert torch.isfinite(found.images).all()


@pytest.mark.parametrize("name", FIVE)
def test_the_state_after_a_jump_is_that_of_the_closed_form(jumping: Any, name: str) -> None:
    jumping.scheduler = scheduler_of(name)
    options = {"latents": latents(), "num_inference_steps": 6, "return_trajectory": True, "output_type": "latent"}
    whole, path = (jumping(PROMPTS, skipped_fraction=part, **options).trajectory for part in (0.0, 0.5))
    assert path.first == 3
    assert np.allclose(path.grid.alpha, whole.grid.alpha[3:])
    for number, basis in enumerate(gaussians()[:2]):
        moved = gaussian.state(basis, whole.states[number : number + 1, 0], whole.grid[0], whole.grid[3])
        assert close(path.states[number : number + 1, 0], moved)


def test_by_default_four_tenths_are_skipped_where_there_is_a_basis(jumping: Any) -> None:
    jumping.scheduler = scheduler_of("ddim")
    assert jumping(PROMPTS, num_inference_steps=5, output_type="latent").skipped_steps == 2
    jumping.basis = None
    assert jumping(PROMPTS, num_inference_steps=5, output_type="latent").skipped_steps == 0


def test_images_of_one_prompt_share_its_gaussian(jumping: Any) -> None:
    jumping.scheduler = scheduler_of("ddim")
    options = {"num_inference_steps": 4, "output_type": "latent"}
    found = jumping(PROMPTS, seeds=[1, 2, 3, 4], num_images_per_prompt=2, **options).images
    assert close(found[:2], jumping(PROMPTS[0], seeds=[1, 2], num_images_per_prompt=2, **options).images)
    assert close(found[2:], jumping(PROMPTS[1], seeds=[3, 4], num_images_per_prompt=2, **options).images)


def test_embeddings_serve_in_place_of_prompts(jumping: Any, model: LatentModel) -> None:
    jumping.scheduler = scheduler_of("ddim")
    options = {"seeds": [1, 2], "num_inference_steps": 4, "output_type": "latent", "jump_guidance_scale": 2.0}
    embedded = {"prompt_embeds": model.embed(PROMPTS), "negative_prompt_embeds": model.embed(["", "blue"])}
    given = jumping(PROMPTS, negative_prompt=["", "blue"], **options).images
    assert close(jumping(**embedded, **options).images, given)


@pytest.mark.parametrize("negative", [["", ""], ["blue", "a red one"]])
def test_guidance_of_the_jump_is_that_between_the_gaussians(jumping: Any, negative: list[str]) -> None:
    jumping.scheduler = scheduler_of("ddim")
    options = {"latents": latents(), "num_inference_steps": 4, "return_trajectory": True, "output_type": "latent"}
    options |= {"negative_prompt": negative}
    guided = jumping(PROMPTS, skipped_fraction=0.5, jump_guidance_scale=4.0, **options).trajectory
    begin = jumping(PROMPTS, skipped_fraction=0, **options).trajectory
    places = {"a red one": 0, "blue": 1, "": 2}
    jump = GuidedJump(gaussians()[:2], [gaussians()[places[text]] for text in negative], [0, 1], 4.0)
    expected = jump(begin.states[:, 0].double(), begin.grid[0], begin.grid[2])
    assert close(guided.states[:, 0], expected)


def test_callbacks_see_and_change_the_steps_that_are_left(jumping: Any) -> None:
    jumping.scheduler = scheduler_of("euler")
    seen: list[tuple[int, float]] = []

    def halve(pipe: Any, step: int, time: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        assert pipe is jumping
        seen.append((step, float(time)))
        return {"latents": tensors["latents"] / 2} if step == 2 else {}

    options = {"latents": latents(), "num_inference_steps": 5, "output_type": "latent"}
    plain = jumping(PROMPTS, **options).images
    changed = jumping(PROMPTS, callback_on_step_end=halve, **options).images
    assert [step for step, _ in seen] == [0, 1, 2]
    assert close(changed, plain / 2)


def test_the_scheduler_is_as_before_whatever_happens(jumping: Any) -> None:
    jumping.scheduler = own = scheduler_of("euler")

    def fail(*_: Any) -> dict[str, Tensor]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jumping(PROMPTS, num_inference_steps=5, callback_on_step_end=fail)
    assert jumping.scheduler is own
    assert jumping.config["scheduler"] == ("diffusers", "EulerDiscreteScheduler")
    assert len(own.timesteps) == 1000, "untouched"


def test_output_types_and_tuples_are_those_of_diffusers(jumping: Any) -> None:
    jumping.scheduler = scheduler_of("ddim")
    options = {"seeds": [0], "num_inference_steps": 3}
    assert jumping(PROMPTS[0], **options).images[0].size == (16, 16)
    images, unsafe, path = jumping(PROMPTS[0], return_dict=False, return_trajectory=True, output_type="pt", **options)
    assert images.shape == (1, 3, 16, 16) and unsafe is None and path.states.shape == (1, 3, *SHAPE)
    assert len(jumping(PROMPTS[0], return_dict=False, **options)) == 2


# --- where Gaussians come from ---------------------------------------------------------------------------------------


def jumped(pipe: Any, prompt: str) -> tuple[Tensor, NoiseLevel, NoiseLevel, Tensor]:
    """Begin and end of a jump over half of the steps: state, levels, state."""
    pipe.scheduler = scheduler_of("ddim")
    options = {"seeds": [0], "num_inference_steps": 4, "return_trajectory": True, "output_type": "latent"}
    whole, path = (pipe(prompt, skipped_fraction=part, **options).trajectory for part in (0.0, 0.5))
    return whole.states[:, 0], whole.grid[0], path.grid[0], path.states[:, 0]


def test_a_basis_of_all_prompts_serves_any(jumping: Any, model: LatentModel) -> None:
    jumping.basis = stored(model, ())
    state, begin, end, found = jumped(jumping, "any other")
    assert close(found, gaussian.state(common(), state, begin, end))


def test_a_basis_of_one_prompt_needs_no_classes(jumping: Any, model: LatentModel) -> None:
    space = LatentSpace(model.scaling_factor, model.vae_digest, ("blue",))
    jumping.basis = StoredBasis.of(gaussians()[1], "noise", latents=space)
    state, begin, end, found = jumped(jumping, "blue")
    assert close(found, gaussian.state(gaussians()[1], state, begin, end))


def test_a_regression_on_the_text_serves_prompts_that_it_has_never_seen(
    jumping: Any, model: LatentModel, tmp_path: Path
) -> None:
    captions = [f"{letter} {other}" for letter in "abcd" for other in "efg"]
    data = CaptionedLatents(latents(36), model.embed(captions), torch.arange(36) % 12)
    regression, _ = prompts.fit(data, rank=5)
    about = {"latents": {"scaling_factor": model.scaling_factor, "vae_digest": model.vae_digest}}
    prompts.save(regression, tmp_path / "r.safetensors", about)
    jumping.basis = tmp_path / "r.safetensors"
    state, begin, end, found = jumped(jumping, "h i")
    (predicted,) = regression.gaussian_for(model.embed(["h i"]))
    assert close(found, gaussian.state(predicted, state, begin, end))
    jumping.basis = regression
    assert close(jumped(jumping, "h i")[3], found)
    prompts.save(regression, tmp_path / "r.safetensors", {})
    with pytest.raises(BasisFileError, match="does not say of which latents it is"):
        jumping.basis = tmp_path / "r.safetensors"


def test_an_unknown_prompt_is_refused_with_those_that_are_known(jumping: Any) -> None:
    with pytest.raises(ValueError, match="the Gaussian of latents under 'a red one', 'blue', '', and of no other"):
        jumping(["blue", "a blue one"], num_inference_steps=5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latents": None}, "a basis of pixels, but one of latents is needed"),
        ({"latents": LatentSpace(0.3, "ab" * 32)}, "latents of the VAE abababababab with scaling factor 0.3"),
    ],
)
def test_a_basis_of_other_latents_is_refused(
    pipe: Any, model: LatentModel, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    made = stored(model)
    other = save_basis(replace(made, card=replace(made.card, **changes)), tmp_path / "b.safetensors")
    for basis in (tmp_path / "b.safetensors", other, TeleportBasis.of(other)):
        with pytest.raises(BasisFileError, match=message):
            pipe.basis = basis


def test_a_basis_of_another_shape_is_refused(pipe: Any, model: LatentModel) -> None:
    space = LatentSpace(model.scaling_factor, model.vae_digest)
    with pytest.raises(ValueError, match=r"latents of shape \(4, 4, 4\), the model has \(4, 8, 8\)"):
        pipe.basis = StoredBasis.of(images_of((4, 4, 4)), "noise", latents=space)


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skipped_fraction": 1.0}, "skipped_fraction is 1; give a number from 0 to less than 1"),
        ({"seeds": [1]}, "1 seeds are given for 2 images"),
        ({"seeds": [1, 2], "generator": torch.Generator()}, "seeds and generator both say"),
        ({"seeds": [1, 2], "latents": latents()}, "seeds and latents both say"),
        ({"height": 32}, "one of 16 x 16 images; leave height and width out"),
        ({"timesteps": [500, 1]}, "leave timesteps out"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(jumping: Any, options: dict[str, Any], message: str) -> None:
    jumping.scheduler = scheduler_of("euler")
    with pytest.raises(ValueError, match=message):
        jumping(PROMPTS, num_inference_steps=5, **options)


def test_a_jump_without_a_basis_is_refused(pipe: Any) -> None:
    with pytest.raises(ValueError, match=r"a jump needs the Gaussian of the latents: set pipe\.basis"):
        pipe(PROMPTS, skipped_fraction=0.5)


def test_no_prompt_is_diffusers_own_error(jumping: Any) -> None:
    with pytest.raises(ValueError, match="Provide either `prompt` or `prompt_embeds`"):
        jumping()


def test_schedulers_that_cannot_begin_later_are_refused(jumping: Any, model: LatentModel) -> None:
    jumping.scheduler = schedulers.PNDMScheduler.from_config({**SCHEDULE, "skip_prk_steps": False})
    with pytest.raises(ValueError, match="PNDM as it is set here cannot begin at a later step"):
        jumping(PROMPTS, num_inference_steps=5)
    jumping.scheduler = schedulers.KDPM2DiscreteScheduler.from_config(SCHEDULE)
    with pytest.raises(ValueError, match="the scheduler KDPM2DiscreteScheduler has no sampler here"):
        jumping(PROMPTS, num_inference_steps=5)
    jumping.scheduler = RelativeScheduler.from_config(model.schedule.config, basis=stored(model, ()))
    with pytest.raises(ValueError, match="the first step of a RelativeScheduler is a jump already"):
        jumping(PROMPTS, num_inference_steps=5, skipped_fraction=0.5)


def test_the_relative_sampler_takes_the_same_basis(jumping: Any, model: LatentModel) -> None:
    jumping.scheduler = RelativeScheduler.from_config(model.schedule.config, basis=(basis := stored(model, ())))
    options = {"num_inference_steps": 5, "guidance_scale": 2.0, "output_type": "latent", "return_trajectory": True}
    found = jumping(PROMPTS, latents=latents(), **options)
    sampler = Sampler("relative", 5, model.schedule, basis.all_images)
    denoiser = model.denoiser(model.embed(PROMPTS), Guidance(2.0))
    walked = list(sampler.walk(denoiser, sampler.start(latents())))
    assert close(found.images, walked[-1].state, 1e-3)
    for number, step in enumerate(walked):
        assert close(found.trajectory.states[:, number], step.state / np.hypot(*step.level), 1e-3)
        assert close(found.trajectory.endpoints[:, number], step.endpoint, 1e-3)
    assert (found.nfe, found.skipped_steps) == (10, 0)


# --- travelling ------------------------------------------------------------------------------------------------------


def test_a_saved_pipeline_brings_its_basis_and_is_read_by_diffusers(jumping: Any, tmp_path: Path) -> None:
    jumping.scheduler = scheduler_of("ddim")
    jumping.save_pretrained(tmp_path)
    options = {"latents": latents(), "num_inference_steps": 4, "output_type": "latent"}
    loaded = quiet(TeleportStableDiffusionPipeline.from_pretrained(tmp_path))
    found = loaded(PROMPTS, **options)
    assert found.skipped_steps == 1
    assert close(found.images, jumping(PROMPTS, **options).images)
    theirs = quiet(DiffusionPipeline.from_pretrained(tmp_path))
    assert type(theirs) is StableDiffusionPipeline
    assert close(theirs(PROMPTS, **options).images, jumping(PROMPTS, skipped_fraction=0, **options).images)
    assert LatentModel.load(tmp_path).vae_digest == loaded.basis.space.vae_digest


def test_a_basis_made_in_float32_serves_in_half_precision(latent_folder: Path, model: LatentModel) -> None:
    half = TeleportStableDiffusionPipeline.from_pretrained(
        latent_folder, torch_dtype=torch.float16, basis=stored(model)
    )
    assert half.vae.dtype == torch.float16
    assert half.basis.space.vae_digest == model.vae_digest


def test_models_of_other_kinds_and_pickles_are_refused(latent_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only safetensors are read, never a pickle"):
        TeleportStableDiffusionPipeline.from_pretrained(latent_folder, use_safetensors=False)
    (tmp_path / "model_index.json").write_text('{"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"]}')
    with pytest.raises(ValueError, match="two text encoders"):
        TeleportStableDiffusionPipeline.from_pretrained(tmp_path)


def test_a_safety_checker_that_is_named_but_missing_is_left_out(
    pipe: TeleportStableDiffusionPipeline, latent_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(latent_folder, tmp_path / "model"))
    named = {"safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"], "requires_safety_checker": True}
    change_json(folder / "model_index.json", **named)
    loaded = quiet(TeleportStableDiffusionPipeline.from_pretrained(folder))
    assert loaded.safety_checker is None
    pipe.scheduler = loaded.scheduler
    options = {"seeds": [0], "num_inference_steps": 3, "output_type": "latent"}
    assert close(loaded(PROMPTS[0], **options).images, pipe(PROMPTS[0], **options).images)


def test_guidance_of_one_or_less_is_none_as_in_diffusers(pipe: TeleportStableDiffusionPipeline) -> None:
    theirs = stable_diffusion()
    options = {"latents": latents(), "num_inference_steps": 3, "output_type": "latent", "guidance_scale": 0.5}
    pipe.scheduler = theirs.scheduler = scheduler_of("ddim")
    found = pipe(PROMPTS, **options)
    assert close(found.images, theirs(PROMPTS, **options).images)
    assert close(found.images, pipe(PROMPTS, **{**options, "guidance_scale": 1.0}).images)
    assert found.nfe == 3


def test_a_prompt_that_is_too_long_is_cut_as_in_diffusers(pipe: TeleportStableDiffusionPipeline) -> None:
    pipe.scheduler = scheduler_of("ddim")
    options = {"seeds": [0], "num_inference_steps": 2, "output_type": "latent"}
    cut = pipe("a b c d e f g h i j k l m", **options).images
    assert close(cut, pipe("a b c d e f g h i j", **options).images)


def test_networks_of_velocities_jump_as_well(model: LatentModel, tmp_path: Path) -> None:
    folder = save_latent_model(tmp_path, "v_prediction")
    velocities = quiet(TeleportStableDiffusionPipeline.from_pretrained(folder, basis=stored(model)))
    velocities.scheduler = scheduler_of("euler", prediction_type="v_prediction", timestep_spacing="leading")
    options = {"num_inference_steps": 6, "guidance_scale": 3.0, "output_type": "latent"}
    found = velocities(PROMPTS, latents=latents(), skipped_fraction=0.5, **options)
    own = LatentModel.load(folder)
    sampler = Sampler("euler", 6, own.schedule, timestep_spacing="leading")
    denoiser = own.denoiser(own.embed(PROMPTS), Guidance(3.0))
    *_, last = hybrid_sampler.walk(ClassJump(gaussians(), [0, 1]), sampler, denoiser, latents(), 3)
    assert close(found.images, last.state)
