"""Claims about how closely the theories follow the main sampler (Sec. 5, Fig. 4, 15, 16)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from underpainting.analysis import signed_rank, statistics
from underpainting.analysis.trajectory_errors import DIVERGENCE_ERROR, divergence_time, final_error
from underpainting_workflow.claims import paper
from underpainting_workflow.claims.claim import Claim, Null, exact, known, of_interval, of_number

FloatArray = NDArray[np.float64]
EARLY = 0.4
ISOTROPIC = "isotropic Gaussian"
NAMES = {"gaussian": "Gaussian", "mixture": "mixture", "point_cloud": "exact score"}
ONE_MODE = exact("mixture with a single mode", 0.0)
UNIFORM = known("random signs: p is uniform", 0.5, 0.025, 0.975)


def claims(models: Mapping[str, xr.Dataset], manifold_rank: int) -> list[Claim]:
    """Make the claims from the errors of each theory.

    Args:
        models: errors by theory; `gaussian` is required and includes those of the isotropic Gaussian.
        manifold_rank: number of components that hold 99.9 % of the data's variance.
    """
    found = _early(models["gaussian"])
    if manifold_rank < models["gaussian"].sizes["component"]:
        found.append(_off_manifold(models["gaussian"], manifold_rank))
    if "point_cloud" in models:
        found += _against_cloud(models)
    if "mixture" in models:
        errors = {name: final_error(models[name]) for name in ("mixture", "gaussian")}
        found += _paired(errors["mixture"] - errors["gaussian"], ("mixture", "gaussian"), ONE_MODE)
    return found


def _early(gaussian: xr.Dataset) -> list[Claim]:
    step = int(EARLY * (gaussian.sizes["step"] - 1))
    texts = {
        "state_error": "The Gaussian predicts the state after 40 % of the steps: mean squared error per pixel at most 0.01",
        "endpoint_error": "The Gaussian predicts the endpoint estimate after 40 % of the steps: mean squared error per pixel at "
        "most 0.01",
    }
    return [
        of_interval(
            text,
            "Sec. 5, Fig. 4 C",
            "",
            statistics.confidence_interval(gaussian[name].values[:, step]),
            at_most=DIVERGENCE_ERROR,
            null=Null(ISOTROPIC, statistics.confidence_interval(gaussian[f"isotropic_{name}"].values[:, step])),
        )
        for name, text in texts.items()
    ]


def _off_manifold(gaussian: xr.Dataset, rank: int) -> Claim:
    measured, null = (
        statistics.confidence_interval(gaussian[name].values[:, rank:].mean(1))
        for name in ("component_error", "isotropic_component_error")
    )
    return of_interval(
        "Off the manifold the Gaussian predicts the image: mean squared error per component at most 0.01",
        "Sec. 5, Fig. 15",
        "",
        measured,
        at_most=DIVERGENCE_ERROR,
        null=Null(ISOTROPIC, null),
    )


def _paired(difference: FloatArray, names: tuple[str, str], null: Null) -> list[Claim]:
    """Compare the mean difference with 0, and its p value with the printed one."""
    first, second = (NAMES[name] for name in names)
    what = f"Final images: squared error of the {first} minus that of the {second}"
    mean = of_interval(
        f"{what}: mean below 0",
        "Sec. 5, Fig. 4 D",
        "significantly lower",
        statistics.confidence_interval(difference),
        at_most=-1e-12,
        null=null,
    )
    return [mean, _significance(difference, what, names)]


def _significance(difference: FloatArray, what: str, names: tuple[str, str]) -> Claim:
    printed = paper.GAUSSIAN_BETTER_THAN_CLOUD if "point_cloud" in names else paper.MIXTURE_BETTER_THAN_GAUSSIAN
    count, least = len(difference), signed_rank.smallest_p_value(len(difference))
    beyond = least > printed
    limit = f" ({count} pairs cannot give less than {least:.0e})" if beyond else ""
    row = of_number(
        f"{what}: p of Wilcoxon's signed-rank test, one-sided, at most {printed:.0e}{limit}",
        "Sec. 5",
        f"p < {printed:.0e}",
        signed_rank.p_value(difference),
        count,
        at_most=printed,
        null=UNIFORM,
    )
    return row._replace(reproduced="undecided") if beyond and difference.mean() < 0 else row


def _against_cloud(models: Mapping[str, xr.Dataset]) -> list[Claim]:
    cloud, gaussian = models["point_cloud"], models["gaussian"]
    isotropic = xr.Dataset({"state_error": gaussian["isotropic_state_error"]})
    null = Null(ISOTROPIC, statistics.confidence_interval(final_error(isotropic) - final_error(cloud)))
    later, null_later = (
        statistics.confidence_interval(divergence_time(model) - divergence_time(cloud))
        for model in (gaussian, isotropic)
    )
    pairs = [name for name in ("gaussian", "mixture") if name in models]
    rows = [_paired(final_error(models[name]) - final_error(cloud), (name, "point_cloud"), null) for name in pairs]
    return [
        *(row for both in rows for row in both),
        of_interval(
            "The exact score departs from the trajectory (error above 0.01) before the Gaussian does: mean difference, as a "
            "fraction of the steps, above 0",
            "Sec. 5, Fig. 4 D",
            "earlier",
            later,
            at_least=1e-12,
            null=Null(ISOTROPIC, null_later),
        ),
    ]
