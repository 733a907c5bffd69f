"""Models of a study's theory: approximations of the data, and the analyses that compare them with the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import quote
from underpainting.theory.theories import COMPARED, THEORIES
from underpainting_workflow.studies.base import Model

if TYPE_CHECKING:
    TheoryName = str
else:
    TheoryName = Literal[COMPARED]


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
    rank: int | None = Field(None, ge=1, description="Number of components to keep, at most; all if not given.")
    explained_variance: float | None = Field(
        None, gt=0, le=1, description="Keep the components that reach this fraction of the variance."
    )
    seed: int = Field(0, ge=0, description="Random seed of the randomized method.")

    def used(self) -> dict[str, object]:
        """Return the keys that the chosen method uses; the others cannot change its result."""
        return self.model_dump(exclude=set() if self.method == "randomized" else {"seed"})

    @model_validator(mode="after")
    def _rank_given(self) -> EigenbasisConfig:
        if self.method == "randomized" and self.rank is None:
            raise InputError(Problem("the randomized method needs a rank", "add eigenbasis.rank"))
        return self


class MixtureConfig(Model):
    """A Gaussian mixture of the data."""

    fit: Literal["classes", "kmeans", "em"] = Field(
        "kmeans", description="One mode per class (needs moments.per_class), or clusters by k-means or EM."
    )
    modes: int = Field(
        10,
        ge=1,
        description="Number of clusters, by default not above dataset.limit; the classes give their own number.",
    )
    covariance: Literal["full", "low_rank", "isotropic"] = Field(
        "full", description="Covariance of a mode; low_rank keeps the leading components and the mean of the rest."
    )
    rank: int | None = Field(None, ge=1, description="Components of each mode; needed by low_rank, used by it alone.")
    seed: int = Field(0, ge=0, description="Random seed of the clustering.")

    def used(self) -> dict[str, Any]:
        """Return the keys that the mixture depends on."""
        return self.model_dump(exclude={"modes", "seed"} if self.fit == "classes" else None)

    @model_validator(mode="after")
    def _rank_given(self) -> MixtureConfig:
        if (self.covariance == "low_rank") != (self.rank is not None):
            relation = "is needed by" if self.rank is None else "is used by nothing but"
            problem = f"a rank {relation} covariance: low_rank"
            raise InputError(Problem(problem, "add or remove mixture.rank", "rank"))
        return self


class ComparisonConfig(Model):
    """The flows of mixture and point cloud, integrated from the noise of the trajectories."""

    models: tuple[TheoryName, ...] = Field(
        COMPARED,
        min_length=1,
        description="Theories compared with the main sampler; by default without a mixture of full covariances where "
        "eigenbasis.method computes none.",
    )
    ode_method: Literal["rk4", "dopri5"] = Field(
        "rk4", description="rk4: fixed steps on the sampler's own grid; dopri5: adaptive, for a check."
    )
    batch_size: int = Field(
        128, ge=1, description="Trajectories per batch; does not change the result beyond rounding."
    )

    @field_validator("models")
    @classmethod
    def _gaussian_first(cls, value: tuple[TheoryName, ...]) -> tuple[TheoryName, ...]:
        if "gaussian" not in value or len(set(value)) < len(value):
            problem = f"{quote(list(value))} lacks gaussian or lists a model twice"
            raise InputError(Problem(problem, "list gaussian, and each model once"))
        return tuple(sorted(value, key=COMPARED.index))

    @property
    def reads(self) -> set[str]:
        """The kinds of artifact that the theories need."""
        return {THEORIES[name].reads for name in self.models}


class EmergenceConfig(Model):
    """The emergence of components along the network's trajectories."""

    components: int = Field(20, ge=3, description="Leading components whose order of emergence is measured.")


class PerturbationConfig(Model):
    """Perturbed trajectories of the main sampler."""

    seeds: int = Field(
        32, ge=2, description="Trajectories perturbed, the first ones; by default all where there are fewer."
    )
    progress: tuple[float, ...] = Field(
        (0.0, 0.2, 0.4, 0.6, 0.8),
        min_length=1,
        description="When the state is perturbed: fractions of the sampler's steps, 0 at the initial noise.",
    )
    components: tuple[int, ...] = Field(
        (1, 2, 4, 8, 16),
        min_length=1,
        description="Components to perturb, from 1, the one of largest variance (arrays count from 0); by default those of "
        "these that exist.",
    )
    random: int = Field(2, ge=0, description="Random directions.")
    off_manifold: int = Field(2, ge=0, description="Random directions among those of least variance.")
    strength: float = Field(
        0.5, gt=0, description="Size of a perturbation in standard deviations of the state along its direction."
    )
    seed: int = Field(0, ge=0, description="Random seed of the random directions.")

    @field_validator("progress")
    @classmethod
    def _within(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if min(value) < 0 or max(value) >= 1:
            problem = f"{quote(list(value))} leaves the sampler's steps"
            raise InputError(Problem(problem, "give fractions from 0 to below 1"))
        return tuple(sorted(set(value)))

    @field_validator("components")
    @classmethod
    def _numbered_from_one(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if min(value) < 1:
            raise InputError(Problem(f"there is no component {min(value)}", "components are numbered from 1"))
        return tuple(sorted(set(value)))

    def steps(self, count: int) -> list[int]:
        """Return the steps, of a sampler with `count` steps, at which the state is perturbed."""
        return sorted({int(fraction * count) for fraction in self.progress})


class ScoreConfig(Model):
    """The fraction of the network's score that each theory explains."""

    ratios: tuple[float, ...] = Field(
        (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.75, 1.5, 3.0, 10.0),
        min_length=1,
        description="Noise levels sigma / alpha (EDM's sigma).",
    )
    images: int = Field(256, ge=2, description="Training images noised and denoised at each level.")

    @field_validator("ratios")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if min(value) <= 0:
            raise InputError(Problem(f"{min(value)} is no noise level", "give ratios sigma / alpha above 0"))
        return tuple(sorted(set(value)))


class EarlyCheckpointsConfig(Model):
    """Networks early in their training, with and without teleport; needs denoiser.training.snapshots."""

    skipped_fraction: float = Field(
        0.4, gt=0, lt=1, description="Fraction of the main sampler's steps that the jump replaces."
    )
    seeds: int = Field(500, ge=2, description="Images per network.")
