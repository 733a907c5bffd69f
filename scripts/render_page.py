"""Write the page of a study, one file that opens offline: findings, a part to play with, figures and tables."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from underpainting.basis import eigenbasis
from underpainting.io import artifacts, shards
from underpainting.io.writing import write_text
from underpainting_workflow.origins import use_threads
from underpainting_workflow.page import document, scene
from underpainting_workflow.page.document import Strip
from underpainting_workflow.runner import run

STRIP = 12  # generated images at the top
JUMPED = 8  # images after each jump
LAYOUT = Path(__file__).parents[1] / "workflow/report/page"


def build_scene(inputs: dict[str, list[str]], config: dict[str, Any]) -> scene.Scene | None:
    """Build the interactive part of a study of images; others have none."""
    if "trajectories" not in inputs:
        return None
    trajectory = shards.load_first(inputs["trajectories"], STRIP)
    files, count = inputs["jumped"], len(inputs["jumped"]) // len(config["skipped_steps"])
    parts = [files[start : start + count] for start in range(0, len(files), count)]
    jumped = [shards.load_first(part, JUMPED)["images"].values for part in parts]
    teleport = next(file for file in inputs["tables"] if file.endswith("/teleport.csv"))
    basis, table = eigenbasis.load(inputs["eigenbasis"][0]), pd.read_csv(teleport)
    with torch.inference_mode():
        return scene.build(basis, trajectory, table, config["sampler"], jumped)


def strip_of(inputs: dict[str, list[str]]) -> Strip:
    """Return the generated images at the top of the page, as bytes."""
    if "trajectories" in inputs:
        final = shards.load_first(inputs["trajectories"], STRIP)["state"].values[:, -1]
    elif "shown" in inputs:
        final = artifacts.load(inputs["shown"][0])["shown"].values[:STRIP, 0] / 127.5 - 1
    else:
        final = artifacts.load(inputs["views"][0])["state_image"].values[:STRIP, -1]
    return scene.to_bytes(scene.reduce(final))


def main(inputs: dict[str, list[str]], output: str, study: str, config: dict[str, Any]) -> None:
    """Build the parts, write the page."""
    use_threads(1)
    results = Path(next(file for file in inputs["tables"] if file.endswith("/findings.json"))).parent
    pages = [Path(file) for file in inputs["tables"] if file.endswith(".html")]
    page = document.write(results, LAYOUT, study, config, pages, build_scene(inputs, config), strip_of(inputs))
    write_text(page, output)


if __name__ == "__main__":
    run(main)
