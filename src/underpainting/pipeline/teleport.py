"""Jump over the first steps of sampling, as a pipeline of diffusers (Sec. 6.1).

The arithmetic is the library's: `sampling` for the noise and the steps, `teleport` for the jump, `denoisers` for the network.
"""
# no postponed annotations here: diffusers reads the types of a pipeline's components from its signature

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import SystemRandom
from typing import Any, Literal, cast, get_args

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from diffusers.utils.torch_utils import randn_tensor
from torch import Generator, Tensor

from underpainting import teleport
from underpainting.basis_file import require_range
from underpainting.denoisers import CountingDenoiser, DiffusersDenoiser, TimeTable
from underpainting.jumps import GaussianJump
from underpainting.noise import training_grid
from underpainting.pipeline.basis import TeleportBasis
from underpainting.pipeline.labelled import LabelledNetwork
from underpainting.pipeline.output import TeleportPipelineOutput, Trajectory
from underpainting.pipeline.schedulers import make_sampler
from underpainting.sampling import Sampler, Step, initial_noise, last

OutputType = Literal["pil", "np", "pt"]
Generators = Generator | list[Generator]
Callback = Callable[["TeleportPipeline", int, float, dict[str, Tensor]], dict[str, Tensor]]


class TeleportPipeline(DiffusionPipeline):  # type: ignore[misc]  # diffusers has no types
    """Images of a network whose first steps are a jump in closed form.

    Args:
        unet: of pixels, unconditional or with class labels.
        scheduler: any of diffusers that a sampler of `sampling.SAMPLERS` uses.
        basis: of the images that the network was trained on.

    Raises:
        ValueError: the basis is missing, or one of other images than the network's.
    """

    _optional_components = ["basis"]  # noqa: RUF012  so that its absence is told in words of our own

    def __init__(self, unet: UNet2DModel, scheduler: SchedulerMixin, basis: TeleportBasis | None) -> None:
        super().__init__()
        require_basis(unet, basis)
        self.register_modules(unet=unet, scheduler=scheduler, basis=basis)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> "TeleportPipeline":
        """A pipeline from a folder or the Hub; of a network without a basis, with `basis=TeleportBasis.from_file(...)`.

        Args:
            pretrained_model_name_or_path: folder or repository.
            options: as for every pipeline of diffusers.

        Raises:
            ValueError: weights in another format than safetensors are asked for.
        """
        if not options.setdefault("use_safetensors", True):
            raise ValueError("only safetensors are read, never a pickle; leave use_safetensors at True")
        return cast(TeleportPipeline, super().from_pretrained(str(pretrained_model_name_or_path), **options))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channel, height, width)."""
        return tuple(self.basis.card.image_shape)

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int | None = None,
        seeds: Sequence[int] | None = None,
        generator: Generators | None = None,
        num_inference_steps: int = 50,
        skip: int | float = 0.4,
        class_labels: int | Sequence[int] | Tensor | None = None,
        clip_sample: bool = False,
        output_type: OutputType = "pil",
        callback_on_step_end: Callback | None = None,
        return_trajectory: bool = False,
        return_dict: bool = True,
    ) -> TeleportPipelineOutput | tuple[Any, ...]:
        """Sample.

        Args:
            batch_size: number of images; as many as seeds if not given, else 1.
            seeds: one per image; image i depends on seed i alone. New ones, told in the output, if nothing is given.
            generator: instead of seeds, the noise as diffusers' own pipelines draw it.
            num_inference_steps: steps of the sampler, those skipped included.
            skip: how many of them to jump over: a number, or as a float the fraction, 0 <= skip < 1.
            class_labels: one per image, or one for all; for a network with classes, for a basis with classes, or both.
            clip_sample: clip endpoint estimates to [-1, 1] where the scheduler can. The workflow never does.
            output_type: `pil`, `np` or `pt`; see `TeleportPipelineOutput`.
            callback_on_step_end: called after each step as `callback(pipe, step, timestep, tensors)`, with `latents`, the
                state, and `endpoint`, the estimate made from it. It looks on: the tensors it returns must be the same.
            return_trajectory: give back every state and endpoint estimate, too.
            return_dict: False gives `(images,)`, or `(images, trajectory)`.

        Raises:
            ValueError: arguments that do not fit each other, the network, the basis or the scheduler.
        """
        if output_type not in get_args(OutputType):
            raise ValueError(f"output_type {output_type!r} is unknown; use {', '.join(get_args(OutputType))}")
        sampler = make_sampler(self.scheduler, num_inference_steps, clip_sample)
        begin = skipped(skip, num_inference_steps)
        noise, drawn = self._noise(batch_size, seeds, generator)
        labels = self._labels(class_labels, len(noise))
        denoiser = CountingDenoiser(self._denoiser(labels))
        steps = sampler.walk(denoiser, self._start(sampler, noise, begin, labels), begin)
        watched = self._watched(steps, sampler, begin, callback_on_step_end)
        kept = list(watched) if return_trajectory else [last(watched)]
        images = self._finished(kept[-1].state, output_type)
        trajectory = Trajectory.of(kept) if return_trajectory else None
        if return_dict:
            return TeleportPipelineOutput(images, denoiser.calls, begin, drawn, trajectory)
        return (images, trajectory) if return_trajectory else (images,)

    def _noise(
        self, batch_size: int | None, seeds: Sequence[int] | None, generator: Generators | None
    ) -> tuple[Tensor, list[int] | None]:
        """Initial noise, and the seeds that it depends on."""
        if generator is None:
            drawn = _seeds(batch_size, seeds)
            return initial_noise(drawn, self.image_shape), drawn
        if seeds is not None:
            raise ValueError("seeds and generator both say where the noise comes from; give one of them")
        first, count = (generator[0], len(generator)) if isinstance(generator, list) else (generator, batch_size or 1)
        return randn_tensor((count, *self.image_shape), generator=generator, device=first.device), None

    def _labels(self, labels: int | Sequence[int] | Tensor | None, count: int) -> Tensor | None:
        """Labels of shape (sample,), checked against network and basis."""
        known = {"network": _classes(self.unet), "basis": self.basis.classes}
        if labels is None:
            if known["network"]:
                raise ValueError("the network is class-conditional; give class_labels, one per image or one for all")
            return None
        if not any(known.values()):
            raise ValueError("neither network nor basis knows classes; leave class_labels out")
        found = torch.as_tensor(labels).cpu()
        found = found.expand(count) if found.ndim == 0 else found
        if found.shape != (count,) or found.is_floating_point():
            raise ValueError(
                f"class_labels must be {count} whole numbers, one per image, or a single one; got {labels}"
            )
        for name, classes in known.items():
            if classes and not 0 <= int(found.min()) <= int(found.max()) < classes:
                raise ValueError(
                    f"class_labels must lie between 0 and {classes - 1}, the classes of the {name}; got {labels}"
                )
        return found

    def _denoiser(self, labels: Tensor | None) -> DiffusersDenoiser:
        conditional = labels is not None and _classes(self.unet) > 0
        network = LabelledNetwork(self.unet, labels) if conditional and labels is not None else self.unet
        return DiffusersDenoiser(network, training_grid(self.scheduler), self.scheduler.config["prediction_type"])

    def _start(self, sampler: Sampler, noise: Tensor, skip: int, labels: Tensor | None) -> Tensor:
        """The state after the jump, each image by the Gaussian of its class where there is one."""
        noise = noise.to(self.basis.device)
        if labels is None or not self.basis.classes:
            state = teleport.jump(GaussianJump(self.basis.gaussian()), sampler, noise, skip)
        else:
            state = torch.empty_like(noise)
            for label in labels.unique().tolist():
                chosen = (labels == label).to(noise.device)
                state[chosen] = teleport.jump(GaussianJump(self.basis.gaussian(label)), sampler, noise[chosen], skip)
        return state.to(self.unet.device)

    def _watched(
        self, steps: Iterator[Step], sampler: Sampler, begin: int, callback: Callback | None
    ) -> Iterator[Step]:
        """The steps, with a progress bar, each end of a step told to the callback."""
        table = TimeTable(training_grid(self.scheduler))
        with self.progress_bar(total=sampler.steps - begin) as bar:
            for step in steps:
                if step.index > begin:
                    bar.update()
                    if callback is not None:
                        self._tell(callback, step, table.time(sampler.grid[step.index - 1].ratio))
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


def require_basis(unet: Any, basis: TeleportBasis | None) -> None:
    """Refuse a basis of other images than the network's.

    Raises:
        ValueError: it is missing, or size, number of channels or range differ.
    """
    if basis is None:
        raise ValueError(
            "a TeleportPipeline needs a basis of the training images: pass basis=TeleportBasis.from_file('basis.safetensors'), "
            "which `underpainting basis` writes"
        )
    require_range(basis.card, "basis")
    channels, height, width = basis.card.image_shape
    size = unet.config["sample_size"]
    sizes = (height, width) if size is None else (size, size) if isinstance(size, int) else tuple(size)
    if (unet.config["in_channels"], *sizes) != (channels, height, width):
        raise ValueError(
            f"the basis is one of {channels} x {height} x {width} images, the network takes "
            f"{unet.config['in_channels']} x {sizes[0]} x {sizes[1]}; compute the basis from images as the network knows them"
        )
    if unet.config["out_channels"] != channels:
        raise ValueError(
            f"the network has {unet.config['out_channels']} output channels for images of {channels}; networks that also "
            "predict a variance are not supported"
        )


def skipped(skip: int | float, steps: int) -> int:
    """Number of steps to skip; a float is a fraction of all steps, rounded down.

    Raises:
        ValueError: it leaves no step, or is negative.
    """
    count = int(skip * steps + 1e-9) if isinstance(skip, float) and 0 <= skip < 1 else skip
    if isinstance(count, float) or not 0 <= count < steps:
        raise ValueError(
            f"cannot skip {skip} of {steps} steps; give a number of steps from 0 to {steps - 1}, or a fraction below 1"
        )
    return count


def _seeds(batch_size: int | None, seeds: Sequence[int] | None) -> list[int]:
    if seeds is None:
        system = SystemRandom()
        return [system.randrange(2**31) for _ in range(batch_size or 1)]
    if batch_size not in (None, len(seeds)):
        raise ValueError(f"{len(seeds)} seeds are given for {batch_size} images; leave batch_size out")
    return list(seeds)


def _classes(unet: Any) -> int:
    """Number of classes of a network; 0 for an unconditional one."""
    return int(unet.config.get("num_class_embeds") or 0)
