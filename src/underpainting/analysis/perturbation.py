r"""Perturbed trajectories: what becomes of a small push in the middle of sampling (Sec. 4.2, Eq. 14, 63, Fig. 3 D, 22 B).

The state x_s at a step is moved both ways along a unit vector v, and the two walks are compared:

    x+-_s = x_s +- h v,     h = strength sqrt(v^T Cov(x_s) v) = strength sqrt(sigma_s^2 + alpha_s^2 v^T Sigma v)
    gain of the state       v . (x+_t - x-_t) / (2 h),      norm  ||x+_t - x-_t|| / (2 h)
    gain of the endpoint    the same with x0_hat; at t = s this is Eq. 63

So a strength is a number of standard deviations of the state along v: sqrt(m_k) for a component, sigma_s off the manifold.
The central difference cancels what is quadratic in h. For Gaussian data the walk is linear, whatever h, and the gain at t is

    sum_k (u_k . v)^2 psi_k + (1 - sum_k (u_k . v)^2) sigma_t / sigma_s

which for v = u_k and t = 0 is Eq. 14. A sampler that remembers earlier steps (DPM-Solver++) starts again at s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from underpainting.basis.eigenbasis import Eigenbasis
from underpainting.denoisers import Denoiser
from underpainting.noise.levels import NoiseGrid, NoiseLevel
from underpainting.samplers.walk import Sampler
from underpainting.theory import gaussian

FloatArray = NDArray[np.float64]
Kind = Literal["component", "random", "off_manifold"]


@dataclass(frozen=True)
class Directions:
    """Unit vectors to push along.

    Attributes:
        vectors: of length 1, float64, shape (direction, pixel); random ones are not made orthogonal to each other.
        kinds: "component", "random" or "off_manifold", one per direction.
        components: the component's number, counted from 0, -1 for other kinds; one per direction.
        variances: v^T Sigma v, the data variance along each as the basis knows it, shape (direction,).
        off_manifold_dimension: dimension of the space from which the off-manifold directions are drawn.
    """

    vectors: Tensor
    kinds: tuple[Kind, ...]
    components: tuple[int, ...]
    variances: Tensor
    off_manifold_dimension: int

    def __len__(self) -> int:
        return len(self.vectors)


class Response(NamedTuple):
    """What becomes of a push at step s, per unit of its size, at the steps s, s + 1, ..., N.

    Attributes:
        state: the difference of the states, projected onto the push, shape (sample, direction, step).
        state_norm: its norm, same shape.
        endpoint: the difference of the endpoint estimates, projected, same shape; entry 0 is its change at once.
        endpoint_norm: its norm, same shape.
    """

    state: FloatArray
    state_norm: FloatArray
    endpoint: FloatArray
    endpoint_norm: FloatArray


def directions(
    basis: Eigenbasis,
    components: Iterable[int],
    random: int = 0,
    off_manifold: int = 0,
    *,
    manifold: float = 0.999,
    seed: int = 0,
) -> Directions:
    """Unit vectors along components, at random, and off the manifold.

    A basis with fewer components than pixels leaves a space out, and off the manifold is there. For a complete basis it is the
    span of the last components: those beyond the fewest that hold the fraction `manifold` of the variance.

    Args:
        components: numbers of the components, counted from 0 (the largest variance); study files count from 1.
        random: how many directions with equal chances in all of pixel space.
        off_manifold: how many such directions within the off-manifold space.
        manifold: used for a complete basis alone, in (0, 1).
        seed: of the random directions; one stream for each kind.

    Raises:
        ValueError: a component that the basis does not have, or nothing off the manifold.
    """
    chosen = tuple(components)
    if any(not 0 <= component < basis.rank for component in chosen):
        raise ValueError(f"components {list(chosen)} are not all there: the basis has 0 to {basis.rank - 1}")
    on_manifold = basis.vectors[:, : _manifold_rank(basis, manifold)]
    dimension = basis.pixels - on_manifold.shape[1]
    if off_manifold and not dimension:
        raise ValueError("nothing is off the manifold of a complete basis; lower `manifold`, or truncate the basis")
    outside = _without(on_manifold, _normal(off_manifold, basis, (seed, 1)))
    drawn = torch.cat([_normal(random, basis, (seed, 0)), outside])
    vectors = torch.cat([basis.vectors[:, list(chosen)].T, drawn / drawn.norm(dim=1, keepdim=True)])
    counts: dict[Kind, int] = {"component": len(chosen), "random": random, "off_manifold": off_manifold}
    kinds = tuple(kind for kind, count in counts.items() for _ in range(count))
    variances = (vectors @ basis.vectors).square() @ basis.variances
    numbers = (*chosen, *[-1] * len(drawn))
    return Directions(vectors, kinds, numbers, variances, dimension)


def predict(basis: Eigenbasis, pushes: Directions, grid: NoiseGrid, step: int) -> tuple[FloatArray, FloatArray]:
    """What the Gaussian theory expects of `Response.state` and `.endpoint`.

    Args:
        basis: of the data.
        pushes: the directions.
        grid: the sampler's levels.
        step: s, with sigma > 0.

    Returns:
        two arrays of shape (direction, step - s), for the steps s, ..., N.
    """
    shares = (pushes.vectors @ basis.vectors).square()
    outside = 1 - shares.sum(1)
    source = grid[step]
    states, endpoints = [], []
    for level in list(grid)[step:]:
        gain = gaussian.psi(basis.variances, source, level)
        states.append(shares @ gain + outside * (level.sigma / source.sigma))
        endpoints.append(shares @ (gain * gaussian.endpoint_gain(basis.variances, level)))
    return torch.stack(states, 1).numpy(), torch.stack(endpoints, 1).numpy()


def plain_states(sampler: Sampler, denoiser: Denoiser, noise: Tensor, steps: Iterable[int]) -> dict[int, Tensor]:
    """The states of unperturbed trajectories at the steps wanted, in one walk.

    Args:
        noise: standard normal, shape (sample, channel, height, width).
        steps: from 0 to N.

    Raises:
        ValueError: a step that the sampler does not have.
    """
    wanted = set(steps)
    if not wanted <= set(range(sampler.steps + 1)):
        raise ValueError(f"steps {sorted(wanted)} are not all there: the sampler has 0 to {sampler.steps}")
    found = {}
    for step in sampler.walk(denoiser, sampler.start(noise)):
        if step.index in wanted:
            found[step.index] = step.state
        if len(found) == len(wanted):
            break
    return found


def perturb(
    sampler: Sampler,
    denoiser: Denoiser,
    state: Tensor,
    step: int,
    pushes: Directions,
    strength: float,
    *,
    batch: int = 64,
) -> Response:
    """Push states at a step both ways along every direction, and walk on to the image.

    Args:
        sampler: walks on.
        denoiser: any.
        state: plain states at `step`, shape (sample, channel, height, width).
        step: s, 0 <= s < N.
        pushes: the directions.
        strength: in standard deviations of the state along each direction.
        batch: pairs of walks at a time; the denoiser sees twice as many images.

    Raises:
        ValueError: the strength is not positive, or the directions are for images of another size.
    """
    if strength <= 0:
        raise ValueError(f"a push needs a positive strength, got {strength}; both signs are walked anyway")
    if state.shape[1:].numel() != pushes.vectors.shape[1]:
        raise ValueError(
            f"directions of {pushes.vectors.shape[1]} pixels do not fit states of shape {tuple(state.shape[1:])}"
        )
    sizes = push_size(pushes, sampler.grid[step], strength)
    pairs = torch.cartesian_prod(torch.arange(len(state)), torch.arange(len(pushes)))
    parts = []
    for chosen in pairs.split(batch):
        numbers = chosen[:, 1]
        parts.append(_walk_pairs(sampler, denoiser, state[chosen[:, 0]], step, pushes.vectors[numbers], sizes[numbers]))
    whole = torch.cat(parts, 1).reshape(4, len(state), len(pushes), -1).numpy()
    return Response(*whole)


def evaluations(sampler: Sampler, seeds: int, directions: int, steps: Sequence[int]) -> int:
    """Network evaluations, calls times images, of `plain_states` and of `perturb` at each of some steps.

    Args:
        seeds: number of plain trajectories.
        directions: number of pushes.
        steps: those that are pushed at, each below N.
    """
    plain = sampler.calls() - sampler.calls(max(steps)) + 1
    pairs = sum(sampler.calls(step) for step in steps)
    return seeds * (plain + 2 * directions * pairs)


def push_size(pushes: Directions, level: NoiseLevel, strength: float) -> Tensor:
    """h = strength sqrt(v^T Cov(x) v), in units of the state, shape (direction,)."""
    return strength * gaussian.marginal_variance(pushes.variances, level).sqrt()


def _manifold_rank(basis: Eigenbasis, manifold: float) -> int:
    if basis.rank < basis.pixels:
        return basis.rank
    reached = basis.variances.cumsum(0) >= manifold * basis.variances.sum()
    return min(int((~reached).sum()) + 1, basis.rank)


def _normal(count: int, basis: Eigenbasis, seed: tuple[int, int]) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, basis.pixels)))


def _without(subspace: Tensor, vectors: Tensor) -> Tensor:
    """Vectors less what they have in a subspace; twice, since once leaves rounding."""
    for _ in range(2):
        vectors = vectors - (vectors @ subspace) @ subspace.T
    return vectors


def _walk_pairs(
    sampler: Sampler, denoiser: Denoiser, state: Tensor, step: int, vectors: Tensor, sizes: Tensor
) -> Tensor:
    """The four arrays of a `Response` for one pair of walks per state, shape (4, pair, step)."""
    move = (vectors * sizes[:, None]).reshape(state.shape).to(state.device, state.dtype)
    rows = []
    for walked in sampler.walk(denoiser, torch.cat([state + move, state - move]), step):
        row = []
        for images in (walked.state, walked.endpoint):
            forward, backward = images.flatten(1).double().cpu().chunk(2)
            difference = (forward - backward) / (2 * sizes[:, None])
            row += [(difference * vectors).sum(1), difference.norm(dim=1)]
        rows.append(torch.stack(row))
    return torch.stack(rows, 2)
