"""Fit a Gaussian mixture to a study's images: a mode per class or per cluster."""

from typing import Any

import numpy as np

from underpainting.io import artifacts
from underpainting.theory import mixture_fit, mixture_moments, mixtures
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

Labels = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def of_classes(moments_file: str, dataset: str, covariance: Any, rank: int | None) -> tuple[mixtures.Mixture, Labels]:
    """Return a mode per class, from its moments, and the class of each image."""
    moments = artifacts.load(moments_file)
    name = "class_covariance" if "class_covariance" in moments else "class_variance"
    mixture = mixture_moments.of_moments(
        moments["class_count"].values,
        moments["class_mean"].values,
        moments[name].values,
        tuple(moments.attrs["image_shape"]),
        covariance=covariance,
        rank=rank,
    )
    return mixture, artifacts.load(dataset)["label"].values.astype(np.int64)


def of_clusters(dataset: str, config: dict[str, Any]) -> tuple[mixtures.Mixture, Labels]:
    """Return a mode per cluster, and the cluster of each image."""
    images = artifacts.require_range(artifacts.load(dataset)["images"], dataset)
    shape = tuple(images.shape[1:])
    flat = np.asarray(images.values, np.float32).reshape(len(images), -1)
    return mixture_fit.fit(
        flat,
        config["modes"],
        method=config["fit"],
        covariance=config["covariance"],
        rank=config["rank"],
        seed=config["seed"],
        image_shape=shape,
    )


def main(dataset: str, moments: str, output: str, study: str, config: dict[str, Any]) -> None:
    """Fit and save the mixture, with the mode of every image."""
    if config["fit"] == "classes":
        mixture, labels = of_classes(moments, dataset, config["covariance"], config["rank"])
    else:
        mixture, labels = of_clusters(dataset, config)
    mixtures.save(mixture, output, origin(study, data=artifacts.digest(dataset), config=config), labels=labels)


if __name__ == "__main__":
    run(main)
