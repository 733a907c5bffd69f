"""Synthetic artifacts behind the claims, drawn from each claim's null model, or from one for which the claim holds.

Under the null, what stands for the study and what stands for the null model are independent draws from one distribution. Its mean
lies inside, at or outside of the claim's bound (`PLACES`): where a null model can lie is for the data to say, and at the bound
chance has the most to decide. Where the null model fixes the distribution (shuffled components, copies of training
images), all places give the same. With the place `holds` the data follow the claim and the null model does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from underpainting.analysis import statistics
from underpainting.analysis.statistics import Resampling
from underpainting.teleport import sweep
from underpainting.theory import rotation
from underpainting_workflow.claims import (
    Claim,
    comparison,
    emergence,
    geometry,
    paper,
    perturbation,
    retrieval,
    score,
    teleport,
)

FloatArray = NDArray[np.float64]
Place = Literal["inside", "at", "outside", "holds"]
PLACES: tuple[Place, ...] = ("inside", "at", "outside")
SEEDS, STEPS, PIXELS, RANK, COMPONENTS = 48, 11, 64, 40, 20
BELOW = {"inside": 0.5, "at": 1.0, "outside": 2.0, "holds": 0.3}


def positive(random: np.random.Generator, mean: float, *shape: int) -> FloatArray:
    """Skewed positive values, one distribution for each mean."""
    return mean * random.gamma(4.0, 0.25, shape)


def both(random: np.random.Generator, bound: float, place: Place, *shape: int) -> tuple[FloatArray, FloatArray]:
    """What stands for the study and for its null model, of a quantity that a claim holds below a bound."""
    null = 3.0 if place == "holds" else BELOW[place]
    return positive(random, BELOW[place] * bound, *shape), positive(random, null * bound, *shape)


def whole(random: np.random.Generator, middle: int, place: Place) -> tuple[FloatArray, FloatArray]:
    """The same of whole numbers: a middle that is the bound, less or more around it."""
    shift = {"inside": -1, "at": 0, "outside": 1, "holds": -2}[place]
    first, second = random.integers(-1, 2, (2, SEEDS)) + middle
    return first + shift, second + (2 if place == "holds" else shift)


def of_geometry(random: np.random.Generator, place: Place) -> list[Claim]:
    """Claims about the shape of trajectories."""
    arrays: dict[str, FloatArray] = {}
    for name in paper.RESIDUALS:
        found = both(random, paper.bound(None, name), place, SEEDS)
        arrays["rotation_caption" if name == "rotation" else name], arrays[f"null_{name}"] = found
    peak = both(random, rotation.SLACK**2 * RANK / PIXELS, place, SEEDS)
    arrays["rotation_peak"], arrays["null_rotation_peak"] = peak
    arrays["dim_state"], arrays["null_dim_state"] = whole(random, int(paper.bound(None, "dim_state")), place)
    gaps = [whole(random, 0, place) for _ in range(2)]
    arrays["dim_difference"] = arrays["dim_state"] - gaps[0][0]
    arrays["dim_noise"] = arrays["dim_difference"] - gaps[1][0]
    arrays["null_dim_difference_gap"], arrays["null_dim_noise_gap"] = -gaps[0][1], -gaps[1][1]
    data = xr.Dataset({name: ("sample", values) for name, values in arrays.items()})
    return geometry.claims(data, RANK, PIXELS, None)


def _errors(random: np.random.Generator, final: float, leaves: int) -> FloatArray:
    """Squared errors by step that become noticeable about a step."""
    step = random.integers(leaves - 2, leaves + 3, (SEEDS, 1))
    curve = np.where(np.arange(STEPS) < step, 1e-4, 0.02) * np.ones((SEEDS, 1))
    curve[:, -1] = positive(random, final, SEEDS)
    return np.asarray(curve)


def of_comparison(random: np.random.Generator, place: Place) -> list[Claim]:
    """Claims about theories beside the sampler: under the null the Gaussian is isotropic, and one mode stands for the mixture."""
    holds = place == "holds"
    cloud = {"inside": 0.3, "at": 0.2, "outside": 0.1, "holds": 1.0}[place]
    leaves = {"inside": 5, "at": 7, "outside": 8, "holds": 3}[place]
    gaussian = {
        "state_error": _errors(random, 0.2, 7),
        "isotropic_state_error": _errors(random, 2.0 if holds else 0.2, 2 if holds else 7),
    }
    early = both(random, 0.01, place, SEEDS)
    gaussian["state_error"][:, 4], gaussian["isotropic_state_error"][:, 4] = both(random, 0.01, place, SEEDS)
    steps, components = ("sample", "step"), ("sample", "component")
    arrays = {name: (steps, values) for name, values in gaussian.items()}
    for name, values in zip(("endpoint_error", "isotropic_endpoint_error"), early, strict=True):
        arrays[name] = (steps, np.repeat(values[:, None], STEPS, 1))
    off = both(random, 0.01, place, SEEDS, PIXELS)
    for name, values in zip(("component_error", "isotropic_component_error"), off, strict=True):
        arrays[name] = (components, values)
    mixture = positive(random, 0.05, SEEDS) if holds else positive(random, 0.2, SEEDS)
    others = {"mixture": _errors(random, 0.2, 7), "point_cloud": _errors(random, cloud, leaves)}
    others["mixture"][:, -1] = mixture
    models = {name: xr.Dataset({"state_error": (steps, values)}) for name, values in others.items()}
    return comparison.claims({"gaussian": xr.Dataset(arrays), **models}, RANK)


def _stored(name: str, interval: statistics.Interval) -> dict[str, FloatArray]:
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}


def of_emergence(random: np.random.Generator, place: Place) -> list[Claim]:
    """Claims about endpoint estimates: under the null the basis is rotated at random, and components are shuffled."""
    holds, per = place == "holds", "component"
    variance = np.geomspace(4, 0.01, COMPONENTS)
    first, null = both(random, 0.05, place, SEEDS)
    share = 0.003 if holds else (PIXELS - RANK) / PIXELS
    outside = random.beta(200 * share, 200 * (1 - share), (SEEDS, STEPS))
    predicted = np.sqrt(variance) if holds else np.full(COMPONENTS, variance.mean() ** 0.5)
    shift = {"inside": 1.0, "at": 1.25, "outside": 1.6, "holds": 1.0}[place]
    logs = np.log(shift * predicted) + 0.2 * random.standard_normal((SEEDS, COMPONENTS))
    place_of = variance if holds else random.permutation(variance)
    seen = np.log(place_of) + 0.3 * random.standard_normal((SEEDS, COMPONENTS))
    rank = statistics.rank_correlation_interval(seen, lambda mean: mean, variance, resampling=Resampling(resamples=500))
    ratio = statistics.confidence_interval(logs - np.log(predicted), lambda mean: np.exp(mean.mean()))
    frequency = np.linspace(1, 5, COMPONENTS)
    data = {
        "distance": (("sample", "step"), np.concatenate([first[:, None], positive(random, 0.5, SEEDS, STEPS - 1)], 1)),
        "outside": (("sample", "step"), outside),
        "null_distance": ("sample", null),
        **{
            name: ((), values)
            for name, values in (_stored("rank_correlation", rank) | _stored("mean_ratio", ratio)).items()
        },
        "measured_ratio": (per, np.exp(logs.mean(0))),
        "predicted_ratio": (per, predicted),
        "mean_variance": ((), 100.0 if holds else variance.mean()),
        "basis_variance": ("basis", variance),
        "basis_frequency": ("basis", frequency if holds else random.permutation(frequency)),
        "manifold_rank": ((), RANK),
    }
    return emergence.claims(xr.Dataset(data), PIXELS)


def of_perturbation(random: np.random.Generator, place: Place) -> list[Claim]:
    """Make claims about perturbations: under the null the data are isotropic Gaussian, and all directions are equal."""
    holds, kinds = place == "holds", ["component"] * 3 + ["random", "off_manifold"]
    angle = np.array([1.5, 1.0, 0.0])
    base = xr.Dataset(
        {
            "alpha": ("time", np.cos(angle)),
            "sigma": ("time", np.sin(angle)),
            "perturbed_at": ("step", [0, 1]),
            "variance": ("direction", [4.0, 1.0, 0.05, 0.5, 0.0]),
            "mean_variance": ((), {"inside": 0.3, "outside": 3.0}.get(place, 1.0)),
        },
        attrs={"kinds": kinds},
    )
    equal = perturbation.isotropic(base)
    theory = {name: np.repeat(gains[:, None], 5, 1) for name, gains in equal.items()}
    if holds:
        theory["final"] = np.array([[2.5, 2.0, 0.1, 0.3, 0.001], [1.6, 1.5, 0.6, 0.4, 0.002]])
        theory["endpoint"] = theory["final"].copy()
    spread = {"inside": 0.05, "at": 0.2, "outside": 0.5, "holds": 0.05}[place]
    dims = ("step", "sample", "direction", "time")
    state, endpoint = (
        np.repeat((gains[:, None] * (1 + spread * random.standard_normal((2, SEEDS, 5))))[..., None], 3, 3)
        for gains in theory.values()
    )
    by_theory = {name: np.repeat(gains[:, :, None], 3, 2) for name, gains in theory.items()}
    return perturbation.claims(
        base.assign(
            state=(dims, state),
            state_norm=(dims, np.abs(state)),
            endpoint=(dims, endpoint),
            predicted_state=(("step", "direction", "time"), by_theory["final"]),
            predicted_endpoint=(("step", "direction", "time"), by_theory["endpoint"]),
        )
    )


def of_score(random: np.random.Generator, place: Place) -> list[Claim]:
    """Claims about the score: under the null the Gaussian is isotropic, and one mode stands for the mixture."""
    holds, ratios = place == "holds", [*paper.SCORE_EXPLAINED]
    total = positive(random, 1.0, len(ratios), SEEDS)
    left = np.zeros((len(ratios), 4, SEEDS))
    for level, (ratio, printed) in enumerate(paper.SCORE_EXPLAINED.items()):
        edge = 0.05 if ratio == score.HIGH_NOISE else 1.1 - printed
        share = 1 - printed if holds else max(BELOW[place] * edge, 1e-3)
        of_models = [share, 0.5 * share if holds else share, 3.0 * share, 5.0 * share + 0.2 if holds else share]
        if not holds:
            of_models[2] = share * {"inside": 1.5, "at": 1.0, "outside": 0.5}[place]
        for model, part in enumerate(of_models):
            left[level, model] = part * total[level] * random.normal(1.0, 0.1, SEEDS)
    data = xr.Dataset(
        {
            "residual": (("ratio", "model", "sample"), left),
            "total": (("ratio", "sample"), total),
            "noise_to_signal": ("ratio", ratios),
        },
        attrs={"models": ["gaussian", "mixture", "point_cloud", "isotropic"]},
    )
    return score.claims(data, paper.SCORE_MODEL)


def of_retrieval(random: np.random.Generator, place: Place) -> list[Claim]:
    """Claims about training images: under the null the network is the exact score, and that is its last step alone."""
    distance, null = both(random, 0.01, place, SEEDS)
    part = {"inside": 0.02, "at": 0.05, "outside": 1.0, "holds": 0.0}[place]
    copied = random.random((2, 4 * SEEDS)) < np.array([[part], [1.0 if place == "holds" else part]])
    data = xr.Dataset(
        {
            "distance": (("origin", "sample"), np.resize(distance, (2, 4 * SEEDS))),
            "ratio": (("origin", "sample"), np.where(copied, 0.1, 0.9)),
            "null_distance": ("null", null),
        },
        attrs={"origins": ["network", "point_cloud"]},
    )
    return retrieval.claims(data)


LOSS = {"inside": -0.5, "at": 0.0, "outside": 0.5, "holds": -0.5}
ERROR = 0.02
"""Standard error of a loss of the sweep's table."""


def _losses(random: np.random.Generator, true: float) -> dict[str, float]:
    """Every loss of a row, measured with an error that its interval knows."""
    columns: dict[str, float] = {}
    for name in (*sweep.LOSSES, "behind", "autoencoder_behind"):
        found = true + ERROR * random.standard_normal()
        columns |= {name: found, f"{name}_low": found - 1.96 * ERROR, f"{name}_high": found + 1.96 * ERROR}
    return columns


def of_teleport(random: np.random.Generator, place: Place) -> list[Claim]:
    """Claims about jumps: the sweep's rows of the jump and of the null model are draws of one distribution."""
    steps, own = 50, {"sampler": "ddim-50", "design": "truncate"}
    limit = {"inside": 35, "at": 20, "outside": 10, "holds": 35}[place]
    same = dict.fromkeys(_losses(random, 0.0), 0.0)
    rows = [{**own, "jump": "none", "skipped_steps": 0, "nfe": steps, **same}]
    for jump in ("gaussian", sweep.NULL):
        least = 10 if place == "holds" and jump == sweep.NULL else limit
        for skipped in (10, 20, 30, 40):
            edge = teleport.TOLERANCE if skipped == least else (-0.2 if skipped < least else 0.5)
            rows.append(
                {**own, "jump": jump, "skipped_steps": skipped, "nfe": steps - skipped, **_losses(random, edge)}
            )
    few = {"sampler": "ddim-5", "design": "regrid", "nfe": 5}
    rows.append({**few, "jump": "none", "skipped_percent": 0, **_losses(random, 0.0)})
    for jump in ("gaussian", "mixture", sweep.NULL):
        true = 0.3 if place == "holds" and jump == sweep.NULL else LOSS[place]
        rows.append({**few, "jump": jump, "skipped_percent": 60, **_losses(random, true)})
    table = pd.DataFrame(rows).assign(fd_infinite=1.0, floor_infinite=0.1, n=500, extractor="classifier")
    return teleport.claims(table, "ddim-50", steps)


FAMILIES: Mapping[str, Callable[[np.random.Generator, Place], list[Claim]]] = {
    "geometry": of_geometry,
    "comparison": of_comparison,
    "emergence": of_emergence,
    "perturbation": of_perturbation,
    "score": of_score,
    "retrieval": of_retrieval,
    "teleport": of_teleport,
}


def fractions(family: str, place: Place, trials: int, seed: int = 0) -> dict[str, float]:
    """Part of the trials in which each claim of a family is `yes`."""
    counts: dict[str, int] = {}
    for trial in range(trials):
        for row in FAMILIES[family](np.random.default_rng((seed, trial)), place):
            counts[row.claim] = counts.get(row.claim, 0) + (row.reproduced == "yes")
    return {claim: count / trials for claim, count in counts.items()}
