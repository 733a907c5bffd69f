"""Text to image with a jump over the first steps, as a pipeline of diffusers that behaves as StableDiffusionPipeline.

The loop is that of diffusers; its scheduler begins later (`shortened`), with a state that the closed form of the
Gaussian under the prompt gives (`prompt_gaussians`, `teleport.jumps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.pipelines.stable_diffusion.pipeline_output import StableDiffusionPipelineOutput
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from torch import Tensor

from underpainting.basis.stored import save_basis
from underpainting.denoisers.latent_folders import INDEX, layout_of, read_layout
from underpainting.denoisers.latent_model import digest_of_vae
from underpainting.io.network_config import read_config
from underpainting.io.writing import write_json
from underpainting.noise.levels import NoiseLevel
from underpainting.pipeline import prompt_gaussians
from underpainting.pipeline.designs import SKIPPED_FRACTION, steps_of
from underpainting.pipeline.output import Trajectory
from underpainting.pipeline.prompt_gaussians import LatentBasis, ReadBasis
from underpainting.pipeline.relative_scheduler import RelativeScheduler
from underpainting.pipeline.schedulers import network_kind
from underpainting.pipeline.shortened import ShortenedScheduler
from underpainting.samplers.randomness import added_noise, initial_noise
from underpainting.teleport.jumps import ClassJump, GuidedJump, Jump

BASIS_FILE, SAFETY_CHECKER = "basis.safetensors", "safety_checker"


@dataclass
class TeleportStableDiffusionOutput(StableDiffusionPipelineOutput):  # type: ignore[misc]  # diffusers has no types
    """Images, and the number of network calls, what was skipped, seeds and trajectory behind them.

    Attributes:
        images: as in StableDiffusionPipeline.
        nsfw_content_detected: as in StableDiffusionPipeline.
        nfe: network calls per image, counted; two per prediction with guidance.
        skipped_steps: number of the scheduler's steps that the jump replaced.
        seeds: one per image, if they were given.
        trajectory: states and endpoint estimates, with guidance, on the variance-preserving path, if requested.
    """

    nfe: int
    skipped_steps: int
    seeds: list[int] | None = None
    trajectory: Trajectory | None = None


class _OwnDevice:
    """A jump that is made on the device and in the precision of its Gaussians."""

    def __init__(self, jump: Jump, device: torch.device) -> None:
        self._jump, self._device = jump, device

    def __call__(self, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
        moved = self._jump(images.to(self._device, torch.float64), source, target)
        return moved.to(images.device, images.dtype)


class TeleportStableDiffusionPipeline(StableDiffusionPipeline):  # type: ignore[misc]  # diffusers has no types
    """StableDiffusionPipeline with a jump over the first steps, by the Gaussian of the latents under the prompt.

    Without a basis, or with `skipped_fraction=0`, it is StableDiffusionPipeline. `basis` is no component: it is set by
    `from_pretrained`, or as `pipe.basis = ...`, and saved as `basis.safetensors` beside the components.
    """

    scheduler: Any
    _read: ReadBasis | None = None

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, basis: LatentBasis | None = None, **options: Any
    ) -> TeleportStableDiffusionPipeline:
        """Load a pipeline from a folder or the Hub.

        Args:
            pretrained_model_name_or_path: folder in the layout of StableDiffusionPipeline, or repository.
            basis: as for the attribute `basis`; if not given, `basis.safetensors` in the folder, if there is one.
            options: as for StableDiffusionPipeline. A safety checker is loaded where its files are; a folder that names one but
                lacks its files is loaded without, with diffusers' warning.

        Raises:
            FileNotFoundError: a component, or its weights in safetensors, are missing in the folder.
            ValueError: weights in another format are requested, the folder holds a model of another kind, or the basis is not
                one of the model's latents.
        """
        if not options.setdefault("use_safetensors", True):
            raise ValueError("only safetensors are read, never a pickle; leave use_safetensors at True")
        folder = Path(pretrained_model_name_or_path)
        if folder.is_dir():
            read_layout(folder)
            if not (folder / SAFETY_CHECKER).is_dir():
                options.setdefault(SAFETY_CHECKER, None)
        if basis is None and (folder / BASIS_FILE).is_file():
            basis = folder / BASIS_FILE
        pipe = cast(
            TeleportStableDiffusionPipeline, super().from_pretrained(str(pretrained_model_name_or_path), **options)
        )
        pipe.basis = basis
        return pipe

    def save_pretrained(self, save_directory: str | Path, *args: Any, **options: Any) -> None:
        """Write a folder that StableDiffusionPipeline reads too, and the basis in it if it came with a card."""
        super().save_pretrained(save_directory, *args, **options)
        index = Path(save_directory) / INDEX
        write_json({**read_config(index), "_class_name": StableDiffusionPipeline.__name__}, index)
        if self._read is not None and self._read.stored is not None:
            save_basis(self._read.stored, Path(save_directory) / BASIS_FILE)

    @property
    def basis(self) -> ReadBasis | None:
        """Gaussians of the latents under prompts.

        To set: a file of `underpainting basis`, its content, None, or any object with a method `gaussian_for(embeddings)` that
        returns a list of `Eigenbasis`, one per prompt, in units of the latents times the scaling factor.

        Raises:
            ValueError: it is not one of this model's latents.
        """
        return self._read

    @basis.setter
    def basis(self, basis: LatentBasis | ReadBasis | None) -> None:
        if basis is None or isinstance(basis, ReadBasis):
            self._read = basis
            return
        found = prompt_gaussians.read(basis, self._embed)
        if found.space is not None:
            found.space.require_same(self.vae.config.scaling_factor, digest_of_vae(self.vae), "basis")
        self._require_shape(found.latent_shape)
        self._read = found

    def _require_shape(self, shape: tuple[int, ...] | None) -> None:
        own = layout_of(self.unet.config, self.vae.config, self.text_encoder.config.to_dict()).latent_shape
        if shape not in (None, own):
            raise ValueError(f"the basis is one of latents of shape {shape}, the model has {own}")

    def _embed(self, prompt: Sequence[str], clip_skip: int | None = None) -> Tensor:
        embedded: Tensor = self.encode_prompt(list(prompt), self._execution_device, 1, False, clip_skip=clip_skip)[0]
        return embedded

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str] | None = None,
        *,
        num_inference_steps: int = 50,
        guidance_scale: float = 7.5,
        skipped_fraction: float | None = None,
        jump_guidance_scale: float = 1.0,
        num_images_per_prompt: int = 1,
        seeds: Sequence[int] | None = None,
        return_trajectory: bool = False,
        return_dict: bool = True,
        **options: Any,
    ) -> TeleportStableDiffusionOutput | tuple[Any, ...]:
        """Make images of prompts.

        Args:
            prompt: one or several; longer ones than the text encoder knows are cut with a warning, as in StableDiffusionPipeline.
            num_inference_steps: steps of the scheduler, including those that are skipped.
            guidance_scale: of the network's predictions; 1 or less is no guidance, as in StableDiffusionPipeline.
            skipped_fraction: fraction of the steps, in [0, 1), rounded down, that the jump replaces; by default 0.4 if there is
                a basis, and 0 without one or with a RelativeScheduler, whose own first step is a jump.
            jump_guidance_scale: guidance over the jumped part, between the Gaussians under the prompt and the negative prompt;
                1 is the prompt's Gaussian alone, in closed form.
            num_images_per_prompt: images of each prompt.
            seeds: one per image, in place of `generator` and `latents`: image i depends on seed i alone.
            return_trajectory: also return every state and endpoint estimate.
            return_dict: False returns `(images, nsfw_content_detected)`, and the trajectory if requested.
            options: all others of StableDiffusionPipeline: `negative_prompt`, `prompt_embeds`, `negative_prompt_embeds`,
                `latents` (standard normal noise), `generator`, `guidance_rescale`, `callback_on_step_end` (which counts the
                steps that are left, from 0), `output_type`, and more.

        Raises:
            ValueError: arguments that do not fit each other, the basis or the scheduler.
        """
        count = self._count(prompt, options.get("prompt_embeds")) * num_images_per_prompt
        skipped = self._skipped_steps(skipped_fraction, num_inference_steps, options) if count else 0
        options |= self._randomness(seeds, count, options)
        jump = self._jump(prompt, num_images_per_prompt, jump_guidance_scale, options) if skipped else None
        own = self.scheduler
        self.scheduler = scheduler = ShortenedScheduler(own, skipped, jump, return_trajectory)
        try:
            images, unsafe = super().__call__(
                prompt,
                num_inference_steps=num_inference_steps,
                guidance_scale=guidance_scale,
                num_images_per_prompt=num_images_per_prompt,
                return_dict=False,
                **options,
            )
        finally:
            self.scheduler = own
        trajectory = Trajectory.of(scheduler.steps) if return_trajectory else None
        if not return_dict:
            return (images, unsafe, trajectory) if return_trajectory else (images, unsafe)
        nfe = scheduler.calls * (2 if self.do_classifier_free_guidance else 1)
        drawn = None if seeds is None else list(seeds)
        return TeleportStableDiffusionOutput(images, unsafe, nfe, skipped, drawn, trajectory)

    def prepare_latents(self, *args: Any, **options: Any) -> Tensor:
        """Prepare the state at the first step that is left: the initial noise, carried there by the jump."""
        state: Tensor = super().prepare_latents(*args, **options)
        return self.scheduler.start(state) if isinstance(self.scheduler, ShortenedScheduler) else state

    def _count(self, prompt: str | list[str] | None, embeddings: Tensor | None) -> int:
        if isinstance(prompt, str):
            return 1
        given = prompt if prompt is not None else embeddings
        return 0 if given is None else len(given)  # diffusers then says what is missing

    def _skipped_steps(self, fraction: float | None, steps: int, options: dict[str, Any]) -> int:
        if fraction is None:
            fraction = 0.0 if self._read is None or isinstance(self.scheduler, RelativeScheduler) else SKIPPED_FRACTION
        skipped = steps_of(fraction, steps)
        if skipped:
            self._require_jump(options)
        return skipped

    def _require_jump(self, options: dict[str, Any]) -> None:
        """Check that a jump is possible at all.

        Raises:
            ValueError: it is not.
        """
        if self._read is None:
            raise ValueError(
                "a jump needs the Gaussian of the latents: set pipe.basis = 'basis.safetensors', which `underpainting basis "
                "--pipeline` writes, or skipped_fraction=0"
            )
        if isinstance(self.scheduler, RelativeScheduler):
            raise ValueError("the first step of a RelativeScheduler is a jump already; leave skipped_fraction out")
        if network_kind(self.scheduler) != "variance preserving":
            raise ValueError(f"{type(self.scheduler).__name__} is not of the variance-preserving path; use another")
        if given := [name for name in ("timesteps", "sigmas") if options.get(name) is not None]:
            raise ValueError(f"a jump is counted in steps of the scheduler's own; leave {given[0]} out")
        pixels = int(self.unet.config.sample_size) * self.vae_scale_factor
        if {options.get("height") or pixels, options.get("width") or pixels} != {pixels}:
            raise ValueError(f"the basis is one of {pixels} x {pixels} images; leave height and width out")

    def _randomness(self, seeds: Sequence[int] | None, count: int, options: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of diffusers for the seeds of the images."""
        if seeds is None:
            return {}
        if given := [name for name in ("latents", "generator") if options.get(name) is not None]:
            raise ValueError(f"seeds and {given[0]} both say where the noise comes from; give one of them")
        if len(seeds) != count:
            raise ValueError(f"{len(seeds)} seeds are given for {count} images; give one per image")
        factor = self.vae_scale_factor
        default = int(self.unet.config.sample_size) * factor
        size = tuple((options.get(name) or default) // factor for name in ("height", "width"))
        noise = initial_noise(seeds, (self.unet.config.in_channels, *size))
        return {"latents": noise.to(self.unet.dtype), "generator": added_noise(seeds)}

    def _jump(
        self, prompt: str | list[str] | None, images: int, scale: float, options: dict[str, Any]
    ) -> _OwnDevice | None:
        """Make the jump of a batch: `images` of each prompt, in the order of diffusers."""
        assert self._read is not None
        gaussian_for, skip = self._read.gaussians.gaussian_for, options.get("clip_skip")
        texts = [prompt] if isinstance(prompt, str) else prompt
        bases = gaussian_for(options["prompt_embeds"] if texts is None else self._embed(texts, skip))
        labels = [number for number in range(len(bases)) for _ in range(images)]
        jump: Jump = ClassJump(bases, labels)
        if scale != 1:
            jump = GuidedJump(bases, gaussian_for(self._negative(len(bases), options)), labels, scale)
        return _OwnDevice(jump, bases[0].mean.device)

    def _negative(self, count: int, options: dict[str, Any]) -> Tensor:
        """Return the embeddings of the negative prompts, shape (prompt, token, feature)."""
        if (given := options.get("negative_prompt_embeds")) is not None:
            return cast(Tensor, given)
        texts = options.get("negative_prompt") or ""
        return self._embed([texts] * count if isinstance(texts, str) else texts)
