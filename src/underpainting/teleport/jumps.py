r"""Jumps: maps that carry a state from one noise level to another without calling a network (Sec. 6.1).

    GaussianJump   the closed form (Eq. 9); with a truncated basis its low-rank form
    StationaryJump the same of a stationary Gaussian, for images of any size
    ClassJump      the closed form of each image's own class, for conditional networks
    FlowJump       the probability flow of any other model of the data, integrated: of a mixture, say (Eq. 8, 84-100)
    GuidedJump     the same of two Gaussians under guidance, for networks with prompts

Any of them may precede any sampler: each gives the state that the sampler would reach by integration if its model were exact.
A study can name those in `registry.JUMPS`, each along the flow of a theory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from underpainting.basis.eigenbasis import GaussianBasis
from underpainting.basis.stationary import SizedBasis, StationaryBasis
from underpainting.denoisers import Denoiser
from underpainting.noise.levels import NoiseGrid, NoiseLevel, vp_level
from underpainting.theory import flow, gaussian

FLOW_STEPS = 24


class Jump(Protocol):
    """A map of states from one noise level to a less noisy one."""

    def __call__(self, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
        """Carry states to the level `target`.

        Args:
            images: x at `source`, shape (sample, channel, height, width).
            source: their level, sigma > 0.
            target: the requested level.

        Returns:
            x at `target`, in the shape and dtype of `images`.
        """
        ...


class GaussianJump:
    """The closed form of Gaussian data (Eq. 9)."""

    def __init__(self, basis: GaussianBasis) -> None:
        self.basis = basis

    def __call__(self, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
        return gaussian.state(self.basis, images, source, target)


class StationaryJump:
    """The closed form of stationary Gaussian data, for images of any size.

    Args:
        basis: of the data.
    """

    def __init__(self, basis: StationaryBasis) -> None:
        self._basis = basis
        self._sized: SizedBasis | None = None

    def __call__(self, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
        if self._sized is None or self._sized.image_shape[1:] != images.shape[2:]:
            self._sized = self._basis.at(*images.shape[2:])
        return gaussian.state(self._sized.to(images.device), images, source, target)


class _ByClass:
    """A function of images that takes the basis of each image's class.

    Args:
        bases: of every class.
        labels: the class of each image, shape (sample,).

    Raises:
        ValueError: a label is no class.
    """

    def __init__(self, bases: Sequence[GaussianBasis], labels: Sequence[int]) -> None:
        if strange := sorted({label for label in labels if not 0 <= label < len(bases)}):
            raise ValueError(f"the labels {strange} are none of the {len(bases)} classes, which are numbered from 0")
        self.bases, self.labels = bases, torch.as_tensor(labels)

    def _each(self, images: Tensor, function: Callable[[GaussianBasis, Tensor], Tensor]) -> Tensor:
        if len(images) != len(self.labels):
            raise ValueError(f"{len(images)} images do not fit {len(self.labels)} labels; give one label per image")
        moved = torch.empty_like(images)
        for label in self.labels.unique().tolist():
            chosen = self.labels == label
            moved[chosen] = function(self.bases[label], images[chosen])
        return moved


class ClassJump(_ByClass):
    """The closed form of each image's own class.

    Args:
        bases: of every class.
        labels: the class of each image, shape (sample,).

    Raises:
        ValueError: a label is no class.
    """

    def __call__(self, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
        return self._each(images, lambda basis, chosen: gaussian.state(basis, chosen, source, target))


class _ClassDenoiser(_ByClass):
    """The exact posterior mean of the Gaussian of each image's own class."""

    def __call__(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        level = NoiseLevel(alpha, sigma)
        return self._each(images, lambda basis, chosen: gaussian.endpoint(basis, chosen, level))


class FlowJump:
    """The probability flow of any model of the data, by the fourth-order Runge-Kutta method (Eq. 4, 75).

    Args:
        denoiser: of the model.
        steps: number of steps between the levels, evenly spaced in the angle atan2(sigma, alpha).
    """

    def __init__(self, denoiser: Denoiser, steps: int = FLOW_STEPS) -> None:
        self._denoiser, self._steps = denoiser, steps

    def __call__(self, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
        begin, end = (float(np.arctan2(level.sigma, level.alpha)) for level in (source, target))
        angles = np.linspace(begin, end, self._steps + 1)
        grid = NoiseGrid.of([vp_level(float(np.tan(angle))) for angle in angles])
        start = images / float(np.hypot(*source))
        *_, last = flow.walk(self._denoiser, start, grid, "rk4")
        return last.state * float(np.hypot(*target))


def of_theory(denoiser: Denoiser) -> Jump:
    """Return the jump by a theory's closed form if it has one, else by its probability flow."""
    jump: Jump = getattr(denoiser, "state", None) or FlowJump(denoiser)
    return jump


class GuidedJump:
    """The probability flow under guidance of the Gaussian of each image's prompt and that of the negative prompt.

    Its denoiser is D = D_neg + w (D_prompt - D_neg), as that of a network with guidance of scale w. The two Gaussians have
    different axes, so the flow has no closed form; it is integrated.

    Args:
        bases: Gaussian of each prompt.
        negative: Gaussian of the negative prompt, one for all prompts or one for each.
        labels: the prompt of each image, its place in `bases`, shape (sample,).
        scale: w; 1 is the flow of the prompt's Gaussian alone (`ClassJump`).
        steps: as for `FlowJump`.

    Raises:
        ValueError: a label is no prompt.
    """

    def __init__(
        self,
        bases: Sequence[GaussianBasis],
        negative: GaussianBasis | Sequence[GaussianBasis],
        labels: Sequence[int],
        scale: float,
        steps: int = FLOW_STEPS,
    ) -> None:
        each = negative if isinstance(negative, Sequence) else [negative] * len(bases)
        self._prompt, self._negative = _ClassDenoiser(bases, labels), _ClassDenoiser(each, labels)
        self._scale, self._flow = scale, FlowJump(self._guided, steps)

    def __call__(self, images: Tensor, source: NoiseLevel, target: NoiseLevel) -> Tensor:
        return self._flow(images, source, target)

    def _guided(self, images: Tensor, alpha: float, sigma: float) -> Tensor:
        plain = self._negative(images, alpha, sigma)
        return plain + self._scale * (self._prompt(images, alpha, sigma) - plain)
