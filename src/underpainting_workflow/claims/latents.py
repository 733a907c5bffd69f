"""Claims about trajectories of latents: guidance, samplers, perturbations (Sec. 3, 4.2, 6.2, App. B.6-B.8).

Prompts and seeds are resampled as clusters: the images of a prompt share it, and so do those of a seed, which start from the same
noise under every prompt. `n` is the number of trajectories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from underpainting.analysis import statistics
from underpainting.analysis.statistics import Interval
from underpainting_workflow.claims import geometry, paper
from underpainting_workflow.claims.claim import PROJECT_TARGET, Claim, Null, exact, of_interval

FloatArray = NDArray[np.float64]
ByScale = Mapping[float, xr.Dataset]
MODEL = next(iter(paper.LATENT))
ABOVE = 1e-9
EQUAL = "equal effect at all times and in all directions (Gaussian of unit variance)"


class Geometries(NamedTuple):
    """Geometry of trajectories, by sampler and scale of guidance, the main sampler first.

    Attributes:
        common: of states x_t = alpha x_0 + sigma noise.
        of_data: of states x_t / alpha_t, the units of diffusers' Euler and LMS.
        labels: of the samplers, by id.
    """

    common: Mapping[str, ByScale]
    of_data: Mapping[str, ByScale]
    labels: Mapping[str, str]


def interval(
    data: xr.Dataset, values: ArrayLike, function: Callable[[FloatArray], FloatArray] | None = None
) -> Interval:
    """Compute the interval of a function of the mean over trajectories, with the clusters of their dataset.

    Means of values that are never negative, and functions of them, have no negative ends.
    """
    measured = np.asarray(values, np.float64)
    least = 0.0 if measured.min() >= 0 else -np.inf
    clusters = [data[name].values for name in ("prompt", "seed")]
    kept = [labels for labels in clusters if len(np.unique(labels)) > 1]
    return statistics.clip(statistics.clustered_interval(measured, kept, function), least)


def claims(
    shapes: Geometries, scale: float, perturbed: ByScale, finals: xr.Dataset, model: str | None = MODEL
) -> list[Claim]:
    """Make all claims of a text-to-image study.

    Args:
        shapes: geometry of the trajectories.
        scale: of guidance of single examples, at which the paper's table is compared.
        perturbed: responses of the main sampler to perturbations, by scale.
        finals: distances between the images of samplers.
        model: the paper's model.
    """
    main = next(iter(shapes.common.values()))[scale]
    return [
        *geometry.of_shape(main, model or MODEL, lambda values: interval(main, values)),
        *of_guidance(shapes, scale),
        *of_oscillation(shapes, scale),
        *of_units(shapes, scale),
        *(row for one, data in perturbed.items() for row in of_perturbation(data, one)),
        *of_samplers(finals, scale),
    ]


def of_guidance(shapes: Geometries, scale: float) -> list[Claim]:
    """Compare the dimension of trajectories at a scale with that at the lowest one, for each sampler (Fig. 24, top)."""
    rows = []
    for name, by_scale in shapes.common.items():
        low, last = min(by_scale), by_scale[scale]
        for kind in ("state", "difference") if low < scale else ():
            rise = last[f"dim_{kind}"].values.astype(float) - by_scale[low][f"dim_{kind}"].values
            rows.append(
                of_interval(
                    f"{shapes.labels[name]}: {geometry.POINTS[kind]} take more components at guidance {scale:g} than at "
                    f"{low:g}: mean difference above 0",
                    "App. B.8.2, Fig. 24",
                    "higher",
                    interval(last, rise),
                    at_least=ABOVE,
                    null=exact("no effect of guidance", 0.0),
                )
            )
    return rows


def of_oscillation(shapes: Geometries, scale: float) -> list[Claim]:
    """Compare the oscillation of PNDM and DDIM at a scale and at the highest one with that at the lowest (Fig. 24, middle)."""
    kinds = {name.partition("-")[0]: by_scale for name, by_scale in reversed(list(shapes.common.items()))}
    if not {"pndm", "ddim"} <= kinds.keys():
        return []
    pndm, ddim = kinds["pndm"], kinds["ddim"]
    low = min(pndm)
    excess = {one: data["oscillation"].values - ddim[one]["oscillation"].values for one, data in pndm.items()}
    smooth = of_interval(
        f"PNDM at guidance {low:g} is smooth: von Neumann's ratio of its steps at most 0.5 on average",
        "App. B.8.2, Fig. 24",
        "usually smooth",
        interval(pndm[low], pndm[low]["oscillation"]),
        at_most=0.5,
        null=exact("steps in random order", 2.0),
    )
    stronger = [
        of_interval(
            f"PNDM oscillates more than DDIM at guidance {high:g}: difference of von Neumann's ratios, less that at "
            f"guidance {low:g}, above 0",
            "App. B.8.2, Fig. 24",
            "strong",
            interval(pndm[high], excess[high] - excess[low]),
            at_least=ABOVE,
            null=exact("no effect of guidance", 0.0),
        )
        for high in dict.fromkeys((scale, max(pndm)))
        if high > low
    ]
    return [smooth, *stronger]


def of_units(shapes: Geometries, scale: float) -> list[Claim]:
    """Measure whether LMS and Euler have straighter trajectories than DDIM, and whether that is a matter of units."""
    kinds = {name.partition("-")[0]: name for name in reversed(list(shapes.common))}
    if "ddim" not in kinds:
        return []
    ddim = kinds["ddim"]
    rows = []
    for kind in ("lms", "euler"):
        if kind not in kinds:
            continue
        name, label = kinds[kind], shapes.labels[kinds[kind]]
        reference, same, own = (
            _bent(values[scale]) for values in (shapes.common[ddim], shapes.common[name], shapes.of_data[name])
        )
        converted = _bent(shapes.of_data[ddim][scale])
        data = shapes.common[ddim][scale]
        text = "variance outside the first PC, over that of DDIM: at most 0.5"
        rows += [
            of_interval(
                f"{label} is straighter than DDIM, both in units of x_t: {text}",
                "App. B.8.1",
                "more linear, 1D",
                _ratio(data, same, reference),
                at_most=0.5,
                null=exact("DDIM itself", 1.0),
            ),
            of_interval(
                f"{label} as diffusers keeps it, x_t / alpha_t, is straighter than DDIM in units of x_t: {text}",
                "App. B.8.1",
                "more linear, 1D",
                _ratio(data, own, reference),
                at_most=0.5,
                null=Null("DDIM itself in units of x_t / alpha_t", _ratio(data, converted, reference)),
            ),
        ]
    return rows


def of_perturbation(data: xr.Dataset, scale: float) -> list[Claim]:
    """Compare early with late perturbations, and components with random directions (Sec. 4.2, 6.2, Fig. 22)."""
    along = data["component"].values >= 0
    rows = []
    for name, what in (("distance", data.attrs["distance"]), ("latent_distance", "distance of latents")):
        sizes = data[name].mean("strength").values  # (sample, step, direction)
        third = max(1, sizes.shape[1] // 3)
        early, late = sizes[:, :third][..., along].mean((1, 2)), sizes[:, -third:][..., along].mean((1, 2))
        rows.append(
            of_interval(
                f"At guidance {scale:g}, early perturbations along PCs change the image more than late ones ({what}; first and "
                "last third of the times): ratio above 1",
                "Sec. 1, 4.2, Fig. 22",
                "more",
                _ratio(data, early, late),
                at_least=1 + ABOVE,
                null=exact(EQUAL, 1.0),
            )
        )
        if not along.all():
            component, random = (sizes[..., chosen].mean((1, 2)) for chosen in (along, ~along))
            rows.append(
                of_interval(
                    f"At guidance {scale:g}, perturbations along PCs change the image more than random ones ({what}): "
                    "ratio above 1",
                    "Sec. 6.2, Fig. 21, 22",
                    "more",
                    _ratio(data, component, random),
                    at_least=1 + ABOVE,
                    null=exact(EQUAL, 1.0),
                )
            )
    return [*rows, *_projections(data, scale, along), *_slope(data, scale, along)]


def _slope(data: xr.Dataset, scale: float, along: NDArray[np.bool_]) -> list[Claim]:
    """Fit final projections along components to Eq. 14 by a line through the origin, if the Gaussian is known."""
    if "predicted" not in data:
        return []
    measured = (data["projection"].isel(time=-1) / data["size"]).mean("strength").values[..., along]
    predicted = data["predicted"].isel(time=-1).values[..., along]
    null = Null(EQUAL, interval(data, measured.mean((1, 2))))
    return [
        of_interval(
            f"At guidance {scale:g}, gain of the projection from perturbations along PCs, measured against theory: "
            "slope 0.8 to 1.25",
            "Eq. 14",
            "1",
            _ratio(data, (measured * predicted).mean((1, 2)), np.square(predicted).mean((1, 2))),
            at_least=0.8,
            at_most=1.25,
            null=null,
        )
    ]


def _projections(data: xr.Dataset, scale: float, along: NDArray[np.bool_]) -> list[Claim]:
    """Compare the final projections with Eq. 14: amplified on the manifold, decayed off it."""
    final = (data["projection"].isel(time=-1) / data["size"]).mean("strength").values  # (sample, step, direction)
    rows = []
    for chosen, text, bounds, printed in (
        (along, "along PCs are amplified: mean gain of the projection above 1", {"at_least": 1 + ABOVE}, "amplified"),
        (~along, "in a random direction decay: mean gain of the projection below 1", {"at_most": 1 - ABOVE}, "decays"),
    ):
        if chosen.any():
            measured = interval(data, final[..., chosen].mean((1, 2)))
            rows.append(
                of_interval(
                    f"At guidance {scale:g}, perturbations {text}",
                    "Sec. 6.2, Eq. 14, Fig. 22 B",
                    printed,
                    measured,
                    null=exact(EQUAL, 1.0),
                    **bounds,
                )
            )
    return rows


def of_samplers(finals: xr.Dataset, scale: float) -> list[Claim]:
    """Compare the images of samplers from the same noise; the unit is the distance between seeds of a prompt."""
    place = list(finals.attrs["scales"]).index(scale)
    names: list[str] = list(finals.attrs["samplers"])
    labels = dict(zip(names, finals.attrs["labels"], strict=True))
    between = finals["seed_distance"].values[place]
    ratios = {
        name: _ratio(finals, finals["distance"].values[number, place], between) for number, name in enumerate(names)
    }
    rows = []
    for name in names[1:]:
        far = name.startswith("lms-")
        null = (
            Null("DDIM", ratios[ddim])
            if far and (ddim := _first(names[1:], "ddim-"))
            else exact("images of other seeds", 1.0)
        )
        text = "differ greatly" if far else "hardly differ"
        rows.append(
            of_interval(
                f"At guidance {scale:g}, images of {labels[name]} and {labels[names[0]]} from the same noise {text}: "
                f"{finals.attrs['distance']} over that between seeds {'at least 0.5' if far else 'at most 0.1'}",
                f"App. B.8.1, Fig. 23; bound: {PROJECT_TARGET}",
                "major difference, sometimes" if far else "no or a slight difference, sometimes",
                ratios[name],
                null=null,
                **({"at_least": 0.5} if far else {"at_most": 0.1}),
            )
        )
    return rows


def _first(names: list[str], start: str) -> str | None:
    return next((name for name in names if name.startswith(start)), None)


def _bent(data: xr.Dataset) -> FloatArray:
    """Return the fraction of variance outside the first principal component, shape (sample,)."""
    return np.asarray(1 - data["explained_state"].values[:, 0], np.float64)


def _ratio(data: xr.Dataset, first: FloatArray, second: FloatArray) -> Interval:
    """Compute the interval of the ratio of two means over the same trajectories."""
    both = np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)], 1)
    return interval(data, both, lambda mean: np.asarray(mean[0] / mean[1]))
