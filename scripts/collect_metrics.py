"""Collect the main numbers of a study in one file, for `dvc metrics` and for comparisons of studies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from underpainting.io import artifacts
from underpainting.io.writing import write_json
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

RESIDUALS = (
    "residual_top2",
    "residual_top2_variance",
    "residual_plane",
    "residual_rotation_caption",
    "residual_rotation",
)
SWEEP = (
    *(
        "sampler",
        "jump",
        "skipped_steps",
        "nfe",
        "sigma",
        "alpha",
        "fd",
        "fd_infinite",
        "floor",
        "floor_infinite",
        "kid",
    ),
    *("autoencoder_fd", "autoencoder_fd_infinite", "rmse_to_network"),
)


def main_of(names: list[str]) -> str:
    """Return the sampler whose numbers are at the top level: DDIM if present, else the first."""
    return next((name for name in names if name.startswith("ddim-")), names[0])


def sampler_metrics(file: str, geometry: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the errors of the theory (mean over seeds and pixels, per step) and the geometry of one sampler."""
    data = artifacts.load(file)
    dimensions = {
        "states": "dim_state_median",
        "differences": "dim_difference_median",
        "noise_predictions": "dim_noise_median",
    }
    return {
        "gaussian_mse": data["state_error"].mean("sample").values.tolist(),
        "gaussian_endpoint_mse": data["endpoint_error"].mean("sample").values.tolist(),
        **{name: float(geometry[name]) for name in RESIDUALS},
        "dim_999": {name: float(geometry[column]) for name, column in dimensions.items()},
        "trajectories": int(data.sizes["sample"]),
    }


def main(comparison: list[str], geometry: str, teleport: str, output: str, study: str) -> None:
    """Write the main sampler's numbers at the top level, every sampler's below `samplers`, and the sweep as a list."""
    rows_of = pd.read_csv(geometry).set_index("sampler").to_dict("index")
    sweep = pd.read_csv(teleport).query("design == 'truncate' and jump != 'isotropic'").astype({"skipped_steps": int})
    names = {Path(file).parent.name: file for file in comparison}
    samplers = {name: sampler_metrics(file, rows_of[name]) for name, file in names.items()}
    main_sampler = main_of(list(samplers))
    rows = sweep[list(SWEEP)].astype(object).where(sweep[list(SWEEP)].notna(), None).to_dict("records")
    extractor = {"feature_extractor": str(sweep["extractor"].iloc[0]), "teleport_images": int(sweep["n"].iloc[0])}
    content = {
        **origin(study),
        "sampler": main_sampler,
        **samplers[main_sampler],
        "samplers": samplers,
        "teleport": rows,
        **extractor,
    }
    write_json(content, output)


if __name__ == "__main__":
    run(main)
