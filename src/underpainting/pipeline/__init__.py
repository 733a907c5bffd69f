"""A diffusers pipeline whose first steps are a jump, with network, scheduler and basis as its components.

`teleport` is the pipeline, `basis` its component, `schedulers` finds the sampler for a scheduler, `designs` the grid
after a jump; `relative_scheduler` is the relative sampler for other pipelines.
Builds upon `teleport`, `samplers`, `denoisers`, `basis` and `noise`.
"""

from underpainting.pipeline.basis import TeleportBasis
from underpainting.pipeline.output import TeleportPipelineOutput, Trajectory
from underpainting.pipeline.relative_scheduler import RelativeScheduler
from underpainting.pipeline.stable_diffusion import TeleportStableDiffusionPipeline
from underpainting.pipeline.teleport import TeleportPipeline

__all__ = [
    "RelativeScheduler",
    "TeleportBasis",
    "TeleportPipeline",
    "TeleportPipelineOutput",
    "TeleportStableDiffusionPipeline",
    "Trajectory",
]
