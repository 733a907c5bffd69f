r"""Noise paths: signal and noise scales of a diffusion, for any family of models.

Every formula of this library is written for a general path

    x_t = alpha_t x_0 + sigma_t noise,      noise ~ N(0, I)                                    (Eq. 3, 17)

A `NoiseLevel` is one point of it, a `NoiseGrid` the points that a sampler visits (step 0 is noise, the
last step is data), and a `NoisePath` a path in continuous time with its derivatives. Table 6 (App. D)
relates the notations of the literature; for diffusers, `alphas_cumprod` is alpha_t^2.

    variance preserving (DDPM, DDIM, Stable Diffusion)   alpha^2 + sigma^2 = 1
    variance exploding  (EDM)                            alpha = 1
    flow matching       (rectified flow)                 alpha = 1 - t, sigma = t
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from underpainting.noise import families

FloatArray = NDArray[np.float64]


class NoiseLevel(NamedTuple):
    """Signal scale `alpha` and noise scale `sigma` of x_t = alpha x_0 + sigma noise (dimensionless)."""

    alpha: float
    sigma: float

    @property
    def ratio(self) -> float:
        """Noise-to-signal ratio sigma / alpha: the sigma of EDM; infinite for pure noise."""
        return self.sigma / self.alpha if self.alpha else float("inf")


DATA = NoiseLevel(1.0, 0.0)
PURE_NOISE = NoiseLevel(0.0, 1.0)


def vp_level(ratio: float) -> NoiseLevel:
    """Return the variance-preserving level with the noise-to-signal ratio `ratio`: alpha = 1 / sqrt(1 + ratio^2)."""
    alpha = 1.0 / float(np.hypot(1.0, ratio))
    return NoiseLevel(alpha, ratio * alpha)


@dataclass(frozen=True)
class NoiseGrid:
    """Noise levels that a sampler visits, from noise (step 0) to data (last step).

    Attributes:
        alpha: signal scales, shape (step,), dimensionless.
        sigma: noise scales, shape (step,), dimensionless.

    Raises:
        ValueError: the scales are not finite, not of one length, negative, or do not run from noise to data.
    """

    alpha: FloatArray
    sigma: FloatArray

    def __post_init__(self) -> None:
        alpha, sigma = np.asarray(self.alpha, np.float64), np.asarray(self.sigma, np.float64)
        object.__setattr__(self, "alpha", alpha)
        object.__setattr__(self, "sigma", sigma)
        if alpha.ndim != 1 or alpha.shape != sigma.shape or len(alpha) == 0:
            raise ValueError(f"a noise grid needs two lists of one length, got shapes {alpha.shape} and {sigma.shape}")
        if not (np.isfinite(alpha).all() and np.isfinite(sigma).all() and (alpha >= 0).all() and (sigma >= 0).all()):
            raise ValueError("signal and noise scales must be finite and not negative")
        if (np.diff(self.angle) > 1e-12).any():
            raise ValueError("a noise grid runs from noise to data: sigma / alpha must not increase along it")

    def __len__(self) -> int:
        return len(self.alpha)

    def __getitem__(self, step: int) -> NoiseLevel:
        return NoiseLevel(float(self.alpha[step]), float(self.sigma[step]))

    def __iter__(self) -> Iterator[NoiseLevel]:
        return (self[step] for step in range(len(self)))

    @property
    def angle(self) -> FloatArray:
        """atan2(sigma, alpha) in radians, from pi/2 (noise) to 0 (data), shape (step,)."""
        return np.arctan2(self.sigma, self.alpha)

    @classmethod
    def of(cls, levels: Sequence[NoiseLevel]) -> NoiseGrid:
        """Make a grid from a list of levels."""
        return cls(np.array([level.alpha for level in levels]), np.array([level.sigma for level in levels]))


class NoisePath(Protocol):
    """A noise path in continuous time; t grows from data to noise, as in Eq. 1."""

    def level(self, t: float) -> NoiseLevel:
        """Return the scales (alpha_t, sigma_t) at time t."""
        ...

    def rate(self, t: float) -> NoiseLevel:
        """Return the time derivatives (d alpha / dt, d sigma / dt) at time t."""
        ...


@dataclass(frozen=True)
class VariancePreserving:
    """VP-SDE with linear beta (Song et al. 2021): alpha_t = exp(-int_0^t beta / 2), t in (0, 1].

    Attributes:
        beta_min, beta_max: rate of the forward process at t = 0 and t = 1 (per unit time).
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    def _log_alpha(self, t: float) -> float:
        return -0.25 * t * t * (self.beta_max - self.beta_min) - 0.5 * t * self.beta_min

    def level(self, t: float) -> NoiseLevel:
        log_alpha = self._log_alpha(t)
        return NoiseLevel(float(np.exp(log_alpha)), float(np.sqrt(-np.expm1(2 * log_alpha))))

    def rate(self, t: float) -> NoiseLevel:
        """Return d alpha / dt = -beta alpha (Eq. 76) and d sigma / dt = beta alpha^2 / sigma (alpha^2 + sigma^2 = 1)."""
        beta = 0.5 * (self.beta_min + t * (self.beta_max - self.beta_min))
        alpha, sigma = self.level(t)
        return NoiseLevel(-beta * alpha, beta * alpha**2 / sigma)


@dataclass(frozen=True)
class VarianceExploding:
    """EDM's path (Karras et al. 2022): alpha = 1, sigma = t."""

    def level(self, t: float) -> NoiseLevel:
        return NoiseLevel(1.0, t)

    def rate(self, t: float) -> NoiseLevel:  # noqa: ARG002  the same at all times
        return NoiseLevel(0.0, 1.0)


@dataclass(frozen=True)
class FlowMatching:
    """Straight path of flow matching: alpha = 1 - t, sigma = t, t in [0, 1]."""

    def level(self, t: float) -> NoiseLevel:
        return NoiseLevel(1.0 - t, t)

    def rate(self, t: float) -> NoiseLevel:  # noqa: ARG002  the same at all times
        return NoiseLevel(-1.0, 1.0)


def edm_grid(steps: int, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> NoiseGrid:
    """Make the grid of Karras et al. (2022), Eq. 5: `steps` levels from sigma_max to sigma_min, then 0; alpha = 1.

    Raises:
        ValueError: fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"a grid needs at least one step, got {steps}")
    fraction = np.linspace(0, 1, steps)
    roots = sigma_max ** (1 / rho) + fraction * (sigma_min ** (1 / rho) - sigma_max ** (1 / rho))
    return NoiseGrid(np.ones(steps + 1), np.append(roots**rho, 0.0))


def training_grid(scheduler: Any) -> NoiseGrid:
    """Make the grid of the `num_train_timesteps` noise levels that a diffusers scheduler trains on, from noise to data.

    It holds the discrete times of the variance-preserving path, from t = T - 1 to 0; the levels of Karras et al.
    (2022) from sigma_max to sigma_min for EDM; the middles of T equal parts of (0, 1) for flow matching, which never
    reach alpha = 0.

    Args:
        scheduler: a diffusers scheduler of one of the `families`.

    Raises:
        ValueError: the scheduler belongs to no family.
    """
    family, config = families.family_of(type(scheduler).__name__), getattr(scheduler, "config", {})
    if family == "EDM":
        grid = edm_grid(config["num_train_timesteps"], config["sigma_min"], config["sigma_max"], config["rho"])
        return NoiseGrid(grid.alpha[:-1], grid.sigma[:-1])
    if family == "flow matching":
        times = (np.arange(config["num_train_timesteps"])[::-1] + 0.5) / config["num_train_timesteps"]
        return NoiseGrid(1.0 - times, times)
    square = np.asarray(scheduler.alphas_cumprod, np.float64)[::-1]
    with np.errstate(invalid="ignore"):  # a table that leaves [0, 1] is refused by the checks of its values
        return NoiseGrid(np.sqrt(square), np.sqrt(1.0 - square))


def grid_rate(grid: NoiseGrid, time: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Compute the time derivatives of a tabulated path by second-order differences.

    Args:
        grid: the levels, shape (step,).
        time: the time of each level, shape (step,), strictly monotonic.

    Returns:
        d alpha / dt and d sigma / dt, each of shape (step,), per unit of `time`.
    """
    time = np.asarray(time, np.float64)
    return np.gradient(grid.alpha, time), np.gradient(grid.sigma, time)
