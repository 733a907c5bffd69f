"""A diffusers pipeline that jumps: network, scheduler and basis as its components."""

from underpainting.pipeline.basis import TeleportBasis
from underpainting.pipeline.output import TeleportPipelineOutput, Trajectory
from underpainting.pipeline.teleport import TeleportPipeline

__all__ = ["TeleportBasis", "TeleportPipeline", "TeleportPipelineOutput", "Trajectory"]
