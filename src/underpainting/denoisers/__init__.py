"""Networks behind one call, `denoiser(x, alpha, sigma) -> endpoint estimate`, and the folders that they are stored in.

`protocol` defines that call, `networks` wraps networks of every kind in it, `folders`, `hub`, `weights` and `pickles`
read them, `compute` and `adaptive_batches` run them within a device's memory. Builds upon `noise`, `basis` and `io`.
"""

from underpainting.denoisers.folders import (
    load_denoiser,
    load_network,
    load_schedule,
    make_denoiser,
    require_images,
    save_pipeline,
    save_schedule,
)
from underpainting.denoisers.hub import fetch, find_cached
from underpainting.denoisers.networks import (
    DiffusersDenoiser,
    EdmDenoiser,
    FlowDenoiser,
    NetworkDenoiser,
    Preconditioning,
    PredictionType,
    TimeTable,
    endpoint_of_prediction,
)
from underpainting.denoisers.protocol import CountingDenoiser, Denoiser, noise_prediction

__all__ = [
    "CountingDenoiser",
    "Denoiser",
    "DiffusersDenoiser",
    "EdmDenoiser",
    "FlowDenoiser",
    "NetworkDenoiser",
    "Preconditioning",
    "PredictionType",
    "TimeTable",
    "endpoint_of_prediction",
    "fetch",
    "find_cached",
    "load_denoiser",
    "load_network",
    "load_schedule",
    "make_denoiser",
    "noise_prediction",
    "require_images",
    "save_pipeline",
    "save_schedule",
]
