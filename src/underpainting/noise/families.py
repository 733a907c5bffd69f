"""Lists the diffusers schedulers whose noise path is known; any other is refused by name.

    variance preserving   alpha^2 + sigma^2 = 1; alpha^2 is the scheduler's table `alphas_cumprod`
    EDM                   alpha = 1, sigma from sigma_min to sigma_max (Karras et al. 2022)
    flow matching         alpha = 1 - t, sigma = t; settings such as `shift` change a sampler's steps, not a level's time

Schedulers of distilled networks (LCM, TCD, consistency models) are refused, since the output of such a network is no
estimate of the posterior mean, and so are those that need another package (torchsde).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from underpainting.io.errors import InputError, Problem

Family = Literal["variance preserving", "EDM", "flow matching"]

FAMILIES: Mapping[Family, frozenset[str]] = {
    "variance preserving": frozenset(
        {
            "DDIMInverseScheduler",
            "DDIMParallelScheduler",
            "DDIMScheduler",
            "DDPMParallelScheduler",
            "DDPMScheduler",
            "DEISMultistepScheduler",
            "DPMSolverMultistepInverseScheduler",
            "DPMSolverMultistepScheduler",
            "DPMSolverSinglestepScheduler",
            "EulerAncestralDiscreteScheduler",
            "EulerDiscreteScheduler",
            "HeunDiscreteScheduler",
            "KDPM2AncestralDiscreteScheduler",
            "KDPM2DiscreteScheduler",
            "LMSDiscreteScheduler",
            "PNDMScheduler",
            "RePaintScheduler",
            "SASolverScheduler",
            "UniPCMultistepScheduler",
        }
    ),
    "EDM": frozenset({"EDMDPMSolverMultistepScheduler", "EDMEulerScheduler"}),
    "flow matching": frozenset({"FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler"}),
}
PREDICTIONS: Mapping[Family, tuple[str, ...]] = {
    "variance preserving": ("epsilon", "v_prediction", "sample"),
    "EDM": ("epsilon",),
    "flow matching": (),
}
RELATIVE = "RelativeScheduler"
"""Scheduler of this library (`pipeline.relative_scheduler`), on the variance-preserving path, with the table of DDIMScheduler."""
# settings that change the family's path, or the network's time, and the values that they must have
_USUAL = {"use_flow_sigmas": False, "invert_sigmas": False, "timestep_type": "discrete"}
ZERO_TERMINAL_SNR = Problem(
    "its levels of noise end at alpha = 0 (rescale_betas_zero_snr, or betas too large), where x0_hat has no finite noise "
    "prediction",
    "use a network whose last level has some signal",
)


class UnknownPathError(InputError):
    """Error for a scheduler whose noise path is unknown."""


def family_of(name: str) -> Family:
    """Return the family of a scheduler's class.

    Raises:
        UnknownPathError: the class belongs to no family.
    """
    if name == RELATIVE:
        return "variance preserving"
    for family, names in FAMILIES.items():
        if name in names:
            return family
    known = ", ".join(sorted(name for names in FAMILIES.values() for name in names))
    problem = f"the noise path of the scheduler {name[:200]!r} is not known"
    raise UnknownPathError(Problem(problem, f"a network needs one of {known}"))


def family_of_config(config: Mapping[str, Any]) -> Family:
    """Return the family of a scheduler's configuration, after a check that no setting changes the family's path.

    Args:
        config: content of `scheduler_config.json`.

    Raises:
        UnknownPathError: it names no class or one of no family, or a setting changes the path.
    """
    if not isinstance(name := config.get("_class_name"), str):
        remedy = "add the _class_name of the scheduler that the network was trained with, such as DDPMScheduler"
        raise UnknownPathError(Problem("the scheduler's configuration names no class", remedy))
    family = family_of(name)
    for key, usual in _USUAL.items():
        if config.get(key, usual) not in (usual, None):
            problem = f"{name} with {key}: {config[key]!r} is not known"
            raise UnknownPathError(Problem(problem, f"only {key}: {usual!r} is"))
    prediction = config.get("prediction_type", "epsilon")
    if PREDICTIONS[family] and prediction not in PREDICTIONS[family]:
        known = ", ".join(PREDICTIONS[family])
        problem = f"{name} with prediction_type: {prediction!r} is not known"
        raise UnknownPathError(Problem(problem, f"a network of the family {family} predicts {known}"))
    if family == "variance preserving" and config.get("rescale_betas_zero_snr"):
        raise UnknownPathError(ZERO_TERMINAL_SNR)
    return family
