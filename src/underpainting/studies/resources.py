"""What a job asks a scheduler for: memory and time, as functions of the study.

Memory is what a stage holds at once (its arrays, and the feature maps of a network) beside Python and its packages; time
is network calls times what they cost. Both are meant to suffice, not to be exact: a retry asks for more, and nothing
here reaches a result. The factors were taken from the studies that ship; `underpainting efficiency` compares what jobs
asked for with what they used.

Imported by the Snakefile, so it imports nothing heavy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from underpainting.studies.data import (
    FolderDataset,
    HuggingfaceDataset,
    NpzDataset,
    SklearnDataset,
    TorchvisionDataset,
)
from underpainting.studies.denoiser import OwnDenoiser
from underpainting.studies.models import Study
from underpainting.studies.sampling import InceptionExtractor, SamplerChoice

MIB = 2**20
LEAST_MINUTES = 10
GPU_WORTH = 100  # processor cores; a modern one is worth more

_LIGHT, _HEAVY = 800.0, 1300.0  # MiB of a process without and with torch and diffusers, and of the Snakemakes around it
_MAPS, _MAPS_TRAINING = 50, 200  # feature maps of the first level that a UNet holds, without and with gradients
_USUAL_WIDTH, _USUAL_WEIGHTS = 128, 435.0  # of the UNets of Ho et al. (2020) at 256 x 256; MiB
_INCEPTION = 6000.0  # MiB for a batch of 256 images of 299 x 299 pixels
_SECONDS_PER_VALUE = 1e-6  # of a network call on one core, per value of a feature map of the first level
_MARGIN = 3.0  # of time
_CLASSES = 10  # where the study file does not tell
_PAIRS = 10_000  # features between which all distances are held at once (`fidelity`)
_IMAGES = {"MNIST": 60_000, "FashionMNIST": 60_000, "KMNIST": 60_000, "CIFAR10": 50_000, "CIFAR100": 50_000}
_MANY = 75_000


def expected_images(study: Study) -> int:
    """How many images a study reads, or an upper bound where the study file does not tell."""
    source = study.dataset
    known = _MANY
    if isinstance(source, SklearnDataset):
        known = 1797
    elif isinstance(source, TorchvisionDataset):
        known = _IMAGES.get(source.name, _MANY)
    elif isinstance(source, NpzDataset) and Path(source.path).is_file():
        known = math.ceil(1.5 * Path(source.path).stat().st_size / _pixels(study))  # it may be compressed
    return min(known, source.limit or known)


def _pixels(study: Study) -> int:
    return study.dataset.channels * study.dataset.image_size**2


def _first_width(study: Study) -> int:
    own = isinstance(study.denoiser, OwnDenoiser)
    return study.denoiser.architecture.block_out_channels[0] if own else _USUAL_WIDTH  # type: ignore[union-attr]


@dataclass(frozen=True)
class Sizes:
    """What the jobs of a study hold, in MiB.

    Attributes:
        images: the data set, in float64.
        stored: the data set, as bytes.
        square: a matrix of pixels by pixels, in float64; of the eigenbasis method `dense` alone.
        basis: the eigenbasis, in float64.
        modes: the covariances of a mixture.
        shard: the trajectories of a shard, or of a batch where that is less: states and endpoint estimates.
        sweep: the states of a batch of the sweep.
        call: the largest network call while sampling.
        training: a training step.
        weights: the network.
        pairs: the distances between all features.
    """

    images: float
    stored: float
    square: float
    basis: float
    modes: float
    shard: float
    sweep: float
    call: float
    training: float
    weights: float
    pairs: float

    @classmethod
    def of(cls, study: Study) -> Sizes:
        """The sizes of a study."""
        pixels, count = _pixels(study), expected_images(study)
        dense = study.eigenbasis.method == "dense"
        rank = min(study.eigenbasis.rank or pixels, pixels, pixels if dense else count)
        modes = _CLASSES if study.mixture.fit == "classes" else study.mixture.modes
        walks, sweep = study.trajectories, study.teleport
        at_once = min(walks.batch_size, walks.shard_size, walks.seeds)
        swept = min(sweep.batch_size, sweep.shard_size, sweep.seeds)
        values = study.dataset.image_size**2 * _first_width(study)
        own = study.denoiser if isinstance(study.denoiser, OwnDenoiser) else None
        return cls(
            images=8 * count * pixels / MIB,
            stored=count * pixels / MIB,
            square=8 * pixels**2 / MIB if dense else 0.0,
            basis=8 * rank * pixels / MIB,
            modes=8 * modes * min(study.mixture.rank or pixels, pixels) * pixels / MIB,
            shard=8 * at_once * (1 + max(choice.steps for choice in walks.samplers)) * pixels / MIB,
            sweep=4 * swept * pixels / MIB,
            call=4 * _MAPS * max(at_once, swept) * values / MIB,
            training=4 * _MAPS_TRAINING * (own.training.batch_size if own else 0) * values / MIB,
            weights=100.0 if own else _USUAL_WEIGHTS,
            pairs=8 * min(_PAIRS, max(count, sweep.seeds)) ** 2 / MIB,
        )


def _dataset(study: Study, of: Sizes) -> float:
    streamed = isinstance(study.dataset, FolderDataset | HuggingfaceDataset)
    return _LIGHT + (min(1024.0, 6 * of.stored) if streamed else 6 * of.stored)


def _eigenbasis(study: Study, of: Sizes) -> float:
    method = study.eigenbasis.method
    held = {"dense": 6 * of.square, "gram": 8 * of.images, "randomized": 4 * of.stored + 14 * of.basis}
    return _HEAVY + held[method]


def _mixture(study: Study, of: Sizes) -> float:
    if study.mixture.fit == "classes":
        return _HEAVY + 2 * _CLASSES * of.square + 2 * of.modes
    return _HEAVY + 3 * of.images + 2 * of.modes


def _features(study: Study, of: Sizes) -> float:
    extra = _INCEPTION if isinstance(study.teleport.extractor, InceptionExtractor) else 0.0
    return _HEAVY + extra + 4 * of.sweep


# MiB, by rule; those not named here are light
_MEMORY: dict[str, Callable[[Study, Sizes], float]] = {
    "prepare_dataset": _dataset,
    "train_denoiser": lambda study, of: _HEAVY + of.training + 6 * of.weights + 2 * of.stored,
    "fetch_denoiser": lambda study, of: _HEAVY + 3 * of.weights,
    "estimate_moments": lambda study, of: _LIGHT
    + 2.2 * (1 + _CLASSES * study.moments.per_class) * of.square
    + 24 * min(study.moments.batch_size, expected_images(study)) * _pixels(study) / MIB,
    "decompose_covariance": _eigenbasis,
    "fit_mixture": _mixture,
    "sample_trajectories": lambda study, of: _HEAVY + of.call + of.weights + 3 * of.shard,
    "sample_teleport": lambda study, of: _HEAVY + of.call + of.weights + 2 * of.basis + 20 * of.sweep,
    "compare_with_theory": lambda study, of: _HEAVY + 512 + 2 * of.basis + 3 * of.modes + of.stored + 4 * of.shard,
    "measure_geometry": lambda study, of: _HEAVY + 7 * of.shard,
    "measure_emergence": lambda study, of: _HEAVY + 2 * of.basis + 7 * of.shard,
    "perturb_trajectories": lambda study, of: _HEAVY + of.call + of.weights + 2 * of.basis + 4 * of.shard,
    "explain_score": lambda study, of: _HEAVY + 512 + of.call + of.weights + 2 * of.basis + 3 * of.modes + 2 * of.stored,
    "measure_retrieval": lambda study, of: _HEAVY + 512 + 2 * of.stored + of.shard,
    "measure_young": lambda study, of: _features(study, of) + of.call + of.weights + 2 * of.basis + 20 * of.sweep,
    "train_classifier": lambda study, of: _HEAVY + 512 + 5 * of.stored,
    "extract_features": _features,
    "extract_reference_features": lambda study, of: _features(study, of) + 5 * of.stored,
    "measure_fidelity": lambda study, of: _HEAVY + 3 * of.pairs,
    "figure_endpoint": lambda study, of: _HEAVY + 2 * of.basis + 5 * of.shard,
    "figure_components": lambda study, of: _HEAVY + 2 * of.basis + 5 * of.shard,
    "figure_generation": lambda study, of: _HEAVY + 2 * of.shard,
    "figure_theory": lambda study, of: _HEAVY + 2 * of.basis,
    "figure_endpoints": lambda study, of: _HEAVY + 3 * of.shard,
    "figure_validation": lambda study, of: _HEAVY + 3 * of.shard,
    "figure_samples": lambda study, of: _HEAVY + 3 * of.shard,
    "figure_table": lambda study, of: _HEAVY + 3 * of.shard,
    "figure_eigenbasis": lambda study, of: _HEAVY + 2 * of.basis,
}


def memory(rule: str, study: Study) -> int:
    """Memory of a job, in MiB."""
    needed = _MEMORY.get(rule)
    return math.ceil(needed(study, Sizes.of(study))) if needed else int(_HEAVY)


def calls(choice: SamplerChoice) -> int:
    """Network calls for one image: two a step for a second-order sampler, but for the last."""
    return 2 * choice.steps - 1 if choice.name == "heun" else choice.steps


def _evaluations(rule: str, study: Study) -> float:
    """Network calls of a job, times their images; a training step costs a pass forward and one back."""
    walks, sweep = study.trajectories, study.teleport
    longest = max(calls(choice) for choice in walks.samplers)
    if rule == "train_denoiser" and isinstance(study.denoiser, OwnDenoiser):
        return 1.5 * study.denoiser.training.steps * study.denoiser.training.batch_size
    if rule == "sample_trajectories":
        return float(longest * min(walks.shard_size, walks.seeds))
    if rule == "sample_teleport":
        return float(max(map(calls, sweep.samplers)) * min(sweep.shard_size, sweep.seeds))
    if rule == "perturb_trajectories":
        push = study.perturbation
        directions = len(push.components) + push.random + push.off_manifold
        return float(longest * push.seeds * (1 + len(push.progress) * directions))
    if rule == "explain_score":
        return float(len(study.score.ratios) * study.score.images)
    if rule == "measure_young" and isinstance(study.denoiser, OwnDenoiser):
        networks = 1 + len(study.denoiser.training.snapshots)
        return 2.0 * networks * max(map(calls, sweep.samplers)) * study.young.seeds
    return 0.0


def _theory_seconds(rule: str, study: Study) -> float:
    """Time of what goes through all images, or through matrices of pixels, on one core."""
    pixels, count = _pixels(study), expected_images(study)
    walked = min(study.trajectories.shard_size, study.trajectories.seeds)
    through = 1e-9 * pixels * count  # one look at each pixel of the data set
    if rule == "compare_with_theory":
        return 4 * through * max(choice.steps for choice in study.trajectories.samplers) * max(1.0, walked / 16)
    if rule == "decompose_covariance":
        return 1e-10 * pixels * min(pixels, count) ** 2 + 60
    if rule == "train_classifier" and study.teleport.extractor.name == "classifier":
        return 3e3 * through * study.teleport.extractor.epochs
    factors = {"estimate_moments": pixels / 10, "fit_mixture": pixels / 4, "measure_retrieval": 100.0, "explain_score": 4e3}
    return factors.get(rule, 10.0) * through


def runtime(rule: str, study: Study) -> int:
    """Time of a job, in minutes."""
    values = study.dataset.image_size**2 * _first_width(study)
    speed = GPU_WORTH if study.device == "cuda" else 1
    seconds = _evaluations(rule, study) * values * _SECONDS_PER_VALUE / speed + _theory_seconds(rule, study)
    return max(LEAST_MINUTES, math.ceil(_MARGIN * seconds / 60))
