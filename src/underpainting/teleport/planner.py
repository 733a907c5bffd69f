r"""Choice of a jump's length from a few dozen network calls, without a sweep.

Add noise to a training image, x = alpha x_0 + sigma noise, and estimate x_0: the network has the squared error mse_net, the model
behind a jump (Gaussian, mixture) mse_jump. With gamma = alpha^2 / sigma^2, the information lost by using the jump's model
instead of the network from pure noise to the level gamma is

    loss(gamma) = 1/2 int_0^gamma (mse_jump - mse_net) d gamma'        nats per image

the I-MMSE relation (Guo, Shamai & Verdu 2005): for a perfect network it is the Kullback-Leibler divergence between noised
data and noised Gaussian (mixture), and no later step can make it larger. Where the network is the worse of the two, the loss
decreases.

The sampler's own steps after the jump lose, too: the more, the earlier they begin and the fewer they are. That loss is estimated
from the variances of the data (`discretisation`), without the network. The planner takes the longest jump for which the sum of
both exceeds its minimum by at most a tolerated loss. It uses neither generated images nor their Frechet distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from underpainting.noise.levels import NoiseLevel
from underpainting.teleport import discretisation

if TYPE_CHECKING:
    from torch import Tensor

    from underpainting.denoisers import Denoiser
    from underpainting.samplers.walk import Sampler

FloatArray = NDArray[np.float64]
MAX_LOSS = 0.02


class Shortfall(NamedTuple):
    """Excess of a jump model's squared denoising error over the network's.

    Attributes:
        ratio: sigma / alpha of the evaluated levels, decreasing, shape (level,).
        excess: |x_0 - x0_hat_jump|^2 - |x_0 - x0_hat_net|^2, squared image units, shape (sample, level).
    """

    ratio: FloatArray
    excess: FloatArray


def ratios(noisiest: float, least: float, count: int = 20) -> FloatArray:
    """Return levels to evaluate, evenly spaced in log(sigma / alpha), shape (level,)."""
    return np.geomspace(noisiest, least, count)


def shortfalls(
    models: Mapping[str, Denoiser], network: Denoiser, images: Tensor, levels: Sequence[NoiseLevel], seed: int = 0
) -> dict[str, Shortfall]:
    """Call the network and every model once per image and level, and return the shortfall of each model.

    Args:
        models: models of the jumps, by name.
        network: the denoiser that they replace.
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
    """Compute the information lost by a jump to each level, nats per image, shape (sample, level); 0 at the first."""
    gamma = shortfall.ratio**-2.0
    middle = (shortfall.excess[:, 1:] + shortfall.excess[:, :-1]) / 2
    steps = 0.5 * middle * np.diff(gamma)
    return np.concatenate([np.zeros((len(steps), 1)), steps.cumsum(1)], 1)


def loss_at(shortfall: Shortfall, ratio: float) -> float:
    """Compute the information lost by a jump to a level, mean over images, nats; interpolated in log(sigma / alpha).

    Args:
        shortfall: measured.
        ratio: sigma / alpha of the level, positive; beyond the evaluated levels, the loss at the nearest of them.
    """
    return float(np.interp(-np.log(ratio), -np.log(shortfall.ratio), loss(shortfall).mean(0)))


def furthest(losses: Sequence[float], max_loss: float = MAX_LOSS) -> int:
    """Return the last index at which the loss exceeds the least one by no more than is tolerated.

    Args:
        losses: sums of the jump's and the steps' losses, nats, the shortest jump first.
        max_loss: nats per image, not negative.
    """
    lost = np.asarray(losses)
    return int(np.flatnonzero(lost <= lost.min() + max_loss)[-1])


def best_skipped_steps(shortfall: Shortfall, variances: Tensor, sampler: Sampler, max_loss: float = MAX_LOSS) -> int:
    """Choose the number of a sampler's steps to skip (the design "truncate").

    Args:
        shortfall: of the jump's model.
        variances: of the data's eigenbasis, shape (component,), float64.
        sampler: with N steps; at least one of them is not skipped.
        max_loss: tolerated loss, nats per image.
    """
    begins = range(sampler.steps)
    jumped = [loss_at(shortfall, sampler.grid[begin].ratio) if begin else 0.0 for begin in begins]
    return furthest(
        [lost + discretisation.loss(variances, sampler, begin) for begin, lost in enumerate(jumped)], max_loss
    )


def best_start(
    shortfall: Shortfall, variances: Tensor, walks: Mapping[float, Sampler], max_loss: float = MAX_LOSS
) -> float:
    """Choose the start time of a sampler with a given number of calls (the design "re-grid").

    Args:
        shortfall: of the jump's model.
        variances: of the data's eigenbasis, shape (component,), float64.
        walks: samplers by the time at which they start, see `hybrid_sampler.regridded`.
        max_loss: tolerated loss, nats per image.
    """
    starts = sorted(walks, reverse=True)
    samplers = [walks[start] for start in starts]
    lost = [loss_at(shortfall, one.grid[0].ratio) + discretisation.loss(variances, one) for one in samplers]
    return starts[furthest(lost, max_loss)]
