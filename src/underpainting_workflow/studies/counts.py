"""Check that a data set has enough images for the computations of a study.

Limits for N images of D values, N_c of them in each of C classes:

    labels                    on every image, where classes or the classifier are learned from them
    moments of each class     N_c >= 1, so N >= C; N_c >= 2 where the class becomes a mode with a covariance
    clusters                  at most N
    rank of the covariance    at most min(N - 1, D)
    kernel distance           subsets of at most N images
    Frechet distance          of fewer features than N or, of features learned here, than the images held out
"""

from __future__ import annotations

from underpainting.io.errors import InputError, Problem
from underpainting.quality.held_out import MAX_HELD_OUT
from underpainting_workflow.studies.models import Study


def check_number(study: Study, images: int, classes: int) -> None:
    """Check that there are enough images for subsets, classes, clusters and components.

    Args:
        study: the study.
        images: number of images.
        classes: number of classes, 0 if there are none.

    Raises:
        InputError: there are too few images.
    """
    pixels = study.dataset.channels * study.dataset.image_size**2
    rank, modes = study.eigenbasis.rank, study.mixture.modes
    if study.moments.per_class and images < classes:
        problem = f"{images} images cannot fill {classes} classes"
        remedy = "raise dataset.limit, add images, or set it to false"
        raise InputError(Problem(problem, remedy, "moments.per_class"))
    written = "kid_subset_size" in study.teleport.model_fields_set
    if written and images < study.teleport.kid_subset_size:
        problem = f"{study.teleport.kid_subset_size} exceeds the {images} images of the data set"
        raise InputError(Problem(problem, f"set it to {images} or less", "teleport.kid_subset_size"))
    if rank is not None and rank > min(images - 1, pixels):
        problem = (
            f"{rank} is not possible: {images} images of {pixels} values have rank {min(images - 1, pixels)} at most"
        )
        raise InputError(Problem(problem, "lower it, or add images", "eigenbasis.rank"))
    if "mixture" in study.reads and study.mixture.fit != "classes" and images < modes:
        problem = f"{images} images cannot fill {modes} clusters"
        raise InputError(Problem(problem, f"set it to {images} or less", "mixture.modes"))
    _check_features(study, images)


def _check_features(study: Study, images: int) -> None:
    """Check that every feature extractor has fewer features than there are real images to compare with."""
    held, extractor = min(images // 2, MAX_HELD_OUT), study.teleport.extractor
    if extractor.name != "classifier" and images <= extractor.features:
        problem = f"{images} images of the data set are too few for a Frechet distance of {extractor.features} features"
        raise InputError(Problem(problem, f"use more than {extractor.features} images", "teleport.extractor"))
    trained = {"extractor": extractor.features} if extractor.name == "classifier" else {}
    for key, features in {**trained, "autoencoder": study.teleport.autoencoder.features}.items():
        if held <= features:
            problem = f"{held} images held out of {images} are too few for a Frechet distance of {features} features"
            remedy = f"lower teleport.{key}.features, or use more than {2 * features + 1} images"
            raise InputError(Problem(problem, remedy, f"teleport.{key}"))
