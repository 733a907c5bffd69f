"""Estimate the sizes of the arrays in a study's jobs, from the study file.

The Snakefile imports this module, so it imports nothing heavy.
"""

from __future__ import annotations

from underpainting_workflow.studies.denoiser import OwnDenoiser
from underpainting_workflow.studies.files import low_nfe
from underpainting_workflow.studies.models import Study
from underpainting_workflow.studies.sampling import InceptionExtractor, Seeded

MIB = 2**20

_BLOCKS = 512.0  # MiB of computations on blocks of the data set
_STREAM = 1024.0  # MiB of images read one by one
_MAPS, _MAPS_TRAINING = 50, 200  # feature maps of the first level that a UNet holds, without and with gradients
# of the UNets of Ho et al. (2020) at 256 x 256: first width, MiB; and MiB of one that the workflow trains
_USUAL_WIDTH, _USUAL_WEIGHTS, _OWN_WEIGHTS = 128, 435.0, 100.0
_INCEPTION = 6000.0  # MiB for a batch of 256 images of 299 x 299 pixels
_CLASSES = 10  # where the study file does not determine it


def expected_images(study: Study) -> int:
    """Return the number of images of a study, or an upper bound where the study file does not determine it."""
    known = study.dataset.expected_images()
    return min(known, study.dataset.limit or known)


def image_values(study: Study) -> int:
    """Return the number of values of an image: pixels times channels."""
    return study.dataset.channels * study.dataset.image_size**2


def map_values(study: Study) -> int:
    """Return the number of values of a feature map at the network's first level."""
    own = _own(study)
    return study.dataset.image_size**2 * (own.architecture.block_out_channels[0] if own else _USUAL_WIDTH)


def sizes(study: Study) -> dict[str, float]:
    """Return the sizes of the arrays that jobs hold, in MiB: shared by many rules, per batch, and of single rules."""
    return {**_kept(study), **_in_batches(study), **_of_one_rule(study)}


def _kept(study: Study) -> dict[str, float]:
    """Return the sizes of arrays that many rules read, in MiB.

    `stored`: the data set, as bytes; `basis`: the eigenbasis, in float64; `modes`: the covariances of a mixture;
    `weights`: the network; `gaussian`: the Gaussian of a network trained on one; `samplers`: the eigenbasis, where a sampler or
    its grid needs it.
    """
    pixels, own = image_values(study), _own(study)
    basis = 8 * components(study) * pixels / MIB
    return {
        "stored": expected_images(study) * pixels / MIB,
        "basis": basis,
        "modes": 8 * _clusters(study) * min(study.mixture.rank or pixels, pixels) * pixels / MIB,
        "weights": _OWN_WEIGHTS if own else _USUAL_WEIGHTS,
        "gaussian": basis if own and own.training.residual != "none" else 0.0,
        "samplers": basis if _samplers_need_basis(study) else 0.0,
    }


def _in_batches(study: Study) -> dict[str, float]:
    """Return the sizes of arrays that grow with the batch, in MiB.

    `shard`: the trajectories of a batch, states and endpoint estimates; `sweep`: the states of a batch of the sweep;
    `low_nfe`: those of a batch at every level where a jump lands; `call`: the feature maps of a network call;
    `training`: those of a training step.
    """
    pixels, own, few = image_values(study), _own(study), study.low_nfe
    walked, swept = (_batch(stage) for stage in (study.trajectories, study.teleport))
    low_nfe_batch = _batch(few) if few else 0
    landings = max((len(jump.skipped_percent) for jump in few.jumps), default=1) if few else 0
    steps = max(choice.steps for choice in study.trajectories.samplers)
    values = map_values(study)
    return {
        "shard": 8 * walked * (1 + steps) * pixels / MIB,
        "sweep": 4 * swept * pixels / MIB,
        "low_nfe": 4 * low_nfe_batch * landings * pixels / MIB,
        "call": 4 * _MAPS * max(walked, swept, low_nfe_batch) * values / MIB,
        "training": 4 * _MAPS_TRAINING * (own.training.batch_size if own else 0) * values / MIB,
    }


def _of_one_rule(study: Study) -> dict[str, float]:
    """Return the sizes of arrays of single rules, in MiB; `pairs`: the distances between all features."""
    kept, pixels, count, sweep = _kept(study), image_values(study), expected_images(study), study.teleport
    stored, square, images = kept["stored"], 8 * pixels**2 / MIB, 8 * count * pixels / MIB
    dense = study.eigenbasis.method == "dense"
    solve = {"dense": 6 * square, "gram": 8 * images, "randomized": 4 * stored + 14 * kept["basis"]}
    return {
        "read": min(_STREAM, 6 * stored) if study.dataset.STREAMED else 6 * stored,
        "scatter": dense * 3.5 * (1 + _CLASSES * study.moments.per_class) * square
        + 24 * min(study.moments.batch_size, count) * pixels / MIB,
        "solve": solve[study.eigenbasis.method],
        "fit": dense * 2 * _clusters(study) * square if study.mixture.fit == "classes" else 3 * images,
        "extractor": _INCEPTION if isinstance(sweep.extractor, InceptionExtractor) else 0.0,
        "pairs": 8 * min(sweep.neighbours_among, max(count, sweep.seeds)) ** 2 / MIB,
        "blocks": _BLOCKS,
    }


def _own(study: Study) -> OwnDenoiser | None:
    return study.denoiser if isinstance(study.denoiser, OwnDenoiser) else None


def _samplers_need_basis(study: Study) -> bool:
    runs = study.low_nfe.runs() if study.low_nfe else []
    walked = any(choice.needs_basis for choice in study.trajectories.samplers)
    return walked or any(low_nfe.needs_basis(run.sampler_name, run.grid) for run in runs)


def _clusters(study: Study) -> int:
    return _CLASSES if study.mixture.fit == "classes" else study.mixture.modes


def _batch(stage: Seeded) -> int:
    return min(stage.batch_size, stage.shard_size, stage.seeds)


def components(study: Study) -> int:
    """Return an upper bound of the number of the eigenbasis's components."""
    most = image_values(study)
    if study.eigenbasis.method != "dense":
        most = min(most, expected_images(study))
    return min(study.eigenbasis.rank or most, most)
