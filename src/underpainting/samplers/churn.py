r"""Churn: the noise that EDM's stochastic sampler adds before each step (Karras et al. 2022, Algorithm 2).

Before a step the state is made noisier, from sigma to sigma_hat = (1 + gamma) sigma, by fresh noise:

    gamma = min(S_churn / N, sqrt(2) - 1) where S_min <= sigma <= S_max, else 0
    x_hat = x + sqrt(sigma_hat^2 - sigma^2) S_noise noise

in the coordinates x / alpha, sigma / alpha. The settings are those of their Table 5 for CIFAR-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor

from underpainting.samplers.randomness import draw

S_CHURN, S_MIN, S_MAX, S_NOISE = 30.0, 0.01, 1.0, 1.007


def churned(state: Tensor, ratio: float, steps: int, streams: Sequence[torch.Generator]) -> tuple[Tensor, float]:
    """Add noise to a state, and return it with its new noise-to-signal ratio.

    Args:
        state: x / alpha, shape (sample, channel, height, width).
        ratio: its sigma / alpha.
        steps: number of steps N of the walk.
        streams: one per image.
    """
    gamma = min(S_CHURN / steps, sqrt(2.0) - 1.0) if S_MIN <= ratio <= S_MAX else 0.0
    if not gamma:
        return state, ratio
    higher = (1.0 + gamma) * ratio
    return state + sqrt(higher**2 - ratio**2) * S_NOISE * draw(streams, state), higher
