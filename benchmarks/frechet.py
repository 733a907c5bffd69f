"""Bootstrap of a Frechet distance of few images, relative to the plain algorithm."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Ratio, ratio
from underpainting.quality import frechet
from underpainting.quality.frechet import FloatArray, RealMoments

IMAGES, FEATURES, REAL_IMAGES = 400, 2048, 2500
PLAIN_RESAMPLES = 3  # of the plain algorithm, which takes seconds for each


def _features(count: int, seed: int) -> FloatArray:
    spectrum = np.arange(1, FEATURES + 1) ** -0.75
    return np.random.default_rng(seed).standard_normal((count, FEATURES)) * spectrum


def _root(covariance: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(values.clip(min=0))) @ vectors.T)


def _plain(features: FloatArray, mean: FloatArray, root: FloatArray, trace: float) -> None:
    """Distances of resamples, each from its covariance and an eigenproblem of features times features."""
    random = np.random.default_rng(0)
    for _ in range(PLAIN_RESAMPLES):
        drawn = features[random.integers(len(features), size=len(features))]
        covariance = np.cov(drawn, rowvar=False)
        shared = np.sqrt(np.linalg.eigvalsh(root @ covariance @ root).clip(min=0)).sum()
        ((drawn.mean(0) - mean) ** 2).sum() + np.trace(covariance) + trace - 2 * shared


def bootstrap_cost() -> Ratio:
    """Duration of the bootstrap of 400 images with 2,048 features over that of as many plain resamples."""
    features, real_features = _features(IMAGES, 0), _features(REAL_IMAGES, 1)
    real, covariance = RealMoments.of(real_features), np.cov(real_features, rowvar=False)
    mean, root, trace = real_features.mean(0), _root(covariance), float(np.trace(covariance))
    return ratio(
        f"{frechet.RESAMPLES} resamples of a Frechet distance, {IMAGES} images, {FEATURES} features",
        lambda: frechet.bootstrap(features, real),
        "covariance and eigenvalues of features",
        lambda: _plain(features, mean, root, trace),
        "at most 0.02",
        pairs=3,
        scale=frechet.RESAMPLES / PLAIN_RESAMPLES,
    )
