"""Claims about theories that follow the main sampler (Sec. 5, Fig. 4, 15, 16)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from underpainting.claims import paper
from underpainting.claims.claim import Claim, of_interval
from underpainting.measures import statistics
from underpainting.measures.departure import NOTICEABLE, departure, final_error

FloatArray = NDArray[np.float64]
EARLY = 0.4


def claims(models: Mapping[str, xr.Dataset], manifold_rank: int) -> list[Claim]:
    """Claims from the errors of each theory.

    Args:
        models: errors by theory, `gaussian` among them; claims about the others need them.
        manifold_rank: number of components that hold 99.9 % of the data's variance.
    """
    found = _early(models["gaussian"])
    if manifold_rank < models["gaussian"].sizes["component"]:
        found.append(_off_manifold(models["gaussian"], manifold_rank))
    if "point_cloud" in models:
        found += _against_cloud(models)
    if "mixture" in models:
        found.append(
            _paired(models, "mixture", "gaussian", paper.MIXTURE_BETTER_THAN_GAUSSIAN),
        )
    return found


def _early(gaussian: xr.Dataset) -> list[Claim]:
    step = int(EARLY * (gaussian.sizes["step"] - 1))
    texts = {
        "state_error": "The Gaussian predicts the state after 40 % of the steps: mean squared error per pixel at most 0.01",
        "endpoint_error": "And the endpoint estimate there: mean squared error per pixel at most 0.01",
    }
    return [
        of_interval(
            text, "Sec. 5, Fig. 4 C", "", statistics.of_means(gaussian[name].values[:, step]), at_most=NOTICEABLE
        )
        for name, text in texts.items()
    ]


def _off_manifold(gaussian: xr.Dataset, rank: int) -> Claim:
    return of_interval(
        "Off the manifold the Gaussian predicts the image: mean squared error per component at most 0.01",
        "Sec. 5, Fig. 15",
        "",
        statistics.of_means(gaussian["component_error"].values[:, rank:].mean(1)),
        at_most=NOTICEABLE,
    )


def _paired(models: Mapping[str, xr.Dataset], first: str, second: str, printed: str) -> Claim:
    names = {"gaussian": "Gaussian", "mixture": "mixture", "point_cloud": "exact score"}
    test = statistics.paired_difference(final_error(models[first]), final_error(models[second]))
    return of_interval(
        f"Final images: squared error of the {names[first]} less that of the {names[second]}: below 0 "
        f"(here Wilcoxon p = {test.wilcoxon:.1g})",
        "Sec. 5, Fig. 4 D",
        printed,
        test.difference,
        at_most=-1e-12,
    )


def _against_cloud(models: Mapping[str, xr.Dataset]) -> list[Claim]:
    pairs = [(name, "point_cloud") for name in ("gaussian", "mixture") if name in models]
    later = statistics.of_means(departure(models["gaussian"]) - departure(models["point_cloud"]))
    return [
        *(_paired(models, first, second, paper.GAUSSIAN_BETTER_THAN_CLOUD) for first, second in pairs),
        of_interval(
            "The exact score leaves the trajectory (error above 0.01) before the Gaussian: part of the steps between, above 0",
            "Sec. 5, Fig. 4 D",
            "earlier",
            later,
            at_least=1e-12,
        ),
    ]
