"""The jump as a block of diffusers' modular pipelines: SDXL, Stable Diffusion 3, Flux, and those built like them.

    blocks = with_jump(StableDiffusionXLAutoBlocks())
    pipe = blocks.init_pipeline("stabilityai/stable-diffusion-xl-base-1.0")
    pipe.load_components(torch_dtype=torch.float16)
    pipe(prompt="...", num_inference_steps=30, basis="latents.safetensors", skipped_fraction=0.4)

`latents.safetensors` is a file of `underpainting basis IMAGES --vae FOLDER --stationary`: the jump is then one Fourier
transform each way, at any size of the image. The block works on the state that other blocks left behind: it leaves out the
first timesteps and carries the noise to the first that is left. It knows nothing of prompts, whose Gaussian is narrower.

With a `RelativeFlowScheduler` in the pipeline the block carries the noise to the level of its first call instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from diffusers.modular_pipelines import ModularPipelineBlocks
from diffusers.modular_pipelines.modular_pipeline_utils import ComponentSpec, InputParam, OutputParam
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from torch import Tensor

from underpainting.basis import stationary
from underpainting.basis.stationary import StationaryBasis
from underpainting.basis.stored import BasisFileError
from underpainting.denoisers.latent_model import digest_of_vae
from underpainting.io.tensor_files import TensorFileError
from underpainting.pipeline.designs import SKIPPED_FRACTION, steps_of
from underpainting.pipeline.packing import PACKED, packed_again, unpacked
from underpainting.pipeline.relative_flow_scheduler import RelativeFlowScheduler
from underpainting.pipeline.relative_scheduler import RelativeScheduler
from underpainting.pipeline.shortened import begin_later
from underpainting.teleport.jumps import StationaryJump

_DIGESTS: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # of VAEs, which are large
BEFORE = ("before_denoise", "set_timesteps", "prepare_latents", "prepare_add_cond")
DENOISE = "denoise"


class TeleportStep(ModularPipelineBlocks):  # type: ignore[misc]  # diffusers has no types
    """Leaves out the first timesteps, and carries the initial noise to the first that is left by the Gaussian's flow.

    Inputs: `basis`, a `StationaryBasis` or the path of its file, None for no jump; `skipped_fraction` of the timesteps, in
    [0, 1), rounded down. Output besides those that it changes: `skipped_steps`.

    Raises:
        ValueError: the basis is not one of the pipeline's latents, the fraction is out of range, the scheduler cannot begin
            later, or there is an image to begin with, which is no noise.
    """

    @property
    def description(self) -> str:
        """What the block does."""
        return "Step that replaces the first timesteps by the closed form of the probability flow of Gaussian data"

    @property
    def expected_components(self) -> list[ComponentSpec]:
        """The scheduler alone; the VAE is looked at where the pipeline has one."""
        return [ComponentSpec("scheduler", SchedulerMixin)]

    @property
    def inputs(self) -> list[InputParam]:
        """What the block reads."""
        return [
            InputParam("latents", required=True, type_hint=Tensor),
            InputParam("timesteps", required=True, type_hint=Tensor),
            InputParam("num_inference_steps", type_hint=int),
            InputParam("height", type_hint=int),
            InputParam("width", type_hint=int),
            InputParam("image"),
            InputParam("basis", description="stationary basis of the latents, or the path of its file"),
            InputParam("skipped_fraction", default=SKIPPED_FRACTION, type_hint=float),
        ]

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        """What the block changes or adds."""
        return [
            OutputParam("latents", type_hint=Tensor),
            OutputParam("timesteps", type_hint=Tensor),
            OutputParam("num_inference_steps", type_hint=int),
            OutputParam("skipped_steps", type_hint=int),
        ]

    @torch.no_grad()
    def __call__(self, components: Any, state: Any) -> tuple[Any, Any]:
        """Make the jump; a pipeline calls it."""
        found = self.get_block_state(state)
        if isinstance(components.scheduler, RelativeScheduler | RelativeFlowScheduler):
            found.skipped_steps = 0
            found.latents = _carried(components, found)
            self.set_block_state(state, found)
            return components, state
        steps = -(-len(found.timesteps) // components.scheduler.order)  # Heun's has all times but the first twice
        found.skipped_steps = skipped = _skipped(found, steps)
        if skipped:
            require_vae(found.basis, getattr(components, "vae", None))
            ended_early = len(components.scheduler.timesteps) - len(found.timesteps)  # denoising_end
            found.latents = _jump(components, found, skipped)
            left = components.scheduler.timesteps
            found.timesteps = left[: len(left) - ended_early]
            found.num_inference_steps = steps - skipped
        self.set_block_state(state, found)
        return components, state


def _carried(components: Any, found: Any) -> Tensor:
    """Return the latents with which the relative sampler begins; on the variance-preserving path it carries them itself."""
    if found.basis is not None:
        raise ValueError("the first step of a relative scheduler is a jump already, by its own basis; leave basis out")
    scheduler = components.scheduler
    if isinstance(scheduler, RelativeScheduler):
        return found.latents
    return scheduler.start(found.latents, _size_of(components, found))


def _size_of(components: Any, found: Any) -> tuple[int, int]:
    """Return height and width of the latents behind tokens."""
    height, width = (
        PACKED * (int(side) // (components.vae_scale_factor * PACKED)) for side in (found.height, found.width)
    )
    return height, width


def _skipped(found: Any, steps: int) -> int:
    """Return the number of steps to skip, and read the basis."""
    if found.basis is None:
        return 0
    skipped = steps_of(found.skipped_fraction, steps)
    if skipped and found.image is not None:
        raise ValueError("a jump begins with noise; leave image out, or basis")
    found.basis = read_basis(found.basis)
    return skipped


def read_basis(basis: StationaryBasis | str | Path) -> StationaryBasis:
    """Return a stationary basis, read from its file if a path is given.

    Raises:
        BasisFileError: the file is missing, damaged, or of another kind.
    """
    if isinstance(basis, StationaryBasis):
        return basis
    try:
        return stationary.load(basis)
    except TensorFileError as error:
        raise BasisFileError(str(error)) from error


def require_vae(basis: StationaryBasis, vae: Any | None) -> None:
    """Check that a basis is one of the latents of a pipeline, if it says of which VAE it is and the pipeline has one.

    Weights are compared in half precision. Those in bfloat16 are rounded otherwise, and those that are offloaded are not there:
    then only the scale of the latents is compared.

    Raises:
        BasisFileError: it is one of another.
    """
    space = basis.about.get("latents")
    if vae is None or space is None:
        return
    config, same = vae.config, True
    if "scaling_factor" in space:
        scale = float(config.scaling_factor), float(config.get("shift_factor") or 0.0)
        same = scale == (space["scaling_factor"], space["shift_factor"])
    weights = list(vae.parameters())
    if same and all(one.dtype in (torch.float32, torch.float16) and not one.is_meta for one in weights):
        if vae not in _DIGESTS:
            _DIGESTS[vae] = digest_of_vae(vae)
        same = _DIGESTS[vae] == space["vae_digest"]
    if not same:
        raise BasisFileError(
            "the basis is one of the latents of another VAE; make one of this VAE with `underpainting basis IMAGES --vae FOLDER "
            "--stationary`"
        )


def _jump(components: Any, found: Any, skipped: int) -> Tensor:
    """Return the carried latents, in the form in which they were given."""
    state, packed = found.latents, found.latents.ndim == 3
    if packed:
        state = unpacked(state, *_size_of(components, found))
    if state.ndim != 4 or state.shape[1] != len(found.basis.mean):
        channels = len(found.basis.mean)
        raise ValueError(f"the basis has {channels} channels, the latents have the shape {tuple(state.shape)}")
    moved = begin_later(components.scheduler, skipped, StationaryJump(found.basis), state)
    return packed_again(moved) if packed else moved


def with_jump(blocks: Any) -> Any:
    """Insert a `TeleportStep` before each denoising block of noise, in place.

    Args:
        blocks: of a modular pipeline, such as `StableDiffusionXLAutoBlocks()`.

    Returns:
        the same blocks.

    Raises:
        ValueError: no block named `denoise` follows one that prepares latents and timesteps.
    """
    if not _insert(blocks):
        raise ValueError(
            f"{type(blocks).__name__} has no block `{DENOISE}` after {' or '.join(BEFORE[:2])}; insert a TeleportStep by hand"
        )
    return blocks


def _insert(blocks: Any) -> int:
    """Insert a step wherever latents and timesteps are prepared and a block `denoise` follows; return how many."""
    names, count = list(blocks.sub_blocks), 0
    prepared = [index for index, name in enumerate(names) if name in BEFORE]
    if prepared and DENOISE in names[prepared[-1] + 1 :]:
        blocks.sub_blocks.insert("teleport", TeleportStep(), prepared[-1] + 1)
        return 1
    for block in blocks.sub_blocks.values():
        count += _insert(block)
    return count
