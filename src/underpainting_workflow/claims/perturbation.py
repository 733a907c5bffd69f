"""Claims about perturbed trajectories (Sec. 4.2, Eq. 14, 63, Fig. 3 D, 22)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from underpainting.analysis import statistics
from underpainting.noise.levels import NoiseGrid
from underpainting.theory import gaussian
from underpainting_workflow.claims.claim import Claim, Null, exact, of_interval

FloatArray = NDArray[np.float64]
ISOTROPIC = "isotropic Gaussian"


def claims(data: xr.Dataset) -> list[Claim]:
    """Make the claims from `perturbation/SAMPLER.zarr.zip`."""
    kinds = np.array(data.attrs["kinds"])
    found = [*_gains(data, kinds == "component"), *_commitment(data, kinds == "component")]
    for kind, text in (
        (
            "off_manifold",
            "The effect of a perturbation off the manifold is at most a tenth of that along the first component",
        ),
        (
            "random",
            "A random perturbation changes the image less than one along the first component: ratio of the changes below 1",
        ),
    ):
        if (kinds == kind).any():
            found.append(_weaker(data, kinds, kind, text))
    return found


def by_case(values: xr.DataArray, chosen: NDArray[np.bool_]) -> FloatArray:
    """Flatten the steps of the perturbation and the chosen directions into one axis, shape (sample, case)."""
    picked = values.values[:, :, chosen]
    return np.asarray(picked.transpose(1, 0, 2).reshape(picked.shape[1], -1), np.float64)


def at_step(data: xr.Dataset, name: str) -> xr.DataArray:
    """Select the value of a gain at the step of each perturbation."""
    return data[name].isel(time=xr.DataArray(data["perturbed_at"].values, dims="step"))


def measured(data: xr.Dataset, chosen: NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Return measured gains of the final image and of the endpoint estimate at the same step, shape (sample, case)."""
    found = {"final": data["state"].isel(time=-1), "endpoint": at_step(data, "endpoint")}
    return {name: by_case(gains.transpose("step", "sample", "direction"), chosen) for name, gains in found.items()}


def predicted(data: xr.Dataset, chosen: NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Return the gains that theory predicts, Eq. 14 and Eq. 63, shape (case,)."""
    found = {"final": data["predicted_state"].isel(time=-1), "endpoint": at_step(data, "predicted_endpoint")}
    return {name: gains.transpose("step", "direction").values[:, chosen].ravel() for name, gains in found.items()}


def isotropic(data: xr.Dataset) -> dict[str, FloatArray]:
    """Return the gains of the isotropic Gaussian, equal in all directions, shape (step,)."""
    grid, variance = NoiseGrid(data["alpha"].values, data["sigma"].values), float(data["mean_variance"])
    levels = [grid[int(step)] for step in data["perturbed_at"].values]
    return {
        "final": np.array([gaussian.psi(variance, level, grid[len(grid) - 1]) for level in levels]),
        "endpoint": np.array([gaussian.endpoint_gain(variance, level) for level in levels]),
    }


def fits(data: xr.Dataset, chosen: NDArray[np.bool_]) -> dict[str, statistics.Fit]:
    """Fit measured to predicted gains, of the final image (Eq. 14) and of the endpoint estimate (Eq. 63)."""
    theory = predicted(data, chosen)
    return {name: statistics.fit_through_origin(gains, theory[name]) for name, gains in measured(data, chosen).items()}


def null_fits(data: xr.Dataset, chosen: NDArray[np.bool_]) -> dict[str, statistics.Fit]:
    """Fit measured gains to those of the isotropic Gaussian."""
    theory = {name: np.repeat(gains, int(chosen.sum())) for name, gains in isotropic(data).items()}
    return {name: statistics.fit_through_origin(gains, theory[name]) for name, gains in measured(data, chosen).items()}


def _gains(data: xr.Dataset, chosen: NDArray[np.bool_]) -> list[Claim]:
    both, nulls = fits(data, chosen), null_fits(data, chosen)
    names = {"final": ("the image", "Eq. 14"), "endpoint": ("the endpoint estimate at the same step", "Eq. 63")}
    rows = []
    for name, (what, source) in names.items():
        text = f"Gain of {what} from perturbations along components, measured against theory"
        null = Null(f"{ISOTROPIC}'s gains", nulls[name].slope)
        slope = of_interval(
            f"{text}: slope 0.8 to 1.25", source, "1", both[name].slope, at_least=0.8, at_most=1.25, null=null
        )
        null = null._replace(interval=nulls[name].theory_r_squared)
        share = both[name].theory_r_squared
        rows += [
            slope,
            of_interval(f"{text}: R^2 of theory at least 0.8", source, "1", share, at_least=0.8, null=null),
        ]
    return rows


def _commitment(data: xr.Dataset, chosen: NDArray[np.bool_]) -> list[Claim]:
    """Compare early with late perturbations, along the measured components of largest and of smallest variance."""
    gains, variances = data["state"].values[:, :, :, -1], data["variance"].values
    equal = isotropic(data)["final"]
    numbers = np.flatnonzero(chosen)
    rows = []
    for number, word, sign in ((numbers[0], "largest", 1.0), (numbers[-1], "smallest", -1.0)):
        variance = variances[number]
        if (variance - 1.0) * sign <= 0:
            continue
        early_minus_late = sign * (gains[0, :, number] - gains[-1, :, number])
        when, than = ("early", "late") if sign > 0 else ("late", "early")
        rows.append(
            of_interval(
                f"Perturbations along the component of {word} variance ({variance:.3g}) have more effect {when} than {than}: "
                "mean difference of the gains above 0",
                "Sec. 4.2, Fig. 3 D",
                "amplified early" if sign > 0 else "reduced until the end",
                statistics.confidence_interval(early_minus_late),
                at_least=1e-12,
                null=exact(f"{ISOTROPIC}'s gains", sign * (equal[0] - equal[-1])),
            )
        )
    return rows


def _weaker(data: xr.Dataset, kinds: NDArray[np.str_], kind: str, text: str) -> Claim:
    size = data["state_norm" if kind == "random" else "state"].values[0, :, :, -1]
    first = int(np.flatnonzero(kinds == "component")[0])
    both = np.stack([np.abs(size[:, kinds == kind]).mean(1), np.abs(size[:, first])], 1)
    return of_interval(
        text,
        "Sec. 4.2, 6.2, Fig. 22",
        "no effect" if kind == "off_manifold" else "less",
        statistics.confidence_interval(both, lambda mean: np.asarray(mean[0] / mean[1])),
        at_most=0.1 if kind == "off_manifold" else 1.0 - 1e-9,
        null=exact(f"{ISOTROPIC}, equal in all directions", 1.0),
    )
