"""The analytical theory of diffusion sampling (Wang & Vastola 2023), compared with real samplers and networks.

Packages, from the highest to the lowest; each imports only those below it (`make lint` checks that):

- `plotting`: one function per figure, from arrays and datasets to a matplotlib Figure
- `pipeline`: diffusers pipelines whose first steps are a jump, of pixels and of text to image
- `teleport`: jumps over the first steps of sampling, samplers that continue after a jump, the planner
- `quality`: features of images and the distances between them
- `training`: networks of every kind: objectives, trainer, checkpoints
- `analysis`: measurements on trajectories and scores, with intervals
- `theory`: Gaussian, mixture, point cloud; the probability flow of any denoiser
- `samplers`: diffusers' schedulers on any noise grid; randomness by seed
- `denoisers`: networks behind one call, `denoiser(x, alpha, sigma) -> endpoint estimate`; their files
- `basis`: mean, principal axes and variances of images
- `images`: sources of images, converted to one size
- `noise`: noise levels, grids, paths, and the schedule of a network
- `io`: arrays, tensors and text on disk

`meter` counts network calls; no result depends on it. The sampler needs torch, diffusers, safetensors and numpy; the
extra `science` brings what the other packages need. Equation numbers in docstrings are the paper's.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from underpainting.pipeline import (
        RelativeFlowScheduler,
        RelativeScheduler,
        TeleportBasis,
        TeleportPipeline,
        TeleportStableDiffusionPipeline,
    )

__all__ = [
    "RelativeFlowScheduler",
    "RelativeScheduler",
    "TeleportBasis",
    "TeleportPipeline",
    "TeleportStableDiffusionPipeline",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import the pipeline and look up the version on first access, since both take time."""
    if name == "__version__":
        return import_module("importlib.metadata").version("underpainting")
    if name in __all__:
        return getattr(import_module("underpainting.pipeline"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
