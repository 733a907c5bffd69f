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
        takes: input of its scheduler; with `epsilon`, velocities if the network predicts those; with `velocity` always.
        clips: whether it can clip the endpoint estimate to the image range.
        strides: whether it moves by T // N of a network's T times at each of N steps, even where its own grid does not.
        repeats: whether its own grid visits a time twice where it takes as many steps as there are times.
        levels: where its own grid comes from: its `scheduler`; the time of the `network`, whatever the spacing; or `karras`:
            that of Karras et al. (2022), whatever the network's.
        least: sigma / alpha that stands for 0 at the last level, if its scheduler takes logarithms there.
        order: most noise predictions that a step uses, if its scheduler has no setting for that.
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
    takes: Literal["sample", "epsilon", "velocity"] = "sample"
    clips: bool = False
    strides: bool = False
    repeats: bool = False
    levels: Literal["scheduler", "network", "karras"] = "scheduler"
    least: float = 0.0
    order: int | None = None
    noise: Literal["none", "scheduler", "churn"] = "none"
    fixed: Mapping[str, bool | int] = MappingProxyType({})
    relative: bool = False

    @property
    def stochastic(self) -> bool:
        """Whether noise is added during sampling, so that an image depends on more than its initial noise."""
        return self.noise != "none"


_HEUN = SamplerKind(
    "Heun", "scheduling_heun_discrete", "HeunDiscreteScheduler", scaled=True, corrects="every", clips=True
)
_EDM_HEUN = _HEUN._replace(label="EDM Heun", levels="karras")
_DPM_SOLVER = SamplerKind("DPM-Solver++", "scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler", repeats=True)
_UNIPC = SamplerKind("UniPC", "scheduling_unipc_multistep", "UniPCMultistepScheduler", repeats=True)
_DEIS = SamplerKind("DEIS", "scheduling_deis_multistep", "DEISMultistepScheduler", repeats=True, least=1e-30)
_IPNDM = SamplerKind("iPNDM", "scheduling_ipndm", "IPNDMScheduler", takes="velocity", levels="network", order=4)
_THIRD_ORDER = {"solver_order": 3}

SAMPLERS: dict[str, SamplerKind] = {
    "ddim": SamplerKind("DDIM", "scheduling_ddim", "DDIMScheduler", tabled=True, clips=True, strides=True),
    "euler": SamplerKind("Euler", "scheduling_euler_discrete", "EulerDiscreteScheduler", scaled=True),
    "heun": _HEUN,
    "dpmsolverpp": _DPM_SOLVER,
    "unipc": _UNIPC,
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
    "dpmsolverpp3": _DPM_SOLVER._replace(label="DPM-Solver++ 3M", fixed=_THIRD_ORDER),
    "unipc3": _UNIPC._replace(label="UniPC-3", fixed=_THIRD_ORDER),
    "deis": _DEIS,
    "deis3": _DEIS._replace(label="DEIS-3", fixed=_THIRD_ORDER),
    "ipndm": _IPNDM,
    "ipndm2": _IPNDM._replace(label="iPNDM-2", order=2),
    "ipndm3": _IPNDM._replace(label="iPNDM-3", order=3),
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
