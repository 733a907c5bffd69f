"""Models of a study's denoiser: trained here, shipped, downloaded or read from a folder."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote
from underpainting_workflow.studies.base import Model, Place, Repository, Revision

Width = Annotated[int, Field(ge=1)]
ResidualForm = Literal["none", "velocity", "blend"]
NoiseLevels = Literal["uniform", "lognormal"]


class Architecture(Model):
    """A UNet2DModel of diffusers."""

    block_out_channels: tuple[Width, ...] = Field(
        (32, 64),
        min_length=1,
        description="Width of each resolution level, the finest first. Images of an odd size have one level by default.",
    )
    layers_per_block: int = Field(1, ge=1, description="Residual blocks per level.")
    attention_levels: int = Field(0, ge=0, description="Number of the coarsest levels that have self-attention.")
    attention_head_dim: int = Field(
        16,
        ge=1,
        description="Channels per attention head, a divisor of every width with self-attention; by default the largest up to 16.",
    )
    norm_num_groups: int = Field(
        8,
        ge=1,
        description="Groups of group normalisation, a divisor of every width; by default the largest of 8, 4, 2 and 1.",
    )

    @model_validator(mode="after")
    def _divides(self) -> Architecture:
        if self.attention_levels > len(self.block_out_channels):
            problem = f"{self.attention_levels} exceeds the {len(self.block_out_channels)} levels"
            raise InputError(Problem(problem, "lower it", "attention_levels"))
        # the middle block of a UNet2DModel always attends, at the coarsest width
        attending = self.block_out_channels[-max(self.attention_levels, 1) :]
        self.default_to(
            norm_num_groups=math.gcd(8, *self.block_out_channels), attention_head_dim=math.gcd(16, *attending)
        )
        for width in self.block_out_channels:
            if width % self.norm_num_groups:
                problem = f"{self.norm_num_groups} does not divide the width {width}"
                raise InputError(Problem(problem, "choose widths that are multiples of it", "norm_num_groups"))
        for width in attending:
            if width % self.attention_head_dim:
                problem = f"{self.attention_head_dim} does not divide the width {width}"
                raise InputError(Problem(problem, "choose a divisor", "attention_head_dim"))
        return self


class NoiseSchedule(Model):
    """The discrete variance-preserving schedule that the network learns."""

    num_train_timesteps: int = Field(1000, ge=2, description="Number of discrete times T.")
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = Field(
        "linear", description="Shape of beta over time, as in diffusers."
    )
    beta_start: float = Field(1e-4, gt=0, lt=1, description="First beta.")
    beta_end: float = Field(0.02, gt=0, lt=1, description="Last beta.")


class EdmNoise(Model):
    """The noise levels and the preconditioning of an EDM network (Karras et al. 2022)."""

    sigma_data: float = Field(0.5, gt=0, description="Standard deviation of the data that the preconditioning assumes.")
    sigma_min: float = Field(0.002, gt=0, description="The lowest noise level.")
    sigma_max: float = Field(80.0, gt=0, description="The highest noise level, where samplers start.")

    @model_validator(mode="after")
    def _ascends(self) -> EdmNoise:
        if self.sigma_min >= self.sigma_max:
            if "sigma_min" in self.model_fields_set:
                raise InputError(Problem(f"{self.sigma_min} is not below sigma_max", "lower it", "sigma_min"))
            raise InputError(Problem(f"{self.sigma_max} is not above {self.sigma_min}", "raise it", "sigma_max"))
        return self


class TrainingRecipe(Model):
    """How the network is trained."""

    steps: int = Field(ge=1, description="Optimizer steps.")
    batch_size: int = Field(128, ge=1, description="Images per step.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate of AdamW.")
    warmup: int = Field(100, ge=0, description="Steps of linear warm-up; a cosine to zero follows.")
    weight_decay: float = Field(0.0, ge=0, description="Weight decay of AdamW.")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="Decay of the averaged weights, which become the network.")
    flip: bool = Field(False, description="Mirror images at random.")
    seed: int = Field(0, ge=0, lt=2**31, description="Random seed of the weights, batches, times and noise.")
    prediction_type: Literal["epsilon", "v_prediction", "sample", "edm", "flow"] = Field(
        "epsilon",
        description="What the network predicts: noise, velocity or image on the variance-preserving path; `edm` for a "
        "preconditioned network of Karras et al. (2022), `flow` for the velocity of flow matching.",
    )
    residual: ResidualForm = Field(
        "none",
        description="Train the network only on what the Gaussian of the study's eigenbasis does not explain (`v_prediction`): "
        "`blend` weighs the Gaussian's endpoint estimate by the power of the noise and the network's by that of the signal; "
        "`velocity` adds the network to the Gaussian's velocity, which learns late (docs/weights.md).",
    )
    noise_levels: NoiseLevels = Field(
        "uniform",
        description="How noise levels are drawn: `uniform` in time, or `lognormal`, which spends the training where images "
        "take shape: ln(sigma / alpha) is normal. `edm` always has the latter.",
    )
    log_sigma_mean: float = Field(-1.2, description="Mean of ln(sigma / alpha), for `lognormal` noise levels.")
    log_sigma_std: float = Field(
        1.2, gt=0, description="Standard deviation of ln(sigma / alpha), for `lognormal` noise levels."
    )
    snapshots: tuple[int, ...] = Field(
        (), description="Steps after which the averaged weights are kept, to look at networks early in their training."
    )

    @model_validator(mode="after")
    def _noise_is_of_its_kind(self) -> TrainingRecipe:
        if self.residual != "none" and self.prediction_type != "v_prediction":
            problem = f"{self.residual} does not go with {self.prediction_type}"
            raise InputError(Problem(problem, "set prediction_type: v_prediction, or remove it", "residual"))
        return self

    @model_validator(mode="after")
    def _levels_have_their_keys(self) -> TrainingRecipe:
        if self.prediction_type == "edm":
            self.default_to(noise_levels="lognormal")
            if self.noise_levels == "uniform":
                raise InputError(Problem("uniform does not go with edm", "remove it", "noise_levels"))
        for key in ("log_sigma_mean", "log_sigma_std"):
            if self.noise_levels == "uniform" and getattr(self, key) != type(self).model_fields[key].default:
                remedy = "remove it, or set noise_levels: lognormal"
                raise InputError(Problem("noise_levels: uniform does not use it", remedy, key))
        return self

    @model_validator(mode="after")
    def _snapshots_within(self) -> TrainingRecipe:
        if outside := [step for step in self.snapshots if not 1 <= step <= self.steps]:
            problem = f"{quote(outside)} are not among the steps 1 to {self.steps}"
            raise InputError(Problem(problem, "correct or remove them", "snapshots"))
        if list(self.snapshots) != sorted(set(self.snapshots)):
            raise InputError(Problem(f"{quote(list(self.snapshots))} is not ascending", "sort it", "snapshots"))
        return self


class OwnDenoiser(Model):
    """A network that this workflow can train: its architecture, its noise and its training."""

    architecture: Architecture = Field(default_factory=Architecture, description="The network.")
    schedule: NoiseSchedule = Field(
        default_factory=NoiseSchedule, description="The noise schedule of a network on the variance-preserving path."
    )
    edm: EdmNoise = Field(
        default_factory=EdmNoise, description="Noise levels and preconditioning, for `prediction_type: edm`."
    )
    training: TrainingRecipe = Field(description="Settings of the training.")
    threads: int = Field(
        1,
        ge=1,
        description="CPU threads of the training; more are faster for larger networks, and round differently. A change does "
        "not train a network again.",
    )

    @property
    def times(self) -> int:
        """The number of discrete times that a sampler can choose from: that of the schedule, else diffusers' 1000."""
        return self.schedule.num_train_timesteps if self._noise == "schedule" else 1000

    @property
    def _noise(self) -> str:
        """The section that describes the noise; none for flow matching."""
        return {"edm": "edm", "flow": ""}.get(self.training.prediction_type, "schedule")

    def used(self) -> dict[str, Any]:
        """Return the keys that the network depends on, without the number of threads, which does not change it."""
        unused = {"schedule", "edm"} - {self._noise}
        levels = set() if self.training.noise_levels == "lognormal" else {"log_sigma_mean", "log_sigma_std"}
        return self.model_dump(
            exclude={**dict.fromkeys(unused, True), "training": levels, "folder": True, "threads": True}
        )

    @model_validator(mode="after")
    def _noise_is_of_its_kind(self) -> OwnDenoiser:
        for section, usual in {"schedule": NoiseSchedule(), "edm": EdmNoise()}.items():
            if section != self._noise and getattr(self, section) != usual:
                kind = self.training.prediction_type
                raise InputError(Problem(f"prediction_type: {kind} does not use it", "remove it", section))
        return self


class TrainedDenoiser(OwnDenoiser):
    """A network trained by the workflow on the study's data set."""

    source: Literal["train"]
    folder: Place | None = Field(
        None, description="Not used here; the folder in which `source: reference` finds the network."
    )

    def settings(self) -> dict[str, Any]:
        """Return the keys that the training depends on besides the data."""
        return self.used()


class ReferenceDenoiser(OwnDenoiser):
    """A network that ships with the repository, in safetensors; `source: train` rebuilds it from the same keys."""

    source: Literal["reference"]
    folder: Place = Field(description="The folder, relative to where snakemake runs; may begin with `{data}`.")

    @property
    def place(self) -> str:
        """The path of the network on this machine."""
        return self.folder

    def settings(self) -> dict[str, Any]:
        """Return the keys that the copy of the network depends on besides the files."""
        return {"source": self.source}


class HubDenoiser(Model):
    """A diffusers network of the Hugging Face Hub, at a pinned revision; safetensors only."""

    source: Literal["hub"]
    repository: Repository = Field(description="owner/name on the Hub.")
    revision: Revision = Field(description="The commit to use: 40 hexadecimal digits.")

    @property
    def place(self) -> str:
        """Empty: the network has no path on this machine."""
        return ""

    def settings(self) -> dict[str, Any]:
        """Return the keys that the copy of the network depends on."""
        return self.model_dump()


class PathDenoiser(Model):
    """A diffusers pipeline folder on this machine; safetensors only."""

    source: Literal["path"]
    path: Place = Field(description="The folder, relative to where snakemake runs; may begin with `{data}`.")
    obtain: str = Field("", description="How to obtain the network; shown if it is missing.")

    @property
    def place(self) -> str:
        """The path of the network on this machine."""
        return self.path

    def settings(self) -> dict[str, Any]:
        """Return the keys that the copy of the network depends on besides the files."""
        return self.model_dump(exclude={"path", "obtain"})


class PickledDenoiser(Model):
    """A published network of EDM: a pickle of NVlabs' official code, opened once if the study trusts it, and converted."""

    source: Literal["edm"]
    path: Place = Field(description="The file (`.pkl`), relative to where snakemake runs; may begin with `{data}`.")
    sha256: str = Field(
        "",
        description="Digest of the file, 64 hexadecimal digits as from `sha256sum FILE`; without it the file is not opened.",
    )
    trust_pickle: bool = Field(
        False,
        strict=True,
        description="A pickle can run any code when it is opened: `true` if you trust who made the file.",
    )
    code: Place = Field(
        description="The folder of the official code, with `dnnlib`, `torch_utils` and `training`; may begin with `{data}`."
    )
    obtain: str = Field("", description="How to obtain file and code; shown if they are missing.")

    @property
    def place(self) -> str:
        """The path of the network on this machine."""
        return self.path

    def settings(self) -> dict[str, Any]:
        """Return the keys that the converted network depends on besides the files."""
        return self.model_dump(exclude={"path", "code", "obtain"})

    @field_validator("sha256")
    @classmethod
    def _is_a_digest(cls, value: str) -> str:
        if value and not re.fullmatch(r"[0-9a-f]{64}", value):
            remedy = "give the 64 hexadecimal digits that sha256sum prints for the file"
            raise InputError(Problem(f"{quote(value)} is no sha256", remedy))
        return value


Denoiser = Annotated[
    TrainedDenoiser | ReferenceDenoiser | HubDenoiser | PathDenoiser | PickledDenoiser, Field(discriminator="source")
]
