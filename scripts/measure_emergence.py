"""Measure when components emerge on sampled trajectories, predict it (Eq. 13, 60-62), and locate endpoint estimates."""

from typing import Any

import numpy as np
import torch
import xarray as xr

from underpainting.analysis import emergence, statistics
from underpainting.basis import eigenbasis
from underpainting.io import artifacts, shards
from underpainting.io.artifacts import array
from underpainting.noise.levels import NoiseGrid
from underpainting.samplers.trajectories import grid_of
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

MANIFOLD = 0.999


def manifold(basis: eigenbasis.Eigenbasis) -> eigenbasis.Eigenbasis:
    """Return the basis of the leading components that hold 99.9 % of the variance, which define the image manifold."""
    return eigenbasis.truncate(basis, explained_variance=MANIFOLD)


NEVER = "components that never vary, or do not emerge on this grid"


def project(basis: eigenbasis.Eigenbasis, kept: int, inside: eigenbasis.Eigenbasis, batch: xr.Dataset) -> xr.Dataset:
    """Return leading coefficients of a batch's endpoint estimates, distance from the mean, and part off the manifold."""
    endpoints = torch.from_numpy(batch["endpoint"].values).double()
    flat = endpoints.flatten(2).flatten(0, 1)
    square = (flat - basis.mean).square().sum(1)
    outside = 1 - inside.coefficients(flat).square().sum(1) / square
    coefficients = (flat - basis.mean) @ basis.vectors[:, :kept]
    from_flat = (endpoints[:, 0].flatten(1) - torch.from_numpy(emergence.uniform_mean_image(basis))).square().sum(1)
    shape = endpoints.shape[:2]
    return xr.Dataset(
        {
            "coefficient": (("sample", "step", "component"), coefficients.reshape(*shape, -1).numpy()),
            "distance": (("sample", "step"), (square / basis.total_variance).reshape(shape).numpy()),
            "outside": (("sample", "step"), outside.reshape(shape).numpy()),
            "null_distance": ("sample", (from_flat / basis.total_variance).numpy()),
            **{name: batch[name] for name in ("seed", "alpha", "sigma")},
        }
    )


def times(
    coefficients: np.ndarray[Any, Any], variances: np.ndarray[Any, Any], grid: NoiseGrid
) -> dict[str, xr.DataArray]:
    """Return slopes, and the noise level at which each component emerges."""
    ratio = emergence.noise_to_signal(grid)

    def log_ratio(mean: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return emergence.find_crossings(emergence.slopes_from_products(mean), ratio).log_ratio

    measured = statistics.confidence_interval(emergence.slope_products(coefficients), log_ratio)
    predicted = np.stack([emergence.gaussian_slope(variances, level) for level in grid])
    begin, end = emergence.critical_period(variances, grid)
    per, steps = "component", ("step", "component")
    return {
        "slope": array(
            emergence.slopes(coefficients), steps, "share of the final value in the endpoint estimate", missing=NEVER
        ),
        "predicted_slope": array(predicted, steps, "the same by theory"),
        "measured_ratio": array(
            np.exp(measured.estimate), per, "sigma / alpha at which the component emerges", missing=NEVER
        ),
        "measured_low": array(np.exp(measured.low), per, "lower end of its 95 % interval", missing=NEVER),
        "measured_high": array(np.exp(measured.high), per, "upper end of its 95 % interval", missing=NEVER),
        "predicted_ratio": array(np.sqrt(variances), per, "the same by theory"),
        "period_begin": array(begin, per, "step at which the critical period begins, by theory", missing=NEVER),
        "period_end": array(end, per, "step at which the critical period ends, by theory", missing=NEVER),
        **with_interval(
            "rank_correlation",
            emergence.order_correlation(coefficients, variances, grid),
            "rank correlation of measured and predicted order",
        ),
        **with_interval(
            "mean_ratio",
            emergence.mean_emergence_ratio(coefficients, variances, grid),
            "geometric mean over components of measured over predicted ratio",
        ),
        "variance": array(variances, per, "variance of the data along the component"),
    }


def with_interval(name: str, found: statistics.Interval, meaning: str) -> dict[str, xr.DataArray]:
    """Return a number and the ends of its interval as arrays."""
    return {
        name: array(found.estimate, (), meaning, missing=NEVER),
        f"{name}_low": array(found.low, (), "lower end of its 95 % interval", missing=NEVER),
        f"{name}_high": array(found.high, (), "upper end of its 95 % interval", missing=NEVER),
    }


def main(inputs: dict[str, str], trajectories: list[str], output: str, study: str, components: int) -> None:
    """Process the shards batch by batch, resample the seeds, write the result."""
    basis = eigenbasis.load(inputs["eigenbasis"])
    seen = int((basis.variances > 1e-10 * basis.total_variance).sum())
    kept, inside = min(components, seen), manifold(basis)
    data = shards.concatenate(project(basis, kept, inside, batch) for batch in shards.batches(trajectories))
    spectrum = emergence.power_spectrum(basis)
    side = max(basis.image_shape[1:])
    result = xr.Dataset(
        {
            **times(data["coefficient"].values, basis.variances[:kept].numpy(), grid_of(data)),
            "frequency": array(
                spectrum.mean_frequency[:kept] * side, "component", "mean spatial frequency", "cycles/image"
            ),
            "basis_variance": array(basis.variances.numpy(), "basis_component", "variance of every component"),
            "basis_frequency": array(
                spectrum.mean_frequency * side, "basis_component", "its mean spatial frequency", "cycles/image"
            ),
            "distance": array(
                data["distance"].values,
                ("sample", "step"),
                "squared distance of the endpoint estimate from the mean image over the data's variance",
            ),
            "outside": array(
                data["outside"].values,
                ("sample", "step"),
                "fraction of it outside the components that hold 99.9 % of the variance",
            ),
            "null_distance": array(
                data["null_distance"].values,
                "sample",
                "squared distance of the first endpoint estimate from a flat image of the mean's brightness, over that variance",
            ),
            "mean_variance": array(basis.total_variance / basis.pixels, (), "mean variance of a pixel"),
            "manifold_rank": array(inside.rank, (), "number of those components"),
            **{name: data[name] for name in ("seed", "alpha", "sigma")},
        }
    )
    digests = [artifacts.digest(file) for file in trajectories]
    artifacts.save(result, output, origin(study, eigenbasis=artifacts.digest(inputs["eigenbasis"]), shards=digests))


if __name__ == "__main__":
    run(main)
