r"""Response of sampling to a small perturbation of the state (Sec. 4.2, Eq. 14, 63, Fig. 3 D, 22 B).

The state x_s at a step is perturbed both ways along a unit vector v, and the two trajectories are compared:

    x+-_s = x_s +- h v,     h = strength sqrt(v^T Cov(x_s) v) = strength sqrt(sigma_s^2 + alpha_s^2 v^T Sigma v)
    gain of the state       v . (x+_t - x-_t) / (2 h),      norm  ||x+_t - x-_t|| / (2 h)
    gain of the endpoint    the same with x0_hat; at t = s this is Eq. 63

The strength is a number of standard deviations of the state along v: sqrt(m_k) for a component, sigma_s off the manifold. The
central difference cancels terms quadratic in h. For Gaussian data sampling is linear, and the gain of the state at t is

    sum_k (u_k . v)^2 psi_k + (1 - sum_k (u_k . v)^2) sigma_t / sigma_s

which is Eq. 14 for v = u_k and t = 0. A multistep sampler (DPM-Solver++) is restarted at s.
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
from underpainting.samplers.walk import Flow, Sampler
from underpainting.theory import gaussian

FloatArray = NDArray[np.float64]
Kind = Literal["component", "random", "off_manifold"]


@dataclass(frozen=True)
class Directions:
    """Unit vectors of perturbations.

    Attributes:
        vectors: unit vectors, float64, shape (direction, pixel); random ones are not orthogonal to each other.
        kinds: "component", "random" or "off_manifold", one per direction.
        components: index of the component from 0, -1 for other kinds; one per direction.
        variances: v^T Sigma v, data variance along each direction within the basis, shape (direction,).
        off_manifold_dimension: dimension of the space in which the off-manifold directions lie.
    """

    vectors: Tensor
    kinds: tuple[Kind, ...]
    components: tuple[int, ...]
    variances: Tensor
    off_manifold_dimension: int

    def __len__(self) -> int:
        return len(self.vectors)


class Response(NamedTuple):
    """Gains at the steps s, s + 1, ..., N of a perturbation at step s: differences per unit of its size.

    Attributes:
        state: difference of the states along the perturbation, shape (sample, direction, step).
        state_norm: norm of that difference, same shape.
        endpoint: difference of the endpoint estimates along the perturbation, same shape; entry 0 is the immediate change.
        endpoint_norm: norm of that difference, same shape.
    """

    state: FloatArray
    state_norm: FloatArray
    endpoint: FloatArray
    endpoint_norm: FloatArray


def make_directions(
    basis: Eigenbasis,
    components: Iterable[int],
    random: int = 0,
    off_manifold: int = 0,
    *,
    manifold: float = 0.999,
    seed: int = 0,
) -> Directions:
    """Make unit vectors along components, in random directions, and off the manifold.

    The off-manifold space is the orthogonal complement of the basis. For a complete basis it is the span of the last components:
    those beyond the fewest that hold the fraction `manifold` of the variance.

    Args:
        basis: eigenbasis of the data.
        components: indices of components from 0 (the largest variance); study files count from 1.
        random: number of directions drawn uniformly in pixel space.
        off_manifold: number of directions drawn uniformly in the off-manifold space.
        manifold: fraction of variance, in (0, 1); used for a complete basis only.
        seed: seed of the random directions; each kind has its own stream.

    Raises:
        ValueError: the basis lacks a component, or the off-manifold space is empty.
    """
    chosen = tuple(components)
    if any(not 0 <= component < basis.rank for component in chosen):
        raise ValueError(f"components {list(chosen)} are not all there: the basis has 0 to {basis.rank - 1}")
    on_manifold = basis.vectors[:, : _manifold_rank(basis, manifold)]
    dimension = basis.pixels - on_manifold.shape[1]
    if off_manifold and not dimension:
        raise ValueError("nothing is off the manifold of a complete basis; lower `manifold`, or truncate the basis")
    outside = _project_out(on_manifold, _standard_normal(off_manifold, basis, (seed, 1)))
    drawn = torch.cat([_standard_normal(random, basis, (seed, 0)), outside])
    vectors = torch.cat([basis.vectors[:, list(chosen)].T, drawn / drawn.norm(dim=1, keepdim=True)])
    counts: dict[Kind, int] = {"component": len(chosen), "random": random, "off_manifold": off_manifold}
    kinds = tuple(kind for kind, count in counts.items() for _ in range(count))
    variances = (vectors @ basis.vectors).square() @ basis.variances
    numbers = (*chosen, *[-1] * len(drawn))
    return Directions(vectors, kinds, numbers, variances, dimension)


def predict_gains(
    basis: Eigenbasis, directions: Directions, grid: NoiseGrid, step: int
) -> tuple[FloatArray, FloatArray]:
    """Predict `Response.state` and `Response.endpoint` by the Gaussian theory.

    Args:
        basis: eigenbasis of the data.
        directions: directions of the perturbations.
        grid: the sampler's noise levels.
        step: s, with sigma > 0.

    Returns:
        two arrays of shape (direction, N - s + 1), for the steps s, ..., N.
    """
    shares = (directions.vectors @ basis.vectors).square()
    outside = 1 - shares.sum(1)
    source = grid[step]
    states, endpoints = [], []
    for level in list(grid)[step:]:
        gain = gaussian.psi(basis.variances, source, level)
        states.append(shares @ gain + outside * (level.sigma / source.sigma))
        endpoints.append(shares @ (gain * gaussian.endpoint_gain(basis.variances, level)))
    return torch.stack(states, 1).numpy(), torch.stack(endpoints, 1).numpy()


def unperturbed_states(
    sampler: Sampler, denoiser: Denoiser, noise: Tensor, steps: Iterable[int], coloured_by: Flow | None = None
) -> dict[int, Tensor]:
    """Sample unperturbed trajectories and return their states at the requested steps.

    Args:
        sampler: sampler.
        denoiser: denoiser that it calls.
        noise: standard normal, shape (sample, channel, height, width).
        steps: indices of the requested steps, from 0 to N.
        coloured_by: as for `Sampler.start`.

    Raises:
        ValueError: the sampler does not have a requested step.
    """
    requested = set(steps)
    if not requested <= set(range(sampler.steps + 1)):
        raise ValueError(f"steps {sorted(requested)} are not all there: the sampler has 0 to {sampler.steps}")
    states = {}
    for step in sampler.walk(denoiser, sampler.start(noise, coloured_by)):
        if step.index in requested:
            states[step.index] = step.state
        if len(states) == len(requested):
            break
    return states


def perturb(
    sampler: Sampler,
    denoiser: Denoiser,
    state: Tensor,
    step: int,
    directions: Directions,
    strength: float,
    *,
    batch: int = 64,
) -> Response:
    """Perturb states both ways along every direction, continue sampling, and return the gains.

    Args:
        sampler: sampler that goes on from `step`.
        denoiser: denoiser that it calls.
        state: unperturbed states at `step`, shape (sample, channel, height, width).
        step: s, 0 <= s < N.
        directions: directions of the perturbations.
        strength: in standard deviations of the state along each direction.
        batch: pairs of trajectories at a time; the denoiser receives twice as many images.

    Raises:
        ValueError: the strength is not positive, or the directions do not fit the images.
    """
    if strength <= 0:
        raise ValueError(f"a perturbation needs a positive strength, got {strength}; both signs are sampled anyway")
    if state.shape[1:].numel() != directions.vectors.shape[1]:
        raise ValueError(
            f"directions of {directions.vectors.shape[1]} pixels do not fit states of shape {tuple(state.shape[1:])}"
        )
    sizes = perturbation_size(directions, sampler.grid[step], strength)
    pairs = torch.cartesian_prod(torch.arange(len(state)), torch.arange(len(directions)))
    parts = []
    for chosen in pairs.split(batch):
        numbers = chosen[:, 1]
        parts.append(
            _sample_pairs(sampler, denoiser, state[chosen[:, 0]], step, directions.vectors[numbers], sizes[numbers])
        )
    return Response(*torch.cat(parts, 1).reshape(4, len(state), len(directions), -1).numpy())


def network_evaluations(sampler: Sampler, seeds: int, directions: int, steps: Sequence[int]) -> int:
    """Count the network evaluations (calls times images) of `unperturbed_states` and of `perturb` at some steps.

    Args:
        sampler: sampler.
        seeds: number of unperturbed trajectories.
        directions: number of directions.
        steps: steps at which states are perturbed, each below N.
    """
    unperturbed = sampler.calls() - sampler.calls(max(steps)) + 1
    pairs = sum(sampler.calls(step) for step in steps)
    return seeds * (unperturbed + 2 * directions * pairs)


def perturbation_size(directions: Directions, level: NoiseLevel, strength: float) -> Tensor:
    """Compute h = strength sqrt(v^T Cov(x) v), in units of the state, shape (direction,)."""
    return strength * gaussian.marginal_variance(directions.variances, level).sqrt()


def _manifold_rank(basis: Eigenbasis, manifold: float) -> int:
    if basis.rank < basis.pixels:
        return basis.rank
    reached = basis.variances.cumsum(0) >= manifold * basis.variances.sum()
    return min(int((~reached).sum()) + 1, basis.rank)


def _standard_normal(count: int, basis: Eigenbasis, seed: tuple[int, int]) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, basis.pixels)))


def _project_out(subspace: Tensor, vectors: Tensor) -> Tensor:
    """Remove the components of vectors in a subspace; twice, since once leaves rounding."""
    for _ in range(2):
        vectors = vectors - (vectors @ subspace) @ subspace.T
    return vectors


def _sample_pairs(
    sampler: Sampler, denoiser: Denoiser, state: Tensor, step: int, vectors: Tensor, sizes: Tensor
) -> Tensor:
    """Compute the four arrays of a `Response` for one pair of trajectories per state, shape (4, pair, step)."""
    shift = (vectors * sizes[:, None]).reshape(state.shape).to(state.device, state.dtype)
    rows = []
    for sampled in sampler.walk(denoiser, torch.cat([state + shift, state - shift]), step):
        row = []
        for images in (sampled.state, sampled.endpoint):
            forward, backward = images.flatten(1).double().cpu().chunk(2)
            difference = (forward - backward) / (2 * sizes[:, None])
            row += [(difference * vectors).sum(1), difference.norm(dim=1)]
        rows.append(torch.stack(row))
    return torch.stack(rows, 2)
