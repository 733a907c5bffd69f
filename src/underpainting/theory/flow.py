r"""Probability flow of any denoiser, integrated numerically on a sampler's grid (Sec. 2, App. I.4), for any noise path.

The flow dx/dt = alpha' x0_hat + sigma' eps_hat has no preferred time; the angle phi = atan2(sigma, alpha) serves as one. On the
sphere z = x / sqrt(alpha^2 + sigma^2) every path is the variance-preserving one, and

    dz/dphi = -sin(phi) x0_hat + cos(phi) eps_hat = (cos(phi) z - x0_hat) / sin(phi)

is integrated from pi/2 (noise) to 0 (data) by torchdiffeq, in float64. The field is bounded, but 0 / 0 at phi = 0:

    fixed steps      across the last interval, to sigma = 0, the state becomes alpha x0_hat, as in DDIM
    adaptive steps   integrate to a smallest angle, phi = sqrt(machine epsilon of the images' type), and do so from there

Along a component of Gaussian data, per unit of c_k / sqrt(m), m = sigma^2 + lambda alpha^2, the endpoint estimate is too small by

    sqrt(lambda) - lambda / sqrt(tan(phi)^2 + lambda) <= 0.3003 tan(phi)

with equality at lambda = 0.618 tan(phi)^2; far above, it is tan(phi)^2 / (2 sqrt(lambda)). The angle costs 5e-9 in float64 and
1e-4 in float32; the rounding of x0_hat, divided by sin(phi), is as small there.

Cost: an interval takes 4 calls of the denoiser with rk4, 2 with midpoint and heun2, 1 with euler, times `substeps`; 1 + 6 per
step tried with dopri5, 1 + 13 with dopri8. The first of its calls is the endpoint estimate of the step. Across the last interval
to sigma = 0 fixed methods take 1 call. There adaptive ones take about a step for each factor e down to it, since what lies
off the manifold decays like phi, and 1 call more. The last level of a grid takes 1 call if it is noisy.

With fixed steps an image does not depend on the rest of its batch. Adaptive steps are chosen so that the worst image of a batch
meets the tolerance: an image depends on its batch, within the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import cos, hypot, pi, sin, sqrt
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from underpainting.denoisers import Denoiser, noise_prediction
from underpainting.noise.levels import NoiseGrid, NoiseLevel
from underpainting.samplers.walk import Step

FIXED = ("euler", "midpoint", "heun2", "rk4")
ADAPTIVE = ("dopri5", "dopri8")
MOST_STEPS = 1000

OdeMethod = Callable[["_Field", Tensor, Tensor, float, float], Tensor]


class Trajectory(NamedTuple):
    """A batch of trajectories at every level of a grid.

    Attributes:
        state: x_t, shape (sample, step, channel, height, width).
        endpoint: x0_hat(x_t), same shape; at sigma = 0 the image itself.
    """

    state: Tensor
    endpoint: Tensor


def velocity(images: Tensor, endpoint: Tensor, level: NoiseLevel, rate: NoiseLevel) -> Tensor:
    """Compute the probability flow dx/dt = alpha' x0_hat + sigma' eps_hat of any denoiser (Eq. 4, 75).

    The velocity is per unit of the time of `rate`.

    Args:
        images: x_t, shape (sample, ...).
        endpoint: x0_hat(x_t), same shape.
        level: their level, sigma > 0.
        rate: (d alpha / dt, d sigma / dt) there.

    Raises:
        ValueError: the level is noiseless, where the velocity is 0 / 0.
    """
    if level.sigma <= 0:
        raise ValueError("the probability flow has no velocity at sigma = 0; ask at a level with noise")
    return rate.alpha * endpoint + rate.sigma * noise_prediction(images, endpoint, level)


def walk(
    denoiser: Denoiser,
    initial: Tensor,
    grid: NoiseGrid,
    method: str = "rk4",
    *,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    substeps: int = 1,
) -> Iterator[Step]:
    """Follow the probability flow through a grid; memory use does not depend on the number of levels.

    Args:
        denoiser: computes the endpoint estimates; called with levels of alpha^2 + sigma^2 = 1 and float64 images.
        initial: x at the grid's first level, shape (sample, channel, height, width).
        grid: the levels, e.g. `samplers.walk.Sampler(...).grid`; the first has sigma > 0.
        method: one of `FIXED` or `ADAPTIVE`.
        rtol, atol: relative and absolute tolerance of a step of adaptive methods, for the root mean square of each image.
        substeps: number of steps per interval of fixed methods.

    Returns:
        one `Step` per level, in the dtype of `initial`.

    Raises:
        ValueError: an unknown method, a grid that starts at sigma = 0, `substeps` below 1, a tolerance that is not positive;
            while walking, an endpoint estimate that does not exist or is not finite, or an adaptive method
            that does not converge.
    """
    if method not in FIXED + ADAPTIVE:
        raise ValueError(f"unknown method {method!r}; known are {', '.join(FIXED + ADAPTIVE)}")
    if grid.sigma[0] <= 0:
        raise ValueError("the flow cannot start from sigma = 0; let the grid begin at a level with noise")
    if substeps < 1:
        raise ValueError(f"an interval is cut into at least one step, not {substeps}")
    if not (rtol > 0 and atol > 0):
        raise ValueError(f"tolerances must be positive, got rtol = {rtol} and atol = {atol}")
    if method in FIXED:
        return _walk(_Field(denoiser), initial, grid, _fixed(method, substeps))
    return _walk(_Field(denoiser), initial, grid, _adaptive(method, rtol, atol, smallest_angle(initial.dtype)))


def integrate(
    denoiser: Denoiser,
    initial: Tensor,
    grid: NoiseGrid,
    method: str = "rk4",
    *,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    substeps: int = 1,
) -> Trajectory:
    """Run `walk` and stack its steps along the axis `step`; the arguments are the same."""
    steps = list(walk(denoiser, initial, grid, method, rtol=rtol, atol=atol, substeps=substeps))
    return Trajectory(torch.stack([step.state for step in steps], 1), torch.stack([step.endpoint for step in steps], 1))


def smallest_angle(dtype: torch.dtype) -> float:
    """Return the angle, in radians, at which adaptive methods stop; truncation and rounding errors are equal there."""
    return sqrt(torch.finfo(dtype).eps)


def _walk(field: _Field, initial: Tensor, grid: NoiseGrid, method: OdeMethod) -> Iterator[Step]:
    angles = [*grid.angle.tolist(), 0.0]
    state = initial.double() / hypot(*grid[0])
    for index, level in enumerate(grid):
        images = (state * hypot(*level)).to(initial.dtype)
        if level.sigma == 0:
            yield Step(index, images, images / level.alpha, level)
            continue
        endpoint = field.estimate(state, angles[index])
        yield Step(index, images, endpoint.to(initial.dtype), level)
        if index + 1 < len(grid) and angles[index + 1] < angles[index]:
            state = method(field, state, endpoint, angles[index], angles[index + 1])


class _Field:
    """The field dz/dphi on the sphere, in torchdiffeq's form; it reuses the estimate at the start of an interval."""

    def __init__(self, denoiser: Denoiser) -> None:
        self._denoiser = denoiser
        self._known: Tensor | None = None

    def starting_with(self, endpoint: Tensor) -> _Field:
        self._known = endpoint
        return self

    @torch.no_grad()
    def estimate(self, state: Tensor, angle: float) -> Tensor:
        """Compute x0_hat in float64; pure noise has alpha = 0 exactly."""
        level = _level(angle)
        try:
            endpoint = self._denoiser(state, *level).double()
        except ZeroDivisionError as error:
            raise ValueError(
                f"the denoiser has no endpoint estimate at alpha = {level.alpha}, sigma = {level.sigma}: networks that predict "
                "noise know none of pure noise; let the grid begin where alpha is small but positive, as in their training"
            ) from error
        if not torch.isfinite(endpoint).all():
            raise ValueError(
                f"the endpoint estimate at alpha = {level.alpha:.6g}, sigma = {level.sigma:.6g} is not finite: look at the "
                "denoiser and at the initial state, or let the grid begin and end at levels that the denoiser knows"
            )
        return endpoint

    def __call__(self, angle: Tensor, state: Tensor) -> Tensor:
        phi = float(angle)
        endpoint, self._known = self.estimate(state, phi) if self._known is None else self._known, None
        level = _level(phi)
        return velocity(state, endpoint, level, NoiseLevel(-level.sigma, level.alpha))


def _level(angle: float) -> NoiseLevel:
    return NoiseLevel(cos(angle) if angle < pi / 2 else 0.0, sin(angle))


def _fixed(method: str, substeps: int) -> OdeMethod:
    from torchdiffeq import odeint  # imports scipy, which the closed form does not need

    @torch.no_grad()
    def advance(field: _Field, state: Tensor, endpoint: Tensor, begin: float, end: float) -> Tensor:
        if end == 0:
            return endpoint
        field = field.starting_with(endpoint)
        for span in pairwise(np.linspace(begin, end, substeps + 1)):
            state = odeint(field, state, _times(span, state), method=method)[-1]
        return state

    return advance


def _adaptive(method: str, rtol: float, atol: float, smallest: float) -> OdeMethod:
    @torch.no_grad()
    def advance(field: _Field, state: Tensor, endpoint: Tensor, begin: float, end: float) -> Tensor:
        stop = max(end, smallest)
        if begin > stop:
            field = field.starting_with(endpoint)
            state = _adaptive_interval(field, state, _times((begin, stop), state), method, rtol, atol)
            endpoint = field.estimate(state, stop) if end < smallest else endpoint
        return endpoint if end < smallest else state

    return advance


def _adaptive_interval(field: _Field, state: Tensor, times: Tensor, method: str, rtol: float, atol: float) -> Tensor:
    """Integrate one interval, in a single step if accurate enough; the last step ends exactly at the interval's end."""
    from torchdiffeq import odeint

    options = {
        "norm": _worst_image,
        "first_step": 2.0 * float(times[0] - times[1]),
        "step_t": times[1:],
        "max_num_steps": MOST_STEPS,
    }
    try:
        return odeint(field, state, times, rtol=rtol, atol=atol, method=method, options=options)[-1]
    except AssertionError as error:
        begin, end = times.tolist()
        raise ValueError(
            f"{method} found no way from angle {begin:.6g} to {end:.6g} with rtol = {rtol}, atol = {atol} ({error}): "
            "the denoiser is not smooth at that scale; loosen the tolerances or use a fixed method such as rk4"
        ) from error


def _worst_image(values: Tensor) -> Tensor:
    """Compute the largest root mean square among the images of a batch."""
    return values.flatten(1).square().mean(1).sqrt().max()


def _times(span: tuple[float, float], state: Tensor) -> Tensor:
    return torch.tensor(span, dtype=torch.float64, device=state.device)
