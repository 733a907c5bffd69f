"""`python -m benchmarks.lowrank`: the low-rank eigenbasis of 2,000 images of 196,608 pixels, by the workflow's own scripts.

Images are written as an npz and go through `prepare_dataset`, `estimate_moments` (variances alone) and
`decompose_covariance`, each in a process of its own, whose peak memory is measured. The exact peer is the Gram matrix. Two
kinds of images: Gaussian fields with amplitudes that fall as 1/f and independent colours, which is as slow a spectrum as
photographs have; and, where UNDERPAINTING_DATA holds them, faces enlarged to the size.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.job import Cost, cost
from benchmarks.measure import Ratio, table

SIZE, IMAGES, RANK = 256, 2000, 200
GIBIBYTES = 6.0
POWERS = 4  # of the covariance in eigenbasis.randomized: one product there and one back for each, then one onto all


def write_fields(path: str, count: int, size: int, batch: int = 50) -> None:
    """Byte images (sample, height, width, 3) whose amplitudes fall as 1/f, standard deviation a quarter of the range."""
    random = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = 1 / size
    scale = 64.0 / np.sqrt(np.mean(1 / frequency**2))
    images = np.empty((count, size, size, 3), np.uint8)
    for start in range(0, count, batch):
        part = images[start : start + batch]
        waves = np.fft.rfft2(random.standard_normal((len(part), 3, size, size))) / frequency
        fields = 127.5 + scale * np.fft.irfft2(waves, s=(size, size))
        part[:] = np.clip(np.round(fields), 0, 255).transpose(0, 2, 3, 1)
    np.savez(path, images=images)


def bare_products(count: int, pixels: int, columns: int, products: int, batch: int = 250) -> None:
    """As many products of a matrix (count, pixel) with one of (pixel, column) in float64, from memory."""
    random = np.random.default_rng(0)
    images, thin = random.random((batch, pixels)), random.random((pixels, columns))
    for _ in range(products * count // batch):
        images @ thin


def sources(folder: Path) -> dict[str, Path]:
    """Name and npz file of each kind of images; what is written for the purpose goes to the folder."""
    fields = folder / "fields.npz"
    cost("benchmarks.lowrank", "write_fields", path=str(fields), count=IMAGES, size=SIZE)
    faces = Path(os.environ.get("UNDERPAINTING_DATA", "")) / "lfw64-5k.npz"
    return {"1/f fields": fields} | ({"faces": faces} if faces.is_file() else {})


def workflow(npz: Path, folder: Path) -> dict[str, Cost]:
    """The scripts' costs; the last two leave `randomized.zarr.zip` and `gram.zarr.zip` in the folder."""
    names = "dataset", "moments", "randomized", "gram"
    files = {name: str(folder / f"{name}.zarr.zip") for name in names}
    source = {"source": "npz", "path": "", "image_size": SIZE, "channels": 3, "resize": "crop", "limit": IMAGES}
    data, study, place = files["dataset"], "bench", str(npz)
    of_moments = {"per_class": False, "batch_size": 1024, "diagonal": True}
    costs = {
        "dataset": cost("scripts.prepare_dataset", "main", output=data, study=study, config=source, place=place),
        "moments": cost(
            "scripts.estimate_moments", "main", dataset=data, output=files["moments"], study=study, **of_moments
        ),
    }
    for method in names[2:]:
        config = {"method": method, "rank": RANK, "explained_variance": None, "seed": 0}
        arguments = {"moments_file": files["moments"], "output": files[method], "study": study, "config": config}
        costs[method] = cost("scripts.decompose_covariance", "main", dataset=data, **arguments)
    return costs


def explained(path: Path) -> float:
    """Fraction of the variance that a stored basis explains."""
    from underpainting.io import artifacts

    data = artifacts.load(path)
    return float(data["variances"].sum() / data["total_variance"])


def once(name: str, ours: float, peer: str, reference: float, goal: str, unit: str) -> Ratio:
    """A ratio measured once."""
    value = ours / reference
    return Ratio(name, peer, value, value, value, ours, reference, goal, unit)


def lowrank_cost() -> Iterator[Ratio]:
    """Memory, explained variance and duration of the low-rank eigenbasis, for each kind of images."""
    pixels = 3 * SIZE**2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = sources(folder)
        shape = {"count": IMAGES, "pixels": pixels, "columns": RANK + 16, "products": 3 * POWERS}
        bare = cost("benchmarks.lowrank", "bare_products", **shape)
        for kind, npz in found.items():
            costs = workflow(npz, folder)
            what = f"rank {RANK} of {IMAGES:,} images of {pixels:,} pixels, {kind}"
            for step in ("dataset", "moments", "randomized"):
                memory = costs[step].gibibytes
                yield once(f"{what}: memory, {step}", memory, "the limit", GIBIBYTES, "below 1", "GiB")
            ours, exact = (explained(folder / f"{method}.zarr.zip") for method in ("randomized", "gram"))
            yield once(f"{what}: variance explained", ours, "Gram matrix", exact, "0.999 to 1", "")
            taken, products = costs["randomized"].seconds, bare.seconds
            yield once(f"{what}: duration", taken, "bare products", products, "at most 3", "s")
            taken, exactly = costs["randomized"].seconds, costs["gram"].seconds
            yield once(f"{what}: duration", taken, "Gram matrix", exactly, "-", "s")


if __name__ == "__main__":
    print(table(lowrank_cost()))
