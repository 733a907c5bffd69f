"""The study configuration as typed models; the JSON schema for editors is generated from them.

The Snakefile imports this module, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from underpainting.io.errors import InputError, Problem
from underpainting.theory.theories import THEORIES
from underpainting_workflow.studies.base import Model
from underpainting_workflow.studies.data import Dataset
from underpainting_workflow.studies.denoiser import Denoiser, OwnDenoiser, TrainedDenoiser
from underpainting_workflow.studies.low_nfe import LowNfeConfig
from underpainting_workflow.studies.planner import PlannerConfig
from underpainting_workflow.studies.residual import ResidualConfig
from underpainting_workflow.studies.sampling import (
    ClassifierExtractor,
    SamplerChoice,
    TeleportConfig,
    TrajectoriesConfig,
)
from underpainting_workflow.studies.theory import (
    ComparisonConfig,
    EarlyCheckpointsConfig,
    EigenbasisConfig,
    EmergenceConfig,
    MixtureConfig,
    MomentsConfig,
    PerturbationConfig,
    ScoreConfig,
)

PaperModel = Literal["ddpm-mnist", "ddpm-cifar10-32", "ddpm-church-256", "ddpm-celebahq-256"]


class FiguresConfig(Model):
    """Settings of the figures; they do not change an array."""

    seed: int | None = Field(None, ge=0, description="The trajectory shown; the first one if not given.")
    gallery: int = Field(8, ge=1, le=32, description="Samples shown side by side.")
    snapshots: int = Field(9, ge=3, le=20, description="Steps of a trajectory shown.")
    dpi: int = Field(200, ge=50, le=600, description="Resolution of the PNG files.")


class Study(Model):
    """One study: data, denoiser, theory, sampling, comparison."""

    kind: Literal["images"] = Field("images", description="The kind of study; `text_to_image` has keys of its own.")
    title: str = Field(
        min_length=1, max_length=200, pattern=r"\S", description="Title in the report, shown as it is written."
    )
    description: str = Field(
        "", max_length=2000, description="One or two sentences for the report, shown as they are written."
    )
    dataset: Dataset = Field(description="The images on which the denoiser was or will be trained.")
    denoiser: Denoiser = Field(description="The denoiser.")
    moments: MomentsConfig = Field(default_factory=MomentsConfig, description="Mean and covariance.")
    eigenbasis: EigenbasisConfig = Field(default_factory=EigenbasisConfig, description="Eigendecomposition.")
    trajectories: TrajectoriesConfig = Field(description="Trajectories to compare theory with.")
    teleport: TeleportConfig = Field(description="The teleportation sweep.")
    low_nfe: LowNfeConfig | None = Field(
        None,
        description="Image quality at few network calls, with and without each kind of jump; not measured if not given.",
    )
    residual: ResidualConfig | None = Field(
        None,
        description="Trainings with and without the Gaussian compared at equal training steps; not measured if not given.",
    )
    planner: PlannerConfig = Field(
        default_factory=PlannerConfig, description="How far to jump, estimated without a sweep."
    )
    mixture: MixtureConfig = Field(default_factory=MixtureConfig, description="Gaussian mixture.")
    comparison: ComparisonConfig = Field(default_factory=ComparisonConfig, description="Theories against the sampler.")
    emergence: EmergenceConfig = Field(default_factory=EmergenceConfig, description="Order of emergence.")
    perturbation: PerturbationConfig = Field(default_factory=PerturbationConfig, description="Perturbed trajectories.")
    score: ScoreConfig = Field(default_factory=ScoreConfig, description="The score itself.")
    early_checkpoints: EarlyCheckpointsConfig = Field(
        default_factory=EarlyCheckpointsConfig, description="Networks early in their training."
    )
    paper: PaperModel | None = Field(
        None, description="The paper's model whose printed values stand beside this study's."
    )
    figures: FiguresConfig = Field(default_factory=FiguresConfig, description="Figures.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Device of the networks; auto: CUDA if there is one. A change makes no result again, though devices round "
        "differently.",
    )
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        "float32",
        description="Number format of a network's calls while it samples; states and theory keep theirs. tf32 is a format "
        "of CUDA devices and changes nothing on a CPU; bfloat16 is slow on most CPUs, and moves an endpoint estimate by up to "
        "0.05. Training is always float32, so that another precision retrains nothing.",
    )
    compile: bool = Field(
        False,
        description="Compile networks with torch.compile while they sample: slower to start, faster per call. It needs a C++ "
        "compiler on a CPU, Triton on CUDA.",
    )

    def compute(self) -> dict[str, Any]:
        """Return the settings of running networks that can change results: all but the device."""
        return self.model_dump(include={"precision", "compile"})

    def choices(self) -> list[tuple[str, SamplerChoice]]:
        """Return every chosen sampler with the key of its section."""
        chosen = {"trajectories": self.trajectories.samplers, "teleport": self.teleport.samplers}
        return [(key, choice) for key, samplers in chosen.items() for choice in samplers]

    @property
    def _components(self) -> int:
        """Upper bound of the number of the eigenbasis's components."""
        pixels = self.dataset.channels * self.dataset.image_size**2
        return min(self.eigenbasis.rank or pixels, pixels)

    @model_validator(mode="after")
    def _fits(self) -> Study:
        self._choose_defaults()
        if isinstance(self.denoiser, OwnDenoiser):
            levels = len(self.denoiser.architecture.block_out_channels)
            factor = 2 ** (levels - 1)
            if self.dataset.image_size % factor:
                problem = f"{self.dataset.image_size} pixels do not fit a network of {levels} levels"
                remedy = f"choose a multiple of {factor}, or fewer levels in denoiser.architecture.block_out_channels"
                raise InputError(Problem(problem, remedy, "dataset.image_size"))
            times = self.denoiser.times
            for key, choice in self.choices():
                if choice.steps > times:
                    problem = f"{choice.id} takes more steps than the {times} times of the noise schedule"
                    remedy = "lower its steps, or raise denoiser.schedule.num_train_timesteps"
                    raise InputError(Problem(problem, remedy, f"{key}.samplers"))
                if misfit := choice.misfit(times):
                    raise InputError(misfit.within(key=f"{key}.samplers"))
        self._theory_fits()
        self._low_nfe_fits()
        self._residual_fits()
        self._images_suffice()
        if self.figures.seed is not None:
            first = self.trajectories.first_seed
            if not first <= self.figures.seed < first + self.trajectories.seeds:
                problem = f"{self.figures.seed} is not among the trajectories' seeds"
                remedy = f"choose one from {first} to {first + self.trajectories.seeds - 1}"
                raise InputError(Problem(problem, remedy, "figures.seed"))
        return self

    def _choose_defaults(self) -> None:
        """Set the defaults of keys that depend on other keys."""
        limit = self.dataset.limit or 10**7
        seeds = self.low_nfe.seeds if self.low_nfe else limit
        usual = self.perturbation.components
        self.teleport.default_to(kid_subset_size=min(self.teleport.kid_subset_size, max(2, min(limit, seeds))))
        if isinstance(self.teleport.extractor, ClassifierExtractor):
            self.teleport.extractor.default_to(features=min(64, max(2, limit // 2 - 1)))
        self.teleport.autoencoder.default_to(features=min(32, self.teleport.extractor.features))
        self.perturbation.default_to(
            seeds=min(32, self.trajectories.seeds),
            components=tuple(number for number in usual if number <= self._components),
        )
        self.mixture.default_to(modes=min(10, limit))
        if "covariance" not in self.mixture.model_fields_set and self.eigenbasis.method != "dense":
            kept = tuple(name for name in self.comparison.models if THEORIES[name].reads != "mixture")
            self.comparison.default_to(models=kept)
        network = self.denoiser.architecture if isinstance(self.denoiser, OwnDenoiser) else None
        if network and network.attention_levels < 2 and self.dataset.image_size % 2:
            network.default_to(block_out_channels=(64,))

    def _images_suffice(self) -> None:
        """Check that every Frechet distance is of more images than features."""
        features, codes = self.teleport.extractor.features, self.teleport.autoencoder.features
        sets = {"teleport.seeds": self.teleport.seeds, "teleport.null_seeds": self.teleport.null_seeds}
        if self.low_nfe:
            sets["low_nfe.seeds"] = self.low_nfe.seeds
        if self.residual:
            sets["residual.images"] = self.residual.images
        if isinstance(self.denoiser, TrainedDenoiser) and self.denoiser.training.snapshots:
            sets["early_checkpoints.seeds"] = self.early_checkpoints.seeds
        lower = ", or lower teleport.extractor.features" if self.teleport.extractor.name == "classifier" else ""
        for key, images in sets.items():
            if images <= features:
                problem = f"{images} images are too few for a Frechet distance of {features} features"
                raise InputError(Problem(problem, f"use more than {features} images{lower}", key))
        compared = [images for key, images in sets.items() if key.startswith(("teleport.", "low_nfe."))]
        if (fewest := min(compared)) <= codes:
            problem = f"{codes} features are too many for a Frechet distance of {fewest} images"
            remedy = f"lower it below {fewest}, or use more images"
            raise InputError(Problem(problem, remedy, "teleport.autoencoder.features"))

    def _low_nfe_fits(self) -> None:
        """Check that the study has the inputs of its jumps at low NFE."""
        if self.low_nfe is None:
            return
        most = self._components
        if too_high := [jump.id for jump in self.low_nfe.jumps if (jump.rank or 0) > most]:
            problem = f"{', '.join(too_high)} exceeds the {most} components of the eigenbasis"
            raise InputError(Problem(problem, "lower its rank", "low_nfe.jumps"))
        if "samples" in self.reads and 0 not in self.teleport.skipped_steps:
            problem = "samples needs the samples without a jump"
            raise InputError(Problem(problem, "add 0 to teleport.skipped_steps", "low_nfe.jumps"))
        size, seeds = self.teleport.kid_subset_size, self.low_nfe.seeds
        if size > seeds and "seeds" in self.low_nfe.model_fields_set:
            problem = f"{seeds} are fewer than the {size} images of a KID subset"
            raise InputError(Problem(problem, "raise it, or lower teleport.kid_subset_size", "low_nfe.seeds"))
        if size > seeds:
            problem = f"{size} exceeds the {seeds} images of the sweep over few network calls"
            raise InputError(Problem(problem, "lower it, or raise low_nfe.seeds", "teleport.kid_subset_size"))

    def _residual_fits(self) -> None:
        """Check that the study has a recipe that can be trained on a Gaussian."""
        if self.residual is None:
            return
        if not isinstance(self.denoiser, OwnDenoiser):
            problem = f"a denoiser of source {self.denoiser.source} has no recipe to train by"
            raise InputError(Problem(problem, "remove this section, or set denoiser.source: train", "residual"))
        if self.denoiser.training.prediction_type != "v_prediction":
            problem = f"no form goes with prediction_type {self.denoiser.training.prediction_type}"
            remedy = "set denoiser.training.prediction_type: v_prediction, or remove this section"
            raise InputError(Problem(problem, remedy, "residual"))

    def _theory_fits(self) -> None:
        if self.mixture.fit == "classes" and not self.moments.per_class:
            problem = "classes needs the moments of each class"
            raise InputError(Problem(problem, "set moments.per_class: true", "mixture.fit"))
        if self.mixture.covariance == "full" and self.eigenbasis.method != "dense" and "mixture" in self.reads:
            asking = "comparison.models" if "mixture" in self.comparison.reads else "low_nfe.jumps"
            key = "mixture.covariance" if "covariance" in self.mixture.model_fields_set else asking
            problem = "a mixture of covariance: full needs covariance matrices, which eigenbasis.method: "
            remedy = "set mixture.covariance: low_rank and mixture.rank"
            raise InputError(Problem(f"{problem}{self.eigenbasis.method} avoids", remedy, key))
        most = self._components
        if self.perturbation.components[-1] > most:
            problem = f"there is no component {self.perturbation.components[-1]} of {most}"
            raise InputError(Problem(problem, "lower it", "perturbation.components"))
        if self.perturbation.seeds > self.trajectories.seeds:
            problem = f"{self.perturbation.seeds} exceed the {self.trajectories.seeds} trajectories"
            raise InputError(Problem(problem, "lower it", "perturbation.seeds"))

    @property
    def reads(self) -> set[str]:
        """The kinds of artifact that the compared theories and the jumps need."""
        return self.comparison.reads | {jump.kind.reads for jump in (self.low_nfe.jumps if self.low_nfe else ())}
