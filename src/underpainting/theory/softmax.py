r"""Softmax averages over many terms, computed a block at a time in the log domain.

    log sum_i exp(l_i)      and      sum_i v_i exp(l_i) / sum_j exp(l_j)

With the largest logit so far M, the running sums hold exp(l_i - M); when a block raises M to M', they shrink by
exp(M - M'). Nothing overflows, and no block is kept (Milakov & Gimelshein 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor

NEGLIGIBLE = 2.0**-64
"""Relative weight below which even a thousand terms do not change a float64 sum."""


class RunningSoftmax:
    """Running sums of a softmax average for each sample, in float64; differentiable in the logits.

    Args:
        samples: number of samples.
        device: of the logits.

    Attributes:
        peak: the largest logit so far, shape (sample,); minus infinity before the first.
    """

    def __init__(self, samples: int, device: torch.device) -> None:
        self.peak = torch.full((samples,), -torch.inf, dtype=torch.float64, device=device)
        self._total = torch.zeros_like(self.peak)
        self._sum: Tensor | None = None

    def weigh(self, logits: Tensor) -> Tensor:
        """Include a block of terms.

        Args:
            logits: float64, finite, shape (sample, term).

        Returns:
            their weights relative to the largest so far, in [0, 1], shape (sample, term); `add` takes the values
            multiplied by them.
        """
        peak = torch.maximum(self.peak, logits.detach().amax(1))
        shrink = (self.peak - peak).exp()
        weights = (logits - peak[:, None]).exp()
        self._total = self._total * shrink + weights.sum(1)
        if self._sum is not None:
            self._sum = self._sum * shrink.to(self._sum.dtype)[:, None]
        self.peak = peak
        return weights

    def add(self, values: Tensor) -> None:
        """Add the last block's sum of weight times value over its terms, shape (sample, ...)."""
        self._sum = values if self._sum is None else self._sum + values

    @property
    def log_sum(self) -> Tensor:
        """Log of the sum of the exponentials of all logits, shape (sample,)."""
        return self.peak + self._total.log()

    @property
    def average(self) -> Tensor:
        """Softmax average of the added values, in their dtype.

        Raises:
            ValueError: nothing was added.
        """
        if self._sum is None:
            raise ValueError("there is no average of nothing; add the values of a block first")
        return self._sum / self._total.to(self._sum.dtype)[:, None]
