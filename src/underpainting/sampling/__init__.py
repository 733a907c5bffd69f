"""Samplers as generators of steps, on their own grid or any other, from noise or from any level on."""

from underpainting.samplers import SAMPLERS, SamplerKind
from underpainting.sampling.randomness import initial_noise, seed_batches
from underpainting.sampling.schedulers import make_scheduler
from underpainting.sampling.walk import Sampler, Step, last, sample

__all__ = [
    "SAMPLERS",
    "Sampler",
    "SamplerKind",
    "Step",
    "initial_noise",
    "last",
    "make_scheduler",
    "sample",
    "seed_batches",
]
