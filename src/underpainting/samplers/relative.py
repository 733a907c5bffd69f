r"""Relative integration: the Gaussian part of the probability flow exactly, the network's departure from it in few calls.

In r = sigma / alpha and y = U^T (x / alpha - mu), the flow of a denoiser D with the Gaussian's denoiser D_G split off is

    dy_k / dr = r y_k / (r^2 + lambda_k) - R_k / r,          R = U^T (D(x) - D_G(x))

    z_k = y_k / sqrt(r^2 + lambda_k),   phi_k = arctan(r / sqrt(lambda_k)):       dz_k / dphi_k = v_k
    v_k = - R_k / (sqrt(lambda_k) sin phi_k),     sin phi_k = r / sqrt(r^2 + lambda_k)

z is standard normal for Gaussian data, whose v vanishes: any step is then exact. For other data v is the departure of the
network from the Gaussian in units of the Gaussian's posterior standard deviation, sqrt(lambda) sin phi. A step needs

    z_k(1) - z_k(0) = - int R_k dl / sqrt(r^2 + lambda_k),        l = ln r

of an R that is known at the calls alone. It is taken as R_k = s_k r / sqrt(r^2 + lambda'_k) with a slow s_k: v is slow in phi_k
where lambda' = lambda. A network's departure along components of little variance comes from coarser ones, so that lambda' is
at least sqrt(lambda m), m the mean variance of a pixel. At lambda = 0 a constant s makes the step that of DDIM
(Song et al. 2021). Here

    first step   from pure noise the Gaussian's flow leads to the first call; s = 0 at the origin
    predictor    s linear in phi_1, the angle of the first component, through the last two calls; constant at the first call
    corrector    once s at the target is known, the step is repeated with s linear between its ends, at no further call
    last step    to r = 0, between the network's endpoint estimate and the Gaussian's way to go on from it, see below

The last steps of a grid are long in l and short in phi_1, which bounds the extrapolation.

Last step: with the noise N = U^T (x / alpha - D), a Gaussian's flow ends at D_k + c_k N_k, c = q / (1 + q) with
q^2 = lambda / (r^2 + lambda), since its estimate still changes along the noise. A network's estimate changes less: its images are
not Gaussian around the estimate. How much less shows between the last two calls, at r' and r. There the estimate of a
Gaussian moves by f_k N'_k, f = lambda (1 / sqrt(r^2 + lambda) - 1 / sqrt(r'^2 + lambda)) sqrt(r'^2 + lambda) / r'^2, so that

    kappa = sum_k c_k N'_k (D - D')_k / sum_k c_k f_k N'_k^2,     y_k = D_k + kappa c_k N_k

with one kappa in [0, 1] for each image: 1 for Gaussian data, 0 where the endpoint estimate is the end.

Directions outside a truncated basis share one variance. Images of classes may each have the basis of their class (`ClassBases`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from underpainting.basis.eigenbasis import FloatArray, GaussianBasis

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(24)
_ROUNDING = 1e-10  # of the largest variance; less is no variance


class Split(NamedTuple):
    """A vector of pixel space, by what is inside and outside of the span of the components.

    Attributes:
        inside: coefficients along the components, shape (sample, component).
        outside: a vector whose part orthogonal to the components counts, shape (sample, pixel); None for a complete basis.
        excess: coefficients of `outside` along the components, which do not count, shape (sample, component); None as well.
    """

    inside: Tensor
    outside: Tensor | None = None
    excess: Tensor | None = None


class Call(NamedTuple):
    """A call of the network: its r = sigma / alpha, the state y there, and the departure R of its endpoint estimate."""

    ratio: float
    state: Split
    departure: Split


class ClassBases(NamedTuple):
    """Bases of images that belong to classes.

    Attributes:
        all_images: basis of the images of all classes.
        classes: basis of each class.
        labels: class of each image of a walk, shape (sample,).
    """

    all_images: GaussianBasis
    classes: Sequence[GaussianBasis]
    labels: Tensor


Bases = GaussianBasis | ClassBases


def variances_of(basis: Bases) -> FloatArray:
    """Return lambda of every direction of pixel space, of those outside of a truncated basis their mean: shape (pixel,).

    They are those of all images, whatever their classes.
    """
    basis = basis.all_images if isinstance(basis, ClassBases) else basis
    *inside, outside = _distinct_variances(basis)
    return np.append(inside, np.full(basis.pixels - basis.rank, outside))


def _distinct_variances(basis: GaussianBasis) -> FloatArray:
    """Return lambda of every component, and the mean variance of the directions outside: shape (component + 1,)."""
    inside = basis.variances.cpu().numpy()
    outside = (basis.total_variance - inside.sum()) / max(basis.pixels - basis.rank, 1)
    known = np.append(inside, outside)
    return np.where(known > _ROUNDING * known.max(initial=0.0), known, 0.0)


def weights(
    variances: FloatArray, coarse: FloatArray, here: float, there: float, ratios: Sequence[float], scale: float
) -> list[FloatArray]:
    """Compute the weight of each departure in z(there) - z(here), with s a polynomial in arctan(r / scale) through the calls.

    Args:
        variances: lambda, shape (component,).
        coarse: lambda', shape (component,).
        here, there: r at both ends, 0 < there <= here.
        ratios: r of the calls, each different.
        scale: square root of the largest variance.

    Returns:
        for each call, shape (component,).
    """
    ends = np.log([there, here])
    log_ratio = ends.mean() + 0.5 * (ends[1] - ends[0]) * _NODES
    ratio = np.exp(log_ratio)
    shape = ratio / np.sqrt((ratio**2 + variances[:, None]) * (ratio**2 + coarse[:, None]))
    density = 0.5 * (ends[1] - ends[0]) * _NODE_WEIGHTS * shape
    place, places = np.arctan(ratio / scale), np.arctan(np.asarray(ratios) / scale)
    found = []
    for index, at in enumerate(ratios):
        others = np.delete(places, index)
        lagrange = np.prod((place - others[:, None]) / (places[index] - others[:, None]), axis=0)
        found.append((density @ lagrange) * np.sqrt(at**2 + coarse) / at)
    return found


class RelativeIntegrator:
    """The relative sampler along one walk.

    States are x / alpha, shape (sample, pixel). Arithmetic is in their dtype and on their device.

    Args:
        basis: of the data.
        like: a tensor of the dtype and on the device of the states.
        origin: r of the pure noise from which the Gaussian's flow led to the first call; None if the state came otherwise.
    """

    def __init__(self, basis: GaussianBasis, like: Tensor, origin: float | None = None) -> None:
        self._basis = basis.like(like)
        self._variances = _distinct_variances(basis)
        self._coarse = np.maximum(self._variances, np.sqrt(self._variances * (basis.total_variance / basis.pixels)))
        self._scale = float(np.sqrt(self._variances.max(initial=0.0))) or 1.0
        self._complete = basis.rank == basis.pixels
        self._origin = origin
        self._calls: list[Call] = []
        self._corrected: Split | None = None
        self._predicted: tuple[Tensor, Split] | None = None

    def step(self, state: Tensor, endpoint: Tensor, here: float, there: float) -> Tensor:
        """Compute the state at `there` from the network's endpoint estimate at `here`.

        The state is that of the last step, at its `there`; any other state starts a new walk.

        Args:
            state: x / alpha at `here`, shape (sample, pixel).
            endpoint: x0_hat(x), shape (sample, pixel).
            here: r = sigma / alpha, positive.
            there: r of the target, at most `here`; 0 for the image.
        """
        arrived = self._arrive(state)
        departure = self._sum(self._split(endpoint), self._times(arrived, -self._gain(here)))
        call = Call(here, arrived, departure)
        before = self._before(call)
        self._corrected = self._correct(before, call)
        self._calls = [call, *self._calls[:1]]
        moved = self._finish(before, call) if there == 0 else self._predict(here, there)
        joined = self._join(moved)
        self._predicted = (joined, moved)
        return joined

    def carry(self, state: Tensor, here: float, there: float) -> Tensor:
        """Carry states x / alpha, shape (sample, pixel), from one r to another along the Gaussian's flow."""
        return self._join(self._carry(self._split(state), here, there))

    def _gain(self, ratio: float) -> FloatArray:
        """Compute the factor of y in the Gaussian's endpoint estimate, lambda / (r^2 + lambda)."""
        gain: FloatArray = self._variances / (ratio**2 + self._variances)
        return gain

    def _before(self, call: Call) -> Call | None:
        """Return the call before; before the first, the pure noise, where the network is taken to be the Gaussian's."""
        if self._calls:
            return self._calls[0]
        if self._origin is None or self._origin <= call.ratio:
            return None
        noise = self._carry(call.state, call.ratio, self._origin)
        return Call(self._origin, noise, self._times(noise, 0.0 * self._variances))

    def _correct(self, before: Call | None, call: Call) -> Split:
        """Repeat the step that led to a call, now with the departure at its end."""
        if before is None:
            return call.state
        start = before.state if self._corrected is None else self._corrected
        return self._move(start, before.ratio, call.ratio, [call, before])

    def _predict(self, here: float, there: float) -> Split:
        assert self._corrected is not None
        return self._move(self._corrected, here, there, self._calls)

    def _finish(self, before: Call | None, call: Call) -> Split:
        """Take the last step: the endpoint estimate, and kappa of the Gaussian's way from it."""
        assert self._corrected is not None
        root = np.sqrt(self._gain(call.ratio))
        onwards = root / (1.0 + root)
        correction = self._sum(self._corrected, call.state, -1.0)
        way = self._sum(self._times(self._noise(call), onwards), self._times(correction, root))
        return self._sum(self._endpoint(call), self._scale_each(way, self._kappa(before, call, onwards)))

    def _kappa(self, before: Call | None, call: Call, onwards: FloatArray) -> Tensor:
        """Compare the change of the network's estimate since the call before with a Gaussian's, shape (sample, 1)."""
        one = torch.ones_like(call.state.inside[:, :1])
        if before is None:
            return one
        then, now = (np.sqrt(ratio**2 + self._variances) for ratio in (before.ratio, call.ratio))
        expected = self._variances * (1.0 / now - 1.0 / then) * then / before.ratio**2
        noise = self._noise(before)
        change = self._sum(self._endpoint(call), self._endpoint(before), -1.0)
        found, known = self._dot(noise, change, onwards), self._dot(noise, noise, onwards * expected)
        return torch.where(known > 0, found / known, one).clamp(0.0, 1.0)

    def _endpoint(self, call: Call) -> Split:
        """Recover the coefficients of the network's endpoint estimate."""
        return self._sum(call.departure, self._times(call.state, self._gain(call.ratio)))

    def _noise(self, call: Call) -> Split:
        """Recover the coefficients of the network's estimate of the noise, times r."""
        return self._sum(self._times(call.state, 1.0 - self._gain(call.ratio)), call.departure, -1.0)

    def _carry(self, state: Split, here: float, there: float) -> Split:
        """Carry a state along the Gaussian's flow."""
        return self._times(state, np.sqrt((there**2 + self._variances) / (here**2 + self._variances)))

    def _move(self, state: Split, here: float, there: float, calls: Sequence[Call]) -> Split:
        """Carry a state along the flow, with s a polynomial through the calls."""
        moved, ratios = self._carry(state, here, there), [call.ratio for call in calls]
        if there == here:
            return moved
        found = weights(self._variances, self._coarse, here, there, ratios, self._scale)
        for call, weight in zip(calls, found, strict=True):
            moved = self._sum(moved, self._times(call.departure, weight * np.sqrt(there**2 + self._variances)))
        return moved

    def _arrive(self, state: Tensor) -> Split:
        """Split a state; the one that was predicted is known already. Another one, changed on its way, has no history."""
        if self._predicted is None:
            return self._split(state)
        made, split = self._predicted
        tolerance = 8 * torch.finfo(made.dtype).eps * float(made.abs().max())
        if made.shape == state.shape and float((made - state).abs().max()) <= tolerance:
            return split
        self._origin, self._corrected, self._calls = None, None, []
        return self._split(state)

    def _split(self, images: Tensor) -> Split:
        centred = images - self._basis.mean
        inside = self._basis.project(centred)
        return Split(inside) if self._complete else Split(inside, centred, inside)

    def _join(self, split: Split) -> Tensor:
        if split.outside is None or split.excess is None:
            return self._basis.combine(split.inside, self._basis.mean)
        return self._basis.combine(split.inside - split.excess, split.outside + self._basis.mean)

    def _times(self, split: Split, gains: FloatArray) -> Split:
        """Multiply each component, and what is outside, by its gain; `gains` has shape (component + 1,)."""
        inside = split.inside * torch.from_numpy(gains[:-1]).to(split.inside)
        if split.outside is None or split.excess is None:
            return Split(inside)
        return Split(inside, split.outside * float(gains[-1]), split.excess * float(gains[-1]))

    def _dot(self, first: Split, second: Split, gains: FloatArray) -> Tensor:
        """Sum the products of all coefficients times `gains`, of shape (component + 1,): shape (sample, 1)."""
        weighted = self._times(first, gains)
        total = (weighted.inside * second.inside).sum(1, keepdim=True)
        if weighted.outside is None or weighted.excess is None or second.outside is None or second.excess is None:
            return total
        rest = (weighted.outside * second.outside).sum(1, keepdim=True)
        return total + rest - (weighted.excess * second.excess).sum(1, keepdim=True)

    @staticmethod
    def _scale_each(split: Split, factors: Tensor) -> Split:
        """Multiply each sample by its factor, shape (sample, 1)."""
        if split.outside is None or split.excess is None:
            return Split(split.inside * factors)
        return Split(split.inside * factors, split.outside * factors, split.excess * factors)

    @staticmethod
    def _sum(first: Split, second: Split, factor: float = 1.0) -> Split:
        """Add `factor` times the second to the first."""
        inside = torch.add(first.inside, second.inside, alpha=factor)
        if first.outside is None or first.excess is None or second.outside is None or second.excess is None:
            return Split(inside)
        outside = torch.add(first.outside, second.outside, alpha=factor)
        return Split(inside, outside, torch.add(first.excess, second.excess, alpha=factor))


class ClassIntegrator:
    """The relative sampler along one walk, with the basis of each image's class; used as `RelativeIntegrator`."""

    def __init__(self, bases: ClassBases, like: Tensor, origin: float | None = None) -> None:
        self._groups = [
            (bases.labels == label, RelativeIntegrator(bases.classes[label], like, origin))
            for label in bases.labels.unique().tolist()
        ]

    def step(self, state: Tensor, endpoint: Tensor, here: float, there: float) -> Tensor:
        """Compute the state at `there` from the network's endpoint estimate at `here`."""
        moved = torch.empty_like(state)
        for rows, integrator in self._groups:
            moved[rows] = integrator.step(state[rows], endpoint[rows], here, there)
        return moved

    def carry(self, state: Tensor, here: float, there: float) -> Tensor:
        """Carry states x / alpha from one r to another along the flow of their class' Gaussian."""
        moved = torch.empty_like(state)
        for rows, integrator in self._groups:
            moved[rows] = integrator.carry(state[rows], here, there)
        return moved


def basis_like(basis: Bases, like: Tensor) -> Bases:
    """Return a basis with mean and components in the dtype and on the device of the states."""
    if isinstance(basis, ClassBases):
        return basis._replace(classes=[one.like(like) for one in basis.classes])
    return basis.like(like)


def make_integrator(basis: Bases, like: Tensor, origin: float | None = None) -> RelativeIntegrator | ClassIntegrator:
    """Make the integrator of one walk; arguments as for `RelativeIntegrator`."""
    if isinstance(basis, ClassBases):
        return ClassIntegrator(basis, like, origin)
    return RelativeIntegrator(basis, like, origin)
