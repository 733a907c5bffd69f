r"""Grid of noise levels from the variances of the data: equal steps along the path of the Gaussian's angles.

With r = sigma / alpha, the angle phi_k = arctan(r / sqrt(lambda_k)) of a component turns near r = sqrt(lambda_k), where the
component emerges from the noise (Sec. 4.2). The levels have equal distances in

    ds = sqrt( sum_k lambda_k^(4/5) (dphi_k / dl)^2 ) dl,      dphi_k / dl = sqrt(lambda_k) r / (r^2 + lambda_k),      l = ln r

so that calls of a network are where many pixels' variance is decided. After a jump from the noisiest level the first distance is
as long as the others with up to six steps, and (6 / steps)^3 of them with more: a jump of constant length would leave an error
that steps cannot mend. Both numbers were chosen on the networks of the digits, MNIST, CIFAR-10 and faces together; they are not
fitted to each.
"""

from __future__ import annotations

import numpy as np

from underpainting.noise.levels import DATA, FloatArray, NoiseGrid
from underpainting.noise.schedules import Schedule

EXPONENT = 0.8
_WHOLE_JUMP = 6  # steps, up to which a jump is as long as they are
_POINTS = 2000
_BELOW = 6.0  # e-folds below the least noisy level, where nothing is left of the path


def covariance_grid(
    schedule: Schedule, steps: int, variances: FloatArray, start: float = 1.0, after_jump: bool = False
) -> NoiseGrid:
    """Make a grid of `steps` levels on a network's path, then the image: shape (steps + 1,).

    Args:
        schedule: of the network.
        steps: number of levels before the image.
        variances: lambda of every direction, shape (component,), in squared image units; 0 counts for nothing.
        start: time of the network's schedule from which the path is divided, in (0, 1].
        after_jump: whether a jump leads from `start` to the first level; else the first level is `start` itself.

    Raises:
        ValueError: no step, a start outside (0, 1], or data without variance.
    """
    if steps < 1 or not 0 < start <= 1:
        raise ValueError(f"a grid needs a step or more and a start in (0, 1], got {steps} steps from {start}")
    if not (variances > 0).any():
        raise ValueError("data without variance have no grid of their own; take another grid")
    first, least = schedule.level(start).ratio, schedule.level(0.0).ratio or schedule.level(1e-3).ratio
    log_ratio = np.linspace(np.log(first), np.log(min(least, first)) - _BELOW, _POINTS)
    path = _path(log_ratio, variances)
    jump = min(1.0, (_WHOLE_JUMP / steps) ** 3) if after_jump else 0.0
    places = path[-1] * (np.arange(steps) + jump) / (steps + jump)
    reachable = float(np.interp(-np.log(min(least, first)), -log_ratio, path))
    if places[-1] > reachable:  # the last levels would be less noisy than the network knows
        places = reachable * (np.arange(steps) + jump) / max(steps - 1 + jump, 1)
    ratios = np.exp(np.interp(places, path, log_ratio))
    return NoiseGrid.of([*(schedule.at(float(ratio)) for ratio in ratios), DATA])


def _path(log_ratio: FloatArray, variances: FloatArray) -> FloatArray:
    """Integrate ds from the noisiest level, shape (point,)."""
    kept, counts = np.unique(variances[variances > 0], return_counts=True)  # a truncated basis has many of one value
    square, scale = np.exp(2 * log_ratio), counts * kept ** (EXPONENT + 1)
    speed = np.array([np.sqrt((scale * one / (one + kept) ** 2).sum()) for one in square])
    pieces = 0.5 * (speed[1:] + speed[:-1]) * -np.diff(log_ratio)
    return np.append(0.0, np.cumsum(pieces))
