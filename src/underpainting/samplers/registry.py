"""Registry of samplers: the diffusers scheduler, settings and cost of each. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple


class SamplerKind(NamedTuple):
    """Scheduler, coordinates and settings of a sampler.

    Attributes:
        label: its name in figures.
        module: module of its scheduler in diffusers.
        scheduler: the scheduler's class.
        scaled: whether its coordinates are x / alpha; else they are those of the variance-preserving path.
        tabled: whether it finds its levels in a table of alpha^2 by time; else in a list of sigma / alpha.
        corrects: which steps call the denoiser a second time, at their target: `every` but the last, the `first`, or `none`.
        takes: input of its scheduler; with `epsilon`, velocities if the network predicts those.
        clips: whether it can clip the endpoint estimate to the image range.
        strides: whether it moves by T // N of a network's T times at each of N steps, even where its own grid does not.
        repeats: whether its own grid visits a time twice where it takes as many steps as there are times.
        karras: whether its own grid is that of Karras et al. (2022), whatever the network's.
        noise: source of added noise: the `scheduler`, or `churn` before each step (`sampling.churn`); or `none`.
        fixed: settings of its scheduler that are not the user's to choose.
        relative: whether it integrates the Gaussian's flow exactly, so that it needs the data's eigenbasis (`samplers.relative`);
            its scheduler is ours.
    """

    label: str
    module: str
    scheduler: str
    scaled: bool = False
    tabled: bool = False
    corrects: Literal["none", "first", "every"] = "none"
    takes: Literal["sample", "epsilon"] = "sample"
    clips: bool = False
    strides: bool = False
    repeats: bool = False
    karras: bool = False
    noise: Literal["none", "scheduler", "churn"] = "none"
    fixed: Mapping[str, bool] = MappingProxyType({})
    relative: bool = False

    @property
    def stochastic(self) -> bool:
        """Whether noise is added during sampling, so that an image depends on more than its initial noise."""
        return self.noise != "none"


_HEUN = SamplerKind(
    "Heun", "scheduling_heun_discrete", "HeunDiscreteScheduler", scaled=True, corrects="every", clips=True
)
_EDM_HEUN = _HEUN._replace(label="EDM Heun", karras=True)

SAMPLERS: dict[str, SamplerKind] = {
    "ddim": SamplerKind("DDIM", "scheduling_ddim", "DDIMScheduler", tabled=True, clips=True, strides=True),
    "euler": SamplerKind("Euler", "scheduling_euler_discrete", "EulerDiscreteScheduler", scaled=True),
    "heun": _HEUN,
    "dpmsolverpp": SamplerKind(
        "DPM-Solver++", "scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler", repeats=True
    ),
    "unipc": SamplerKind("UniPC", "scheduling_unipc_multistep", "UniPCMultistepScheduler", repeats=True),
    "pndm": SamplerKind(
        "PNDM",
        "scheduling_pndm",
        "PNDMScheduler",
        tabled=True,
        corrects="first",
        takes="epsilon",
        strides=True,
        fixed={"skip_prk_steps": True, "set_alpha_to_one": True},
    ),
    "lms": SamplerKind("LMS", "scheduling_lms_discrete", "LMSDiscreteScheduler", scaled=True),
    "edmheun": _EDM_HEUN,
    "ddpm": SamplerKind("DDPM", "scheduling_ddpm", "DDPMScheduler", tabled=True, clips=True, noise="scheduler"),
    "edmchurn": _EDM_HEUN._replace(label="EDM churn", noise="churn"),
    "relative": SamplerKind("Relative", "", "RelativeScheduler", relative=True),
}
CLIPPING = ", ".join(name for name, kind in SAMPLERS.items() if kind.clips)
"""Names of the samplers that can clip, for messages."""


def calls(name: str, steps: int) -> int:
    """Count the denoiser calls of a number of steps to the image: the NFE of one image.

    Args:
        name: a key of `SAMPLERS`.
        steps: number of steps, 1 or more; the last one, to sigma = 0, is never corrected.
    """
    corrected = {"none": 0, "first": min(1, steps - 1), "every": steps - 1}
    return steps + corrected[SAMPLERS[name].corrects]


def steps_within(name: str, nfe: int) -> int:
    """Count the most steps that cost at most `nfe` denoiser calls.

    Args:
        name: a key of `SAMPLERS`.
        nfe: denoiser calls per image, 1 or more.

    Raises:
        ValueError: `nfe` is not positive.
    """
    if nfe < 1:
        raise ValueError(f"a sampler calls its denoiser at least once, so {nfe} calls are not enough")
    return max(steps for steps in range(1, nfe + 1) if calls(name, steps) <= nfe)
