r"""Metrics of image quality between stored features (App. F, Eq. 19).

The metrics are those of torch-fidelity, applied to features instead of images: Frechet distance

    FD = ||mu_1 - mu_2||^2 + Tr[S_1 + S_2 - 2 (S_1^(1/2) S_2 S_1^(1/2))^(1/2)],                       (Eq. 19)

kernel distance (KID), precision and recall. torch-fidelity takes seconds to import, so each function imports it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from underpainting.quality.extractors import Extractor

MAX_IMAGES = 10_000


class Scores(NamedTuple):
    """Metrics between two sets of features.

    Attributes:
        fd: Frechet distance.
        kid: kernel distance, mean over subsets.
        kid_std: standard deviation of the kernel distance over subsets.
        precision: fraction of generated images within the real ones' neighbourhoods.
        recall: fraction of real images within the generated ones' neighbourhoods.
    """

    fd: float
    kid: float
    kid_std: float
    precision: float
    recall: float


def to_bytes(images: Tensor) -> Tensor:
    """Convert images in [-1, 1] to bytes, clipped and rounded, as published FIDs do."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


@torch.inference_mode()
def extract_features(extractor: Extractor, images: Tensor, batch_size: int = 256) -> NDArray[np.float64]:
    """Extract features of byte images, (sample, channel, height, width) to (sample, feature), float64."""
    return torch.cat([extractor(batch).double() for batch in images.split(batch_size)]).numpy()


def frechet_distance(generated: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    """Compute the Frechet distance between stored features, each of shape (sample, feature) (Eq. 19).

    Raises:
        ValueError: the features come from different extractors.
    """
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    if generated.shape[1:] != real.shape[1:]:
        raise ValueError(f"features of shapes {generated.shape} and {real.shape} come from different extractors")
    statistics = [fid_features_to_statistics(torch.from_numpy(features)) for features in (generated, real)]
    return float(fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"])


def _subsample(features: Tensor, most: int) -> Tensor:
    """Take at most `most` features, evenly spaced: all pairwise distances must fit into memory (0.8 GB for 10,000)."""
    if len(features) <= most:
        return features
    return features[torch.linspace(0, len(features) - 1, most).round().long()]


def _require_enough(smallest: int, neighbourhood: int) -> None:
    if smallest < max(neighbourhood + 1, 2):
        raise ValueError(
            f"{smallest} images are too few for {neighbourhood} neighbours: lower teleport.neighbourhood, or use more images"
        )


def compare_features(
    generated: NDArray[np.float64],
    real: NDArray[np.float64],
    *,
    kid_subset_size: int = 1000,
    kid_subsets: int = 100,
    neighbourhood: int = 3,
    neighbours_among: int = MAX_IMAGES,
    seed: int = 0,
) -> Scores:
    """Compute torch-fidelity's metrics between stored features.

    Args:
        generated: shape (sample, feature).
        real: shape (sample, feature).
        kid_subset_size: images per KID subset; reduced to the size of the smaller set.
        kid_subsets: number of KID subsets.
        neighbourhood: number of nearest neighbours that span the manifold in precision and recall.
        neighbours_among: largest number of images of each set in precision and recall.
        seed: seed of KID's subsets.

    Raises:
        ValueError: the numbers of features differ, or a set is smaller than a neighbourhood.
    """
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    smallest = min(len(generated), len(real))
    _require_enough(smallest, neighbourhood)
    distance = frechet_distance(generated, real)
    first, second = torch.from_numpy(generated), torch.from_numpy(real)
    subsets = {"kid_subsets": kid_subsets, "kid_subset_size": min(kid_subset_size, smallest), "rng_seed": seed}
    kid = kid_features_to_metric(first, second, **subsets, verbose=False)
    near = [_subsample(features, neighbours_among) for features in (first, second)]
    prc = prc_features_to_metric(*near, prc_neighborhood=neighbourhood, verbose=False)
    return Scores(
        distance,
        kid["kernel_inception_distance_mean"],
        kid["kernel_inception_distance_std"],
        prc["precision"],
        prc["recall"],
    )
