"""Check that a study's images are usable and enough, by reading them once before any job starts.

`studies.counts` holds the limits on their number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from underpainting.images.datasets import DataError, Source, read_batches
from underpainting.io.errors import InputError, Problem
from underpainting_workflow.studies.counts import check_number
from underpainting_workflow.studies.models import Study

Counts = NDArray[np.int64]


def check(study: Study) -> str:
    """Read every image of a study's data once, and check it.

    Returns:
        a warning about the values found, which does not stop the run; empty without one.

    Raises:
        InputError: an image is missing, corrupt or of a wrong size, labels are needed but not there, or there are too
            few images, or too few of a class.
    """
    source = study.dataset.open()
    needing = needs_labels(study)
    _check_first_label(study, source, needing)
    check_number(study, min(len(source), study.dataset.limit or len(source)), len(source.class_names))
    counts = np.zeros(len(source.class_names) + 1, np.int64)
    for _, labels in read_batches(source, study.dataset.format, 256, study.dataset.limit):
        counts += _counted(labels, len(source.class_names)) if needing else 0
    if needing:
        _check_classes(study, source.class_names, counts)
    return (source.values and source.values.remark()) or ""


def needs_labels(study: Study) -> str | None:
    """Return the key that requires labels; None if the study needs none."""
    if study.moments.per_class:
        return "moments.per_class"
    extractor = study.teleport.extractor
    return "teleport.extractor" if extractor.name == "classifier" and extractor.labels == "dataset" else None


def _check_first_label(study: Study, source: Source, needing: str | None) -> None:
    if needing and next(iter(source)).label is None:
        remedy = f"{study.dataset.LABELS}, or change {needing}"
        raise DataError("source", f"{needing} needs labels, but these data have none", remedy)


def _counted(labels: Counts, classes: int) -> Counts:
    """Count the images of each class and, as the last entry, those without a class.

    Raises:
        DataError: a label is not a class.
    """
    if labels.max() >= classes:
        problem = f"the label {labels.max()} is none of the {classes} classes, which are numbered from 0"
        raise DataError("source", problem, "correct the labels, or the list of class names")
    return np.bincount(np.where(labels < 0, classes, labels), minlength=classes + 1)


def _check_classes(study: Study, names: tuple[str, ...], counts: Counts) -> None:
    """Refuse images without a label, classes without images, and classes of one image if the class becomes a mode."""
    if counts[-1]:
        raise DataError("source", f"{counts[-1]} images have no label", "label or remove them")
    mode = study.mixture.fit == "classes" and "mixture" in study.reads
    least = (2 if mode else 1) if study.moments.per_class else 0
    if scarce := [f"{name!r} ({count})" for name, count in zip(names, counts, strict=False) if count < least]:
        need = "an image" if least == 1 else "two images, to have a covariance"
        problem = f"each class needs {need}, but these have fewer: {', '.join(scarce)}"
        remedy = "add images of them, remove the classes, raise dataset.limit, or set moments.per_class: false"
        raise InputError(Problem(problem, remedy, "moments.per_class"))
