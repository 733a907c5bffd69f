"""The study configuration as typed models; the JSON schema for editors is generated from them.

A `ValueError` raised here reads "problem | remedy", or "key | problem | remedy" where the key is not the model's own;
`errors.py` adds the file.
This module is imported by the Snakefile, so it imports nothing heavy.
"""

from __future__ import annotations

import re
import typing
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from underpainting.studies.base import Model
from underpainting.studies.theory import (
    ComparisonConfig,
    EmergenceConfig,
    MixtureConfig,
    PerturbationConfig,
    ScoreConfig,
    TheoryName,
    YoungConfig,
)

SamplerName = Literal["ddim", "euler", "heun", "dpmsolverpp"]
Spacing = Literal["linspace", "leading", "trailing"]

PaperModel = Literal["ddpm-mnist", "ddpm-cifar10-32", "ddpm-church-256", "ddpm-celebahq-256"]

SAMPLER_LABELS: dict[str, str] = {"ddim": "DDIM", "euler": "Euler", "heun": "Heun", "dpmsolverpp": "DPM-Solver++"}


# --- data ------------------------------------------------------------------------------------------------------------


class DatasetBase(Model):
    """What every data source shares.

    Attributes:
        PLACE: the key that says where the data lie on this machine, if there is one.
    """

    PLACE: ClassVar[str | None] = None

    image_size: int = Field(ge=1, le=4096, description="Height and width of the images, in pixels.")
    channels: Literal[1, 3] = Field(description="1 for grey, 3 for RGB; images are converted.")
    resize: Literal["none", "crop", "pad"] = Field(
        "none",
        description="What to do with images of another size: refuse them (none), crop the centre square and resample it "
        "(crop), or pad smaller ones with the darkest value (pad).",
    )
    limit: int | None = Field(None, ge=1, description="Use only the first so many images.")
    obtain: str = Field("", description="How to get the data: told where they are missing.")

    @property
    def place(self) -> str:
        """Where the data lie on this machine; empty if they need no place."""
        return str(getattr(self, self.PLACE)) if self.PLACE else ""

    def settings(self) -> dict[str, Any]:
        """Which images, without where they lie: what the artifact depends on."""
        return self.model_dump(mode="json", exclude={"obtain"} | ({self.PLACE} if self.PLACE else set()))


class SklearnDataset(DatasetBase):
    """scikit-learn's handwritten digits; they come inside the package."""

    source: Literal["sklearn"]
    name: Literal["digits"] = Field("digits", description="The data set's name in scikit-learn.")


class TorchvisionDataset(DatasetBase):
    """A data set of torchvision."""

    PLACE: ClassVar[str | None] = "root"

    source: Literal["torchvision"]
    name: Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100", "SVHN"] = Field(
        description="The class in torchvision.datasets."
    )
    root: str = Field(description="Folder where torchvision looks for the files; may begin with `{data}`.")
    split: Literal["train", "test"] = Field("train", description="Which part to use.")
    download: bool = Field(False, description="Let torchvision download what is missing there.")


class HuggingfaceDataset(DatasetBase):
    """A data set of the Hugging Face Hub, at a pinned revision; needs the extra `hub`."""

    source: Literal["huggingface"]
    repository: str = Field(description="owner/name on the Hub, or a local folder in the Hub's format.")
    revision: str = Field(description="The commit to use: 40 hexadecimal digits.")
    split: str = Field("train", description="Which split to use.")
    image_column: str = Field("image", description="Column with the images.")
    label_column: str | None = Field(None, description="Column with integer labels, if there are any.")

    @field_validator("revision")
    @classmethod
    def _pinned(cls, value: str) -> str:
        return pinned_revision(value)


class FolderDataset(DatasetBase):
    """A folder of image files; the names of its sub-folders, if it has any, are the classes."""

    PLACE: ClassVar[str | None] = "path"

    source: Literal["folder"]
    path: str = Field(description="The folder, relative to where snakemake runs; may begin with `{data}`.")


class NpzDataset(DatasetBase):
    """An npz file with an array of images (sample, height, width[, channel])."""

    PLACE: ClassVar[str | None] = "path"

    source: Literal["npz"]
    path: str = Field(description="The file, relative to where snakemake runs; may begin with `{data}`.")
    images_key: str = Field("images", description="Name of the array of images.")
    labels_key: str | None = Field(None, description="Name of the array of integer labels, if there is one.")
    value_range: tuple[float, float] | None = Field(
        None, description="Darkest and brightest value; [0, 255] for bytes, to be given for floats."
    )

    @field_validator("value_range")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError(f"{list(value)} is no range | give [darkest, brightest] with darkest < brightest")
        return value


Dataset = Annotated[
    SklearnDataset | TorchvisionDataset | HuggingfaceDataset | FolderDataset | NpzDataset, Field(discriminator="source")
]


def place_key(source: str) -> str:
    """The key that says where the data of a source lie; empty if they need no place."""
    members: tuple[type[DatasetBase], ...] = typing.get_args(typing.get_args(Dataset)[0])
    return next((member.PLACE or "" for member in members if _tag(member) == source), "")


# --- denoiser --------------------------------------------------------------------------------------------------------


def pinned_revision(value: str) -> str:
    """A Hub revision that cannot move: a full commit."""
    if not re.fullmatch(r"[0-9a-f]{40}", value):
        raise ValueError(
            f"{value!r} is no full commit | a branch or tag can move: give the commit's 40 hexadecimal digits"
        )
    return value


class Architecture(Model):
    """A UNet2DModel of diffusers."""

    block_out_channels: tuple[int, ...] = Field(
        (32, 64), min_length=1, description="Width of each resolution level, the finest first."
    )
    layers_per_block: int = Field(1, ge=1, description="Residual blocks per level.")
    attention_levels: int = Field(0, ge=0, description="How many of the coarsest levels have self-attention.")
    attention_head_dim: int = Field(16, ge=1, description="Channels per attention head.")
    norm_num_groups: int = Field(8, ge=1, description="Groups of group normalisation; divides every width.")

    @model_validator(mode="after")
    def _divides(self) -> Architecture:
        if self.attention_levels > len(self.block_out_channels):
            raise ValueError(
                f"denoiser.architecture.attention_levels | {self.attention_levels} exceeds the "
                f"{len(self.block_out_channels)} levels | lower it"
            )
        for width in self.block_out_channels:
            if width < 1 or width % self.norm_num_groups:
                raise ValueError(
                    f"denoiser.architecture.norm_num_groups | {self.norm_num_groups} does not divide the width {width} | "
                    "choose widths that are multiples of it"
                )
        # the middle block of a UNet2DModel always attends, at the coarsest width
        for width in self.block_out_channels[-max(self.attention_levels, 1) :]:
            if width % self.attention_head_dim:
                raise ValueError(
                    f"denoiser.architecture.attention_head_dim | {self.attention_head_dim} does not divide the width {width} | "
                    "choose a divisor"
                )
        return self


class NoiseSchedule(Model):
    """The discrete variance-preserving schedule that the network learns."""

    num_train_timesteps: int = Field(1000, ge=2, description="Number of discrete times T.")
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = Field(
        "linear", description="Shape of beta over time, as in diffusers."
    )
    beta_start: float = Field(1e-4, gt=0, lt=1, description="First beta.")
    beta_end: float = Field(0.02, gt=0, lt=1, description="Last beta.")


class TrainingRecipe(Model):
    """How the network is trained; see `underpainting.training.Recipe`."""

    steps: int = Field(ge=1, description="Optimizer steps.")
    batch_size: int = Field(128, ge=1, description="Images per step.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate of AdamW.")
    warmup: int = Field(100, ge=0, description="Steps of linear warm-up; a cosine to zero follows.")
    weight_decay: float = Field(0.0, ge=0, description="Weight decay of AdamW.")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="Decay of the averaged weights, which become the network.")
    flip: bool = Field(False, description="Mirror images at random.")
    seed: int = Field(0, ge=0, lt=2**31, description="Of the weights, batches, times and noise.")
    prediction_type: Literal["epsilon", "v_prediction", "sample"] = Field(
        "epsilon", description="What the network predicts: noise, velocity or image."
    )
    snapshots: tuple[int, ...] = Field(
        (), description="Steps after which the averaged weights are kept, to look at young networks."
    )

    @model_validator(mode="after")
    def _snapshots_within(self) -> TrainingRecipe:
        if outside := [step for step in self.snapshots if not 1 <= step <= self.steps]:
            raise ValueError(
                f"denoiser.training.snapshots | {outside} are not among the steps 1 to {self.steps} | correct or remove them"
            )
        if list(self.snapshots) != sorted(set(self.snapshots)):
            raise ValueError(f"denoiser.training.snapshots | {list(self.snapshots)} is not ascending | sort it")
        return self


class OwnDenoiser(Model):
    """A network of the house's own making: what it is, and how it is trained."""

    architecture: Architecture = Field(default_factory=Architecture, description="The network.")
    schedule: NoiseSchedule = Field(default_factory=NoiseSchedule, description="The noise schedule.")
    training: TrainingRecipe = Field(description="The recipe.")
    threads: int = Field(
        1, ge=1, description="Processor threads of the training; more pay for larger networks, and round differently."
    )


class TrainedDenoiser(OwnDenoiser):
    """A network trained by the workflow on the study's data set."""

    source: Literal["train"]
    folder: str | None = Field(None, description="Not used; where `source: reference` finds the network.")

    def settings(self) -> dict[str, Any]:
        """What the training depends on beside the data."""
        return self.model_dump(exclude={"folder"})


class ReferenceDenoiser(OwnDenoiser):
    """A network that ships with the repository, in safetensors; `source: train` rebuilds it from the same keys."""

    source: Literal["reference"]
    folder: str = Field(description="The folder, relative to where snakemake runs; may begin with `{data}`.")

    @property
    def place(self) -> str:
        """Where the network lies on this machine."""
        return self.folder

    def settings(self) -> dict[str, Any]:
        """What the copy of the network depends on beside the files."""
        return {"source": self.source}


class HubDenoiser(Model):
    """A diffusers network of the Hugging Face Hub, at a pinned revision; safetensors only."""

    source: Literal["hub"]
    repository: str = Field(description="owner/name on the Hub.")
    revision: str = Field(description="The commit to use: 40 hexadecimal digits.")

    @property
    def place(self) -> str:
        """Nowhere on this machine."""
        return ""

    def settings(self) -> dict[str, Any]:
        """What the copy of the network depends on."""
        return self.model_dump()

    @field_validator("revision")
    @classmethod
    def _pinned(cls, value: str) -> str:
        return pinned_revision(value)


class PathDenoiser(Model):
    """A diffusers pipeline folder on this machine; safetensors only."""

    source: Literal["path"]
    path: str = Field(description="The folder, relative to where snakemake runs; may begin with `{data}`.")
    obtain: str = Field("", description="How to get the network: told where it is missing.")

    @property
    def place(self) -> str:
        """Where the network lies on this machine."""
        return self.path

    def settings(self) -> dict[str, Any]:
        """What the copy of the network depends on beside the files."""
        return self.model_dump(exclude={"path", "obtain"})


Denoiser = Annotated[TrainedDenoiser | ReferenceDenoiser | HubDenoiser | PathDenoiser, Field(discriminator="source")]


# --- theory ----------------------------------------------------------------------------------------------------------


class MomentsConfig(Model):
    """Mean and covariance of the data."""

    per_class: bool = Field(False, description="Keep the moments of each class, too; needs labels.")
    batch_size: int = Field(1024, ge=1, description="Images read at once; does not change the result beyond rounding.")


class EigenbasisConfig(Model):
    """Eigendecomposition of the covariance."""

    method: Literal["dense", "gram", "randomized"] = Field(
        "dense",
        description="dense: D x D covariance; gram: few images of many pixels; randomized: leading components only.",
    )
    rank: int | None = Field(None, ge=1, description="Keep at most so many components; all if not given.")
    explained_variance: float | None = Field(
        None, gt=0, le=1, description="Keep the components that reach this fraction of the variance."
    )
    seed: int = Field(0, ge=0, description="Of the randomized method.")

    def used(self) -> dict[str, object]:
        """What the chosen method uses; the rest cannot change its result."""
        return self.model_dump(exclude=set() if self.method == "randomized" else {"seed"})

    @model_validator(mode="after")
    def _rank_given(self) -> EigenbasisConfig:
        if self.method == "randomized" and self.rank is None:
            raise ValueError("the randomized method needs a rank | add eigenbasis.rank")
        return self


# --- sampling --------------------------------------------------------------------------------------------------------


class SamplerChoice(Model):
    """A sampler with its number of steps."""

    name: SamplerName = Field(description="The sampler.")
    steps: int = Field(ge=1, le=1000, description="Number of steps.")
    timestep_spacing: Spacing | None = Field(
        None, description="How diffusers spreads the steps; its own default if not given."
    )

    @property
    def id(self) -> str:
        """Name in paths and tables, e.g. `ddim-50`."""
        return f"{self.name}-{self.steps}" + (f"-{self.timestep_spacing}" if self.timestep_spacing else "")

    def misfit(self, times: int) -> str | None:
        """What diffusers cannot do rightly with these steps over so many times, as "problem | remedy"."""
        spacing, stride = self.timestep_spacing, times // self.steps
        if self.name == "dpmsolverpp" and self.steps == times and spacing != "trailing":
            return "its grid would visit a time twice | lower its steps"
        if self.name != "ddim" or spacing in (None, "leading"):
            return None
        if times % self.steps == 0 if spacing == "trailing" else self.steps in (1, times):
            return None
        remedy = f"use the spacing leading, or trailing with steps that divide {times}"
        return f"diffusers' DDIM moves by {stride} times at each step, the spacing {spacing} does not | {remedy}"

    @property
    def label(self) -> str:
        """Name in figures, e.g. `DDIM, 50 steps`."""
        spacing = f", {self.timestep_spacing}" if self.timestep_spacing else ""
        return f"{SAMPLER_LABELS[self.name]}, {self.steps} steps{spacing}"


def _distinct(samplers: tuple[SamplerChoice, ...]) -> tuple[SamplerChoice, ...]:
    ids = [sampler.id for sampler in samplers]
    if doubles := {entry for entry in ids if ids.count(entry) > 1}:
        raise ValueError(f"{', '.join(sorted(doubles))} is listed twice | list each sampler once")
    return samplers


class Seeded(Model):
    """A range of seeds, cut into shards."""

    seeds: int = Field(ge=1, le=10**7, description="Number of images; image i has the seed first_seed + i.")
    first_seed: int = Field(0, ge=0, le=2**31, description="The first seed.")
    shard_size: int = Field(1024, ge=1, description="Images per job and file; more seeds add shards.")
    batch_size: int = Field(
        256, ge=1, description="Images per network call; does not change the result beyond rounding."
    )

    @property
    def shards(self) -> list[tuple[int, int]]:
        """(first, stop) seed of every shard."""
        stop = self.first_seed + self.seeds
        return [(first, min(first + self.shard_size, stop)) for first in range(self.first_seed, stop, self.shard_size)]


class TrajectoriesConfig(Seeded):
    """Sampler trajectories, every state and endpoint estimate kept."""

    samplers: tuple[SamplerChoice, ...] = Field(min_length=1, description="The samplers; theory is compared with each.")
    seeds: int = Field(256, ge=1, le=10**6, description="Number of trajectories per sampler.")

    @field_validator("samplers")
    @classmethod
    def _once(cls, value: tuple[SamplerChoice, ...]) -> tuple[SamplerChoice, ...]:
        return _distinct(value)


class ClassifierExtractor(Model):
    """Features of a small classifier that the workflow trains on the study's labels: FD (classifier), never FID."""

    name: Literal["classifier"]
    width: int = Field(32, ge=4, description="Channels of the first layer.")
    features: int = Field(64, ge=2, description="Length of the feature vector.")
    epochs: int = Field(20, ge=1, description="Passes through the data.")
    seed: int = Field(0, ge=0, description="Of the weights and batches.")
    labels: Literal["dataset", "mixture"] = Field(
        "dataset", description="What is learned: the data set's labels or, where it has none, the mixture's clusters."
    )


class InceptionExtractor(Model):
    """torch-fidelity's Inception v3 (its own conversion of the original weights): FID."""

    name: Literal["inception-v3-compat"]
    weights: str | None = Field(None, description="Path of the weights; torch-fidelity's cache if not given.")


Extractor = Annotated[ClassifierExtractor | InceptionExtractor, Field(discriminator="name")]


class TeleportConfig(Seeded):
    """The sweep: image quality after skipping the first steps."""

    samplers: tuple[SamplerChoice, ...] = Field(min_length=1, description="The samplers to start after the jump.")
    skips: tuple[int, ...] = Field(min_length=1, description="Numbers of steps to skip; 0 is the sampler alone.")
    seeds: int = Field(2000, ge=2, le=10**7, description="Images per sampler and skip.")
    extractor: Extractor = Field(description="Where features come from.")
    kid_subset_size: int = Field(1000, ge=2, description="Images per subset of the kernel distance (KID).")
    kid_subsets: int = Field(100, ge=1, description="Subsets over which the kernel distance is averaged.")
    neighbourhood: int = Field(3, ge=1, description="Neighbours in precision and recall.")

    @field_validator("samplers")
    @classmethod
    def _once(cls, value: tuple[SamplerChoice, ...]) -> tuple[SamplerChoice, ...]:
        return _distinct(value)

    @field_validator("skips")
    @classmethod
    def _sorted(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if negative := [skip for skip in value if skip < 0]:
            raise ValueError(f"a skip cannot be negative, but {negative} is | give numbers of steps, 0 or more")
        if len(set(value)) < len(value):
            raise ValueError(f"{list(value)} lists a skip twice | list each skip once")
        return tuple(sorted(value))

    @model_validator(mode="after")
    def _skips_leave_a_step(self) -> TeleportConfig:
        for sampler in self.samplers:
            if too_many := [skip for skip in self.skips if skip >= sampler.steps]:
                raise ValueError(
                    f"teleport.skips | skips {too_many} leave no step of {sampler.id}'s {sampler.steps} | "
                    f"keep every skip below {sampler.steps}"
                )
        if self.kid_subset_size > self.seeds:
            raise ValueError(
                f"teleport.kid_subset_size | {self.kid_subset_size} exceeds the {self.seeds} seeds | "
                "lower it or raise teleport.seeds"
            )
        return self


class FiguresConfig(Model):
    """What the figures show; nothing here changes an array."""

    seed: int | None = Field(None, ge=0, description="The trajectory shown; the first one if not given.")
    gallery: int = Field(8, ge=1, le=32, description="Samples shown side by side.")
    snapshots: int = Field(9, ge=3, le=20, description="Moments of a trajectory shown.")
    dpi: int = Field(200, ge=50, le=600, description="Resolution of the PNG files.")


class Study(Model):
    """One study: data, denoiser, theory, sampling, comparison."""

    title: str = Field(min_length=1, description="Shown in the report.")
    description: str = Field("", description="One or two sentences for the report.")
    dataset: Dataset = Field(description="The images on which the denoiser was or will be trained.")
    denoiser: Denoiser = Field(description="The denoiser.")
    moments: MomentsConfig = Field(default_factory=MomentsConfig, description="Mean and covariance.")
    eigenbasis: EigenbasisConfig = Field(default_factory=EigenbasisConfig, description="Eigendecomposition.")
    trajectories: TrajectoriesConfig = Field(description="Trajectories to compare theory with.")
    teleport: TeleportConfig = Field(description="The teleportation sweep.")
    mixture: MixtureConfig = Field(default_factory=MixtureConfig, description="Gaussian mixture.")
    comparison: ComparisonConfig = Field(default_factory=ComparisonConfig, description="Theories against the sampler.")
    emergence: EmergenceConfig = Field(default_factory=EmergenceConfig, description="Order of emergence.")
    perturbation: PerturbationConfig = Field(default_factory=PerturbationConfig, description="Perturbed trajectories.")
    score: ScoreConfig = Field(default_factory=ScoreConfig, description="The score itself.")
    young: YoungConfig = Field(default_factory=YoungConfig, description="Networks early in their training.")
    paper: PaperModel | None = Field(
        None, description="The paper's model whose printed values stand beside this study's."
    )
    figures: FiguresConfig = Field(default_factory=FiguresConfig, description="Figures.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where networks run; auto takes CUDA if there is one."
    )

    def choices(self) -> list[tuple[str, SamplerChoice]]:
        """Every sampler chosen, with the key below which it stands."""
        chosen = {"trajectories": self.trajectories.samplers, "teleport": self.teleport.samplers}
        return [(key, choice) for key, samplers in chosen.items() for choice in samplers]

    @model_validator(mode="after")
    def _fits(self) -> Study:
        if isinstance(self.denoiser, OwnDenoiser):
            levels = len(self.denoiser.architecture.block_out_channels)
            factor = 2 ** (levels - 1)
            if self.dataset.image_size % factor:
                raise ValueError(
                    f"dataset.image_size | {self.dataset.image_size} pixels do not fit a network of {levels} levels | "
                    f"choose a multiple of {factor}, or fewer levels in denoiser.architecture.block_out_channels"
                )
            times = self.denoiser.schedule.num_train_timesteps
            for key, choice in self.choices():
                if choice.steps > times:
                    raise ValueError(
                        f"{key}.samplers | {choice.id} takes more steps than the {times} times of the noise schedule | "
                        "lower its steps, or raise denoiser.schedule.num_train_timesteps"
                    )
                if misfit := choice.misfit(times):
                    raise ValueError(f"{key}.samplers | {choice.id} over {times} times: {misfit}")
        self._theory_fits()
        if self.figures.seed is not None:
            first = self.trajectories.first_seed
            if not first <= self.figures.seed < first + self.trajectories.seeds:
                raise ValueError(
                    f"figures.seed | {self.figures.seed} is not among the trajectories' seeds | choose one from {first} to "
                    f"{first + self.trajectories.seeds - 1}"
                )
        return self

    def _theory_fits(self) -> None:
        if self.mixture.fit == "classes" and not self.moments.per_class:
            raise ValueError("mixture.fit | classes needs the moments of each class | set moments.per_class: true")
        if self.mixture.covariance == "full" and self.eigenbasis.method != "dense" and self.models_compared("mixture"):
            raise ValueError(
                "mixture.covariance | full needs covariance matrices, which eigenbasis.method: "
                f"{self.eigenbasis.method} avoids | set mixture.covariance: low_rank and mixture.rank"
            )
        most = self.eigenbasis.rank or self.dataset.channels * self.dataset.image_size**2
        if self.perturbation.components[-1] > most:
            raise ValueError(
                f"perturbation.components | there is no component {self.perturbation.components[-1]} of {most} | lower it"
            )
        if self.perturbation.seeds > self.trajectories.seeds:
            raise ValueError(
                f"perturbation.seeds | {self.perturbation.seeds} exceed the {self.trajectories.seeds} trajectories | lower it"
            )

    def models_compared(self, name: TheoryName) -> bool:
        """Is a theory among those compared with the sampler?"""
        return name in self.comparison.models


# --- looking into the models -----------------------------------------------------------------------------------------


def _models_in(annotation: object) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]


def _tag(model: type[Model]) -> str | None:
    for name in ("source", "name"):
        if (field := model.model_fields.get(name)) and (values := typing.get_args(field.annotation)):
            return str(values[0]) if len(values) == 1 else None
    return None


def models_below(model: type[Model], names: list[str], tag: str | None) -> list[str]:
    """Field names allowed below a path of keys; `tag` picks the member of a union."""
    candidates: list[type[Model]] = [model]
    for name in names:
        candidates = [
            below
            for one in candidates
            if name in one.model_fields
            for below in _models_in(one.model_fields[name].annotation)
        ]
    tagged = [one for one in candidates if tag is not None and issubclass(one, Model) and _tag(one) == tag]
    return sorted({field for one in tagged or candidates for field in one.model_fields})
