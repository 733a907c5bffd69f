r"""Networks with a prompt, and classifier-free guidance (Ho & Salimans 2022).

A network F(x, time, embedding) that knows prompts gives two estimates of x_0: D_cond under the prompt, and D_uncond under
the negative prompt, by default the empty one. Guidance of scale w combines them:

    D = D_uncond + w (D_cond - D_uncond)

As x0_hat is an affine function of the network's output F at a given state (`networks`), the same holds for the outputs,
which are combined here, as diffusers' StableDiffusionPipeline does:

    rescale    F <- (phi std(F_cond) / std(F) + 1 - phi) F, with the standard deviation over one latent (Lin et al. 2024,
               Eq. 15, 16)
    interval   guidance acts for lowest < sigma / alpha <= highest alone; elsewhere D = D_cond (Kynkaanniemi et al. 2024)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from underpainting.denoisers.compute import Compute
from underpainting.denoisers.networks import DiffusersDenoiser, PredictionType
from underpainting.io.errors import InputError, Problem
from underpainting.noise.levels import NoiseGrid


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance.

    A scale of 1 is no guidance, 0 the negative prompt alone; each takes one network call, any other scale two. A scale
    between 0 and 1 weakens the prompt, as the equation says; diffusers' pipelines use 1 in its place.

    Attributes:
        scale: w, not negative.
        rescale: phi, in [0, 1]; above 0 for scales from 1 on only.
        interval: lowest and highest sigma / alpha at which guidance acts; None for all.

    Raises:
        InputError: a value outside its range.
    """

    scale: float = 7.5
    rescale: float = 0.0
    interval: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not (isfinite(self.scale) and self.scale >= 0):
            problem = f"a guidance scale of {self.scale} is not possible"
            raise InputError(Problem(problem, "give one from 0 (the negative prompt alone); 1 is no guidance", "scale"))
        if not 0 <= self.rescale <= 1 or (self.rescale and self.scale < 1):
            problem = f"rescale {self.rescale} at scale {self.scale} is not possible"
            raise InputError(
                Problem(problem, "give one from 0 to 1, and above 0 with a scale from 1 on only", "rescale")
            )
        if self.interval is not None and not 0 <= self.interval[0] < self.interval[1]:
            problem = f"guidance cannot act from sigma / alpha = {self.interval[0]} to {self.interval[1]}"
            raise InputError(Problem(problem, "give the lower level first, not below 0", "interval"))

    def scale_at(self, ratio: float) -> float:
        """Return the scale at a noise-to-signal ratio: 1 outside the interval."""
        return self.scale if self.interval is None or self.interval[0] < ratio <= self.interval[1] else 1.0

    def calls_at(self, ratio: float) -> int:
        """Return how many network calls an estimate takes at a noise-to-signal ratio: 1 or 2."""
        return 1 if self.scale_at(ratio) in (0.0, 1.0) else 2

    def combine(self, unconditional: Tensor, conditional: Tensor, ratio: float) -> Tensor:
        """Combine a network's outputs under the negative prompt and under the prompt, each of shape (sample, ...)."""
        guided = unconditional + self.scale_at(ratio) * (conditional - unconditional)
        return _rescaled(guided, conditional, self.rescale) if self.rescale else guided


def _rescaled(guided: Tensor, conditional: Tensor, strength: float) -> Tensor:
    axes = list(range(1, guided.ndim))
    gain = conditional.std(axes, keepdim=True) / guided.std(axes, keepdim=True)
    return guided * (strength * gain + (1 - strength))


NO_GUIDANCE = Guidance(scale=1.0)


class PromptedDenoiser(DiffusersDenoiser):
    """A network of the variance-preserving path with the prompts of a batch, and guidance.

    A batch has one latent per prompt, in the order of the prompts, or a multiple of that, as from pairs of a perturbation: the
    prompts then repeat in order, as the first half of `torch.cat([x, y])` does in the second.

    Args:
        network: called as `network(x, time, embeddings).sample`.
        grid: its training grid, from noise to data.
        embeddings: of the prompts, shape (prompt, token, feature).
        negative: of the negative prompts, one per prompt or one for all, same shape.
        guidance: how the two are combined.
        prediction_type: epsilon, v_prediction or sample.
        compute: settings of its calls.

    Raises:
        ValueError: the shapes of the embeddings do not fit each other, or the prediction type is unknown.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        grid: NoiseGrid,
        embeddings: Tensor,
        negative: Tensor,
        guidance: Guidance | None = None,
        prediction_type: PredictionType = "epsilon",
        compute: Compute | None = None,
    ) -> None:
        super().__init__(network, grid, prediction_type, compute)
        if (
            embeddings.ndim != 3
            or not len(embeddings)
            or negative.shape not in (embeddings.shape, embeddings[:1].shape)
        ):
            raise ValueError(
                f"embeddings of shape {tuple(embeddings.shape)} and negative ones of shape {tuple(negative.shape)} do not fit; "
                "give (prompt, token, feature) for both, the negative ones for every prompt or for one"
            )
        self._grid = grid
        self.embeddings = embeddings.to(self.device, self.dtype)
        self.negative = negative.to(self.device, self.dtype).expand_as(self.embeddings)
        self.guidance = guidance or Guidance()

    def with_guidance(self, guidance: Guidance) -> PromptedDenoiser:
        """Return the denoiser of the same network and prompts with another guidance."""
        same = (self.network, self._grid, self.embeddings, self.negative)
        return PromptedDenoiser(*same, guidance, self.prediction_type, self._compute)

    @property
    def conditional(self) -> PromptedDenoiser:
        """The estimate under the prompt alone, D_cond."""
        return self.with_guidance(NO_GUIDANCE)

    @property
    def unconditional(self) -> PromptedDenoiser:
        """The estimate under the negative prompt alone, D_uncond."""
        return self.with_guidance(Guidance(scale=0.0))

    def calls_at(self, ratio: float) -> int:
        return self.guidance.calls_at(ratio)

    def _prediction(self, scaled: Tensor, times: Tensor, ratio: float) -> Tensor:
        count = len(scaled)
        if self.calls_at(ratio) == 1:
            only = self.embeddings if self.guidance.scale_at(ratio) else self.negative
            return self._predictions(scaled, times, _repeated(only, count))
        both = torch.cat([_repeated(self.negative, count), _repeated(self.embeddings, count)])
        outputs = self._predictions(scaled.repeat(2, 1, 1, 1), times.repeat(2), both)
        return self.guidance.combine(outputs[:count], outputs[count:], ratio)


def _repeated(embeddings: Tensor, count: int) -> Tensor:
    """Repeat embeddings in order for a batch.

    Raises:
        ValueError: the batch is no multiple of them.
    """
    times, rest = divmod(count, len(embeddings))
    if rest:
        raise ValueError(
            f"{count} latents do not fit {len(embeddings)} prompts; give one latent per prompt, or a multiple"
        )
    return embeddings.repeat(times, 1, 1)
