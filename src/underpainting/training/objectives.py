r"""Training objectives: input, time and target of each kind of network, from clean images and noise.

    variance preserving   z = alpha_t x_0 + sigma_t eps, time t,        target eps, v = alpha eps - sigma x_0, or x_0
    EDM                   c_in x, time ln(sigma) / 4,                   target (x_0 - c_skip x) / c_out,   x = x_0 + sigma eps
    flow matching         z = (1 - t) x_0 + t eps, time 1000 t,         target eps - x_0

The loss is the mean squared error on the target. For EDM that is the loss of Karras et al. (2022): their weight
lambda = (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 on the error of x_0 is 1 / c_out^2, so that the target has unit
variance for data of variance sigma_data^2.

Noise levels come from `quantiles`, numbers in [0, 1), one per image. Times are uniform, or the logarithm of r = sigma / alpha is
normal, as it always is for EDM, so that a training spends its steps where images take shape. On the path of flow matching,
r = t / (1 - t), that is the logit-normal time of Esser et al. (2024), "Scaling Rectified Flow Transformers".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from underpainting.denoisers import PredictionType

Objective = Literal[PredictionType, "edm", "flow"]
NoiseLevels = Literal["uniform", "lognormal"]


class TrainingBatch(NamedTuple):
    """Inputs and targets of one training step.

    Attributes:
        inputs: shape (sample, channel, height, width).
        times: shape (sample,).
        targets: shape (sample, channel, height, width).
    """

    inputs: Tensor
    times: Tensor
    targets: Tensor


def make_schedule(objective: Objective, schedule: Mapping[str, Any], edm: Mapping[str, Any]) -> Any:
    """Create the diffusers scheduler of a kind of network, which identifies that kind in a saved pipeline.

    Args:
        objective: training target of the network.
        schedule: settings of the variance-preserving schedule.
        edm: `sigma_data`, `sigma_min`, `sigma_max`.
    """
    if objective == "edm":
        from diffusers.schedulers.scheduling_edm_euler import EDMEulerScheduler

        return EDMEulerScheduler(**edm)
    if objective == "flow":
        from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

        return FlowMatchEulerDiscreteScheduler()
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    return DDIMScheduler(**schedule, clip_sample=False, prediction_type=objective)


def lognormal(quantiles: Tensor, mean: float, std: float) -> Tensor:
    """Compute log-normal ratios sigma / alpha at the given quantiles, shape (sample,).

    Args:
        quantiles: in [0, 1], shape (sample,).
        mean: of ln(sigma / alpha).
        std: of ln(sigma / alpha).
    """
    return (mean + std * torch.special.ndtri(quantiles)).exp()


def time_fractions(ratios: Tensor, objective: Objective, schedule: Any) -> Tensor:
    """Compute times, as fractions of the last one, at which sigma / alpha has given values, shape (sample,); not EDM.

    Args:
        ratios: sigma / alpha, in [0, inf], shape (sample,).
        objective: training target of the network.
        schedule: of the network's kind; on the variance-preserving path the discrete time is the first of no smaller ratio.
    """
    if objective == "flow":
        return 1 - 1 / (1 + ratios)
    known = (1 / schedule.alphas_cumprod - 1).sqrt()
    return (torch.searchsorted(known, ratios) + 0.5) / len(known)


def _per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def variance_preserving(
    clean: Tensor, noise: Tensor, fractions: Tensor, schedule: Any, prediction_type: PredictionType
) -> TrainingBatch:
    """Compute a training batch at discrete times of a scheduler with `alphas_cumprod`, given as fractions (Eq. 5)."""
    square = schedule.alphas_cumprod
    times = (fractions * len(square)).long().clamp_(max=len(square) - 1)
    alpha, sigma = _per_image(square[times].sqrt()), _per_image((1 - square[times]).sqrt())
    targets = {"epsilon": noise, "v_prediction": alpha * noise - sigma * clean, "sample": clean}
    return TrainingBatch(alpha * clean + sigma * noise, times, targets[prediction_type])


def preconditioned(
    clean: Tensor, noise: Tensor, quantiles: Tensor, schedule: Any, log_sigma_mean: float, log_sigma_std: float
) -> TrainingBatch:
    """Compute EDM's training batch at log-normal sigma, within the scheduler's limits (Karras et al. 2022)."""
    config = schedule.config
    levels = lognormal(quantiles, log_sigma_mean, log_sigma_std).clamp(config["sigma_min"], config["sigma_max"])
    sigma, variance = _per_image(levels), config["sigma_data"] ** 2
    total = sigma**2 + variance
    noisy, out = clean + sigma * noise, sigma * config["sigma_data"] / total.sqrt()
    return TrainingBatch(noisy / total.sqrt(), levels.log() / 4, (clean - variance / total * noisy) / out)


def straight(clean: Tensor, noise: Tensor, fractions: Tensor, schedule: Any) -> TrainingBatch:
    """Compute the training batch of flow matching at times given as fractions (Lipman et al. 2023; Liu et al. 2023)."""
    time = _per_image(fractions)
    times = fractions * schedule.config["num_train_timesteps"]
    return TrainingBatch((1 - time) * clean + time * noise, times, noise - clean)
