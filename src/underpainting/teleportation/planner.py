r"""How far one can jump, from a few dozen network calls instead of a sweep.

Noise a training image to x = alpha x_0 + sigma noise and ask for x_0 back: the network errs by mse_net, the model behind a jump
(Gaussian, mixture) by mse_jump. With gamma = alpha^2 / sigma^2, the information that is lost by letting the jump's model stand in
for the network from pure noise down to the level gamma is

    loss(gamma) = 1/2 int_0^gamma (mse_jump - mse_net) d gamma'        nats per image

the I-MMSE relation (Guo, Shamai & Verdu 2005): for a perfect network it is the Kullback-Leibler divergence between noised
data and noised Gaussian (mixture), and no later step can make it larger. Where the network is the worse of the two, it falls. So

    the best a jump can do               the level where the loss is least: from there on the network knows more
    the largest skip for a wanted loss   the last level at which the loss exceeds that by no more than wanted

A sampler with few calls errs by its steps as well, the more of them the sooner it begins; so a jump may lose more there, and the
wanted loss grows with the square of a step's length (`allowed`). Nothing here looks at generated images or at their distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from underpainting.noise import NoiseGrid, NoiseLevel

if TYPE_CHECKING:
    from torch import Tensor

    from underpainting.denoisers import Denoiser

FloatArray = NDArray[np.float64]
WANTED = 0.02
MANY = 50


class Shortfall(NamedTuple):
    """By how much a jump's model denoises worse than the network.

    Attributes:
        ratio: sigma / alpha of the levels asked for, decreasing, shape (level,).
        excess: |x_0 - x0_hat_jump|^2 - |x_0 - x0_hat_net|^2, squared image units, shape (sample, level).
    """

    ratio: FloatArray
    excess: FloatArray


def ratios(noisiest: float, least: float, count: int = 20) -> FloatArray:
    """Levels at which to ask, evenly spaced in log(sigma / alpha), shape (level,)."""
    return np.geomspace(noisiest, least, count)


def shortfalls(
    models: Mapping[str, Denoiser], network: Denoiser, images: Tensor, levels: Sequence[NoiseLevel], seed: int = 0
) -> dict[str, Shortfall]:
    """Ask the network once per image and level, and every model beside it.

    Args:
        models: behind the jumps, by name.
        network: the denoiser that they stand in for.
        images: of the training data, shape (sample, channel, height, width), in [-1, 1].
        levels: from noise to data, sigma > 0.
        seed: of the noise, which is the same for all models.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    found: dict[str, list[Tensor]] = {name: [] for name in models}
    for level in levels:
        noisy = level.alpha * images + level.sigma * torch.randn(images.shape, generator=generator)
        own = _squared_error(network(noisy, *level), images)
        for name, model in models.items():
            found[name].append(_squared_error(model(noisy.double(), *level), images) - own)
    ratio = np.array([level.ratio for level in levels])
    return {name: Shortfall(ratio, torch.stack(parts, 1).numpy()) for name, parts in found.items()}


def _squared_error(endpoint: Tensor, images: Tensor) -> Tensor:
    return (endpoint.double() - images.double()).square().flatten(1).sum(1)


def loss(shortfall: Shortfall) -> FloatArray:
    """Information lost by a jump to each level, nats per image, shape (sample, level); 0 at the noisiest level asked for."""
    gamma = shortfall.ratio**-2.0
    middle = (shortfall.excess[:, 1:] + shortfall.excess[:, :-1]) / 2
    steps = 0.5 * middle * np.diff(gamma)
    return np.concatenate([np.zeros((len(steps), 1)), steps.cumsum(1)], 1)


def furthest(shortfall: Shortfall, wanted: float = WANTED) -> float:
    """The least sigma / alpha to which a jump loses no more than wanted beyond where it loses least.

    Args:
        shortfall: measured.
        wanted: nats per image, not negative.

    Returns:
        between two levels by linear interpolation in log(sigma / alpha); the last level asked for, if the loss never exceeds it.
    """
    lost = loss(shortfall).mean(0)
    best = int(lost.argmin())
    over = np.flatnonzero(lost[best:] > lost[best] + wanted)
    if not len(over):
        return float(shortfall.ratio[-1])
    after = best + int(over[0])
    share = (lost[best] + wanted - lost[after - 1]) / (lost[after] - lost[after - 1])
    log_ratio = np.log(shortfall.ratio)
    return float(np.exp(log_ratio[after - 1] + share * (log_ratio[after] - log_ratio[after - 1])))


def skip_of(grid: NoiseGrid, ratio: float) -> int:
    """The largest step of a sampler's grid that is no less noisy than a level; at least one step is left to the sampler."""
    found = [step for step in range(len(grid) - 1) if grid[step].ratio >= ratio * (1 - 1e-9)]
    return found[-1] if found else 0


def allowed(wanted: float, calls: int) -> float:
    """What a jump may lose before few calls, whose own steps lose more.

    A first-order sampler of N steps misses its state by order 1 / N, and the divergence between distributions that lie a small
    distance apart is of the order of its square. So the loss that goes unnoticed beside the sampler's own grows as N^-2.

    Args:
        wanted: nats per image where steps are many, 50 or more.
        calls: of the sampler that goes on.
    """
    return wanted * max(1.0, MANY / calls) ** 2
