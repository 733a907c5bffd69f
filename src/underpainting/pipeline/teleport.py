"""Jump over the first steps of sampling, as a pipeline of diffusers (Sec. 6.1).

The computations are those of `samplers` for the noise and the steps, `teleport` for the jump, `denoisers` for the
network.
"""
# no postponed annotations here: diffusers reads the types of a pipeline's components from its signature

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from torch import Tensor

from underpainting import denoisers
from underpainting.denoisers import CountingDenoiser, NetworkDenoiser, unets
from underpainting.io.network_config import component_folder
from underpainting.pipeline import designs
from underpainting.pipeline.arguments import (
    Generators,
    Labels,
    Randomness,
    checked_labels,
    noise_from_generators,
    noise_from_seeds,
)
from underpainting.pipeline.basis import TeleportBasis
from underpainting.pipeline.class_conditional import LabelledNetwork
from underpainting.pipeline.compatibility import require_basis, require_kind, written_by_the_library
from underpainting.pipeline.designs import Design, DesignName
from underpainting.pipeline.output import TeleportPipelineOutput, Trajectory
from underpainting.pipeline.relative_scheduler import RelativeScheduler
from underpainting.pipeline.schedulers import network_kind, sampler_name, with_noise_schedule
from underpainting.samplers.relative import Bases, ClassBases
from underpainting.samplers.schedulers import kind_of
from underpainting.samplers.walk import Step, last
from underpainting.teleport.jumps import ClassJump, GaussianJump, Jump

OutputType = Literal["pil", "np", "pt"]
Callback = Callable[["TeleportPipeline", int, float, dict[str, Tensor]], dict[str, Tensor]]


class TeleportPipeline(DiffusionPipeline):  # type: ignore[misc]  # diffusers has no types
    """A pipeline that replaces the first steps of sampling by a jump in closed form.

    Args:
        unet: in pixel space, unconditional or with class labels.
        scheduler: any of diffusers that a sampler of `registry.SAMPLERS` uses; EDMEulerScheduler for networks of EDM,
            FlowMatchEulerDiscreteScheduler for flow matching.
        basis: of the images that the network was trained on.

    Raises:
        ValueError: the basis is missing, or is of images of another shape or range than the network's.
    """

    _optional_components = ["basis"]  # noqa: RUF012  so that this library reports its absence

    def __init__(self, unet: UNet2DModel, scheduler: SchedulerMixin, basis: TeleportBasis | None) -> None:
        super().__init__()
        require_basis(unet, basis)
        self.register_modules(unet=unet, scheduler=scheduler, basis=basis)
        self._kind = network_kind(scheduler)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> "TeleportPipeline":
        """Load a pipeline from a folder or the Hub; give `basis=TeleportBasis.from_file(...)` if it has no basis.

        Args:
            pretrained_model_name_or_path: folder or repository.
            options: as for every diffusers pipeline; only `scheduler` and `basis` for a network that diffusers cannot read.

        Raises:
            FileNotFoundError: there are no weights in safetensors.
            ValueError: weights in another format than safetensors are requested, they do not fit the network, or the noise path
                of its scheduler is unknown.
        """
        if not options.setdefault("use_safetensors", True):
            raise ValueError("only safetensors are read, never a pickle; leave use_safetensors at True")
        name = str(pretrained_model_name_or_path)
        folder = Path(name if Path(name).is_dir() else cls.download(name, **options))
        if "unet" not in options and written_by_the_library(folder):
            unet, scheduler = denoisers.load_network(folder)
            return cls(unet, options.get("scheduler", scheduler), options.get("basis"))
        if "unet" not in options:
            unets.require_as_saved(component_folder(folder, "unet"), options.get("variant") or "")
        return cast(TeleportPipeline, super().from_pretrained(name, **options))

    def save_pretrained(self, save_directory: str | Path, *args: Any, **options: Any) -> None:
        """Write the pipeline's folder, as every pipeline of diffusers does.

        Raises:
            ValueError: the scheduler is not one of the network's kind, or diffusers has no class for the network.
        """
        require_kind(self.scheduler, self._kind)
        if not isinstance(self.unet, ModelMixin):
            raise ValueError(
                f"diffusers cannot write a {type(self.unet).__name__}; keep the folder that it came from, and "
                "save pipe.basis beside it"
            )
        super().save_pretrained(save_directory, *args, **options)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channel, height, width) of the network's images."""
        return tuple(self.basis.card.image_shape)

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int | None = None,
        seeds: Sequence[int] | None = None,
        generator: Generators | None = None,
        num_inference_steps: int = 50,
        skipped_fraction: float | None = None,
        skipped_steps: int | None = None,
        design: DesignName = "truncate",
        jump: Jump | None = None,
        sampler: str | None = None,
        class_labels: Labels | None = None,
        clip_sample: bool | None = None,
        coloured_start: bool = False,
        grid: str | None = None,
        output_type: OutputType = "pil",
        callback_on_step_end: Callback | None = None,
        return_trajectory: bool = False,
        return_dict: bool = True,
    ) -> TeleportPipelineOutput | tuple[Any, ...]:
        """Sample images.

        Args:
            batch_size: number of images; if not given, the number of seeds, or 1.
            seeds: one per image; image i depends on seed i alone. If neither seeds nor generator are given, new
                ones are drawn and returned in the output.
            generator: instead of seeds; the noise is then drawn as in diffusers' pipelines.
            num_inference_steps: steps of the sampler, including those that `truncate` skips.
            skipped_fraction: how far to jump, in [0, 1): fraction of the steps, rounded down, for `truncate`, of the
                network's time for `regrid`; by default 0.4, and 0 with the relative sampler, whose own first step is a jump.
            skipped_steps: number of steps to skip, in place of `skipped_fraction`; for `truncate` alone.
            design: `truncate` omits the first steps of the sampler's own grid; `regrid` places all steps in the network's
                time after the jump.
            jump: maps the noise to the end of the jump, on the CPU; if not given, by the Gaussian of the basis, or of
                each image's class.
            sampler: a key of `registry.SAMPLERS`; if not given, the sampler of the scheduler, with its settings.
            class_labels: one per image, or one for all; for a network with classes, for a basis with classes, or both.
            clip_sample: clip endpoint estimates to the image range; if not given, as the scheduler is set, and not if
                `sampler` is given.
            coloured_start: begin with noise that has the signal of the noisiest level, N(alpha mu, alpha^2 Sigma + sigma^2 I) of
                the basis, or of each image's class, in place of white noise.
            grid: a key of `grid_names.GRIDS`, for `regrid`: how its steps are spread; by default `time`, for the relative sampler
                `covariance`.
            output_type: `pil`, `np` or `pt`; see `TeleportPipelineOutput`.
            callback_on_step_end: called after each step as `callback(pipe, step, timestep, tensors)`, with `latents`, the
                state, and `endpoint`, the estimate made from it. It cannot change them: it must return the same tensors.
            return_trajectory: also return every state and endpoint estimate.
            return_dict: False returns `(images,)`, or `(images, trajectory)`.

        Raises:
            ValueError: arguments that do not fit each other, the network, the basis or the scheduler.
        """
        if output_type not in get_args(OutputType):
            raise ValueError(f"output_type {output_type!r} is unknown; use {', '.join(get_args(OutputType))}")
        require_kind(self.scheduler, self._kind)
        stochastic = kind_of(sampler or sampler_name(self.scheduler)).stochastic
        random = self._randomness(batch_size, seeds, generator, stochastic)
        labels = checked_labels(class_labels, len(random.noise), self._known_classes)
        skipped, basis = (skipped_fraction, skipped_steps), self._bases(sampler, labels)
        plan = designs.make_design(
            design, self.scheduler, num_inference_steps, *skipped, sampler, clip_sample, basis, grid
        )
        network = self._denoiser(labels)
        counting = CountingDenoiser(network)
        start = self._start(plan, random.noise, jump, labels, coloured_start)
        steps = plan.sampler.walk(counting, start, plan.skipped_steps, random.seeds)
        watched = self._watched(steps, plan, network, callback_on_step_end)
        kept = list(watched) if return_trajectory else [last(watched)]
        images = self._finished(kept[-1].state, output_type)
        trajectory = Trajectory.of(kept) if return_trajectory else None
        if return_dict:
            drawn = random.seeds if generator is None else None
            return TeleportPipelineOutput(
                images, counting.calls, plan.skipped_steps, plan.skipped_fraction, drawn, trajectory
            )
        return (images, trajectory) if return_trajectory else (images,)

    def _randomness(
        self, batch_size: int | None, seeds: Sequence[int] | None, generator: Generators | None, stochastic: bool
    ) -> Randomness:
        if generator is None:
            return noise_from_seeds(self.image_shape, batch_size, seeds)
        if seeds is not None:
            raise ValueError("seeds and generator both say where the noise comes from; give one of them")
        return noise_from_generators(self.image_shape, batch_size, generator, stochastic)

    @property
    def _known_classes(self) -> dict[str, int]:
        return {"network": int(self.unet.config.get("num_class_embeds") or 0), "basis": self.basis.classes}

    def _denoiser(self, labels: Tensor | None) -> NetworkDenoiser:
        conditional = labels is not None and self._known_classes["network"] > 0
        network = LabelledNetwork(self.unet, labels) if conditional and labels is not None else self.unet
        return denoisers.make_denoiser(network, with_noise_schedule(self.scheduler))

    def _start(self, plan: Design, noise: Tensor, jump: Jump | None, labels: Tensor | None, coloured: bool) -> Tensor:
        """Compute the state at which the sampler begins, on the network's device."""
        place, own = self.basis.device if jump is None else "cpu", self._own_jump(labels)
        state = plan.state(jump or own, noise.to(place), own if coloured else None)
        return state.to(next(self.unet.parameters()).device)

    def _bases(self, sampler: str | None, labels: Tensor | None) -> Bases:
        """Return the basis for the relative sampler: its scheduler's, else the pipeline's, for each class if it has classes."""
        if sampler is None and isinstance(self.scheduler, RelativeScheduler):
            require_basis(self.unet, self.scheduler.stored_basis)
            return self.scheduler.basis
        if labels is None or not self.basis.classes:
            return self.basis.gaussian()
        return ClassBases(self.basis.gaussian(), self.basis.stored.classes, labels)

    def _own_jump(self, labels: Tensor | None) -> Jump:
        """Return the jump by the Gaussian of the basis, or of each image's class if there are any."""
        if labels is None or not self.basis.classes:
            return GaussianJump(self.basis.gaussian())
        return ClassJump(self.basis.stored.classes, labels.tolist())

    def _watched(
        self, steps: Iterator[Step], plan: Design, network: NetworkDenoiser, callback: Callback | None
    ) -> Iterator[Step]:
        """Yield the steps, with a progress bar, and call the callback after each."""
        with self.progress_bar(total=plan.sampler.steps - plan.skipped_steps) as bar:
            for step in steps:
                if step.index > plan.skipped_steps:
                    bar.update()
                    if callback is not None:
                        self._tell(callback, step, network.time(plan.sampler.grid[step.index - 1].ratio))
                yield step

    def _tell(self, callback: Callback, step: Step, time: float) -> None:
        tensors = {"latents": step.state, "endpoint": step.endpoint}
        returned = callback(self, step.index - 1, time, dict(tensors)) or {}
        if any(returned.get(name, tensor) is not tensor for name, tensor in tensors.items()):
            raise ValueError(
                "callback_on_step_end looks on and cannot replace a state; return the tensors it was given"
            )

    def _finished(self, images: Tensor, output_type: OutputType) -> Any:
        shown = (images.clamp(-1, 1) + 1) / 2
        if output_type == "pt":
            return shown
        arrays = shown.cpu().permute(0, 2, 3, 1).float().numpy()
        return self.numpy_to_pil(arrays) if output_type == "pil" else arrays
