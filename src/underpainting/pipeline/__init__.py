"""diffusers pipelines whose first steps are a jump, with the Gaussian as a component or beside the components.

`teleport` is the pipeline of pixels, `basis` its component, `schedulers` finds the sampler for a scheduler, `designs` the
grid after a jump; `relative_scheduler` is the relative sampler for other pipelines. `stable_diffusion` is the pipeline of
text to image, with the Gaussians under prompts of `prompt_gaussians` and a scheduler that begins later (`shortened`); it
needs transformers. Builds upon `teleport`, `samplers`, `denoisers`, `basis` and `noise`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from underpainting.pipeline.basis import TeleportBasis
from underpainting.pipeline.output import TeleportPipelineOutput, Trajectory
from underpainting.pipeline.relative_flow_scheduler import RelativeFlowScheduler
from underpainting.pipeline.relative_scheduler import RelativeScheduler
from underpainting.pipeline.teleport import TeleportPipeline

if TYPE_CHECKING:
    from underpainting.pipeline.stable_diffusion import TeleportStableDiffusionPipeline

__all__ = [
    "RelativeFlowScheduler",
    "RelativeScheduler",
    "TeleportBasis",
    "TeleportPipeline",
    "TeleportPipelineOutput",
    "TeleportStableDiffusionPipeline",
    "Trajectory",
]


def __getattr__(name: str) -> Any:
    """Import the pipeline of text to image on first access, since it needs transformers.

    Raises:
        ImportError: transformers is not installed.
    """
    if name != "TeleportStableDiffusionPipeline":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module("underpainting.pipeline.stable_diffusion"), name)
    except ModuleNotFoundError as error:
        problem = "text to image needs the package transformers; install the extra: pip install 'underpainting[text]'"
        raise ImportError(problem) from error
