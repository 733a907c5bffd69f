"""A diffusers pipeline whose first steps are a jump, with network, scheduler and basis as its components.

`teleport` is the pipeline, `basis` its component, `schedulers` finds the sampler for a scheduler, `designs` the grid
after a jump. Builds upon `teleport`, `samplers`, `denoisers`, `basis` and `noise`.
"""

from underpainting.pipeline.basis import TeleportBasis
from underpainting.pipeline.output import TeleportPipelineOutput, Trajectory
from underpainting.pipeline.teleport import TeleportPipeline

__all__ = ["TeleportBasis", "TeleportPipeline", "TeleportPipelineOutput", "Trajectory"]
