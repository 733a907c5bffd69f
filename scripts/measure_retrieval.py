"""Find the nearest training images of generated images, the network's and the theories' (Sec. 4.3)."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from underpainting.analysis import retrieval
from underpainting.io import artifacts, shards
from underpainting.io.artifacts import array
from underpainting.noise.levels import NoiseGrid
from underpainting.samplers.randomness import initial_noise
from underpainting.theory import point_cloud
from underpainting_workflow.origins import origin
from underpainting_workflow.runner import run

BASELINE = 200
NULL_SEEDS = 64
TWINS = "images of which the data hold two"


def generated(trajectories: list[str], models: list[str]) -> dict[str, torch.Tensor]:
    """Return final images by origin: the network's, then each theory's, in the same order of seeds."""
    final = [batch["state"].isel(step=-1).values for batch in shards.batches(trajectories)]
    images = {"network": torch.from_numpy(np.concatenate(final))}
    for file in models:
        name = Path(file).name.removesuffix(".zarr.zip")
        images[name] = torch.from_numpy(artifacts.load(file)["image"].values)
    return images


def of_origins(found: dict[str, retrieval.Neighbours]) -> dict[str, xr.DataArray]:
    """Find the neighbours of every origin's images."""
    texts = {
        "distance": "distance to the nearest training image, root mean square per pixel",
        "ratio": "distance to the nearest over that to the second nearest training image",
        "image": "number of the nearest training image",
    }
    return {
        "nearest" if name == "image" else name: array(
            np.stack([getattr(one, name) for one in found.values()]), ("origin", "sample"), text, missing=TWINS
        )
        for name, text in texts.items()
    }


def last_step(cloud: point_cloud.PointCloud, models: list[str]) -> dict[str, xr.DataArray]:
    """Return the distances of images made of noise by the exact score's last step alone, if that theory is compared."""
    files = [file for file in models if Path(file).name == "point_cloud.zarr.zip"]
    if not files:
        return {}
    data = artifacts.load(files[0])
    grid = NoiseGrid(data["alpha"].values, data["sigma"].values)
    level = grid[int(np.flatnonzero(grid.sigma > 0)[-1])]
    noise = initial_noise(data["seed"].values[:NULL_SEEDS].tolist(), cloud.image_shape)
    distance = point_cloud.nearest(cloud, point_cloud.last_step(cloud, noise, level))[0][:, 0]
    text = "distance to the nearest training image of noise carried through the exact score's last step alone"
    return {"null_distance": array(distance.numpy(), "null", text)}


def main(dataset: str, trajectories: list[str], models: list[str], output: str, study: str) -> None:
    """Find the neighbours of every image, and of training images among all others as the baseline."""
    cloud = point_cloud.from_dataset(dataset)
    nearest = partial(point_cloud.nearest, cloud)
    images = generated(trajectories, models)
    found = {name: retrieval.find_neighbours(batch, nearest) for name, batch in images.items()}
    own = torch.linspace(0, len(cloud) - 1, min(BASELINE, len(cloud))).round().long().unique()
    baseline = retrieval.leave_one_out_neighbours(cloud.take(own), own, nearest)
    others = "of training images against all others"
    result = xr.Dataset(
        {
            **of_origins(found),
            **last_step(cloud, models),
            "baseline_distance": array(baseline.distance, "training", f"the same distance {others}"),
            "baseline_ratio": array(baseline.ratio, "training", f"the same ratio {others}", missing=TWINS),
        },
        attrs={"origins": list(found)},
    )
    digests = [artifacts.digest(file) for file in (*trajectories, *models)]
    artifacts.save(result, output, origin(study, data=artifacts.digest(dataset), shards=digests))


if __name__ == "__main__":
    run(main)
