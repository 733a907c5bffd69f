"""Draw Fig. 4 E: images of the hybrid method by number of skipped steps."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from underpainting.io import artifacts, shards
from underpainting.plotting import hybrid


def draw(files: dict[str, list[str]], config: dict[str, Any]) -> Figure:
    """Draw the images of the first seeds, a row per number of skipped steps; `samples` lists its leading shards."""
    samples = files["samples"]
    each = len(samples) // len(config["skipped_steps"])
    rows = [
        shards.load_first(samples[start : start + each], config["gallery"]) for start in range(0, len(samples), each)
    ]
    images = [artifacts.require_range(row["images"], samples[0]).values for row in rows]
    skipped = [(steps, int(row["nfe"])) for steps, row in zip(config["skipped_steps"], rows, strict=True)]
    return hybrid.hybrid(images, skipped, rows[0]["seed"].values.tolist(), config["label"], config["steps"])
