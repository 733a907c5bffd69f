"""Tabulate the agreement of images with their captions: real images, the same through the VAE, and the network's own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from underpainting.analysis import statistics
from underpainting.denoisers.compute import Compute
from underpainting.denoisers.latent_model import LatentModel
from underpainting.images.training_images import load_bytes
from underpainting.io import artifacts
from underpainting.io.writing import write_text
from underpainting.quality import attributes, fidelity, held_out
from underpainting.quality.distances import interval_columns
from underpainting_workflow import tables
from underpainting_workflow.runner import run

NOTE = (
    "Fraction of the images whose attribute, by the study's classifier, is what their caption says, with 95 % intervals. Real "
    "images are held out of the training of the classifier; the VAE has seen them. Generated: plain runs of the main sampler "
    "with all steps; their intervals are over prompts and seeds."
)


def of_images(images: torch.Tensor, said: NDArray[np.int8], network: Any, names: list[str]) -> dict[str, Any]:
    """Measure the agreement of byte images, with intervals over images, as columns."""
    right = attributes.is_right(network.classify(images), said)
    columns: dict[str, Any] = {"n": len(images)}
    for name, values in zip(names, right.T, strict=True):
        known = np.isfinite(values)
        interval = statistics.proportion_interval(int(values[known].sum()), int(known.sum()))
        columns |= interval_columns(f"agreement_{name}", *interval[:3])
    return columns


def real(inputs: dict[str, str], network: Any, names: list[str], most: int, compute: Compute) -> list[dict[str, Any]]:
    """Measure held-out real images, and the same after encoding and decoding."""
    images, said = load_bytes(inputs["dataset"]), artifacts.load(inputs["dataset"])["attributes"].values
    chosen = held_out.held_out_indices(len(images))[:most]
    kept = torch.from_numpy(images[chosen])
    model = LatentModel.load(Path(inputs["index"]).parent, compute)
    passed = torch.cat([_through(model, part) for part in kept.split(256)])
    rows = {"real images": kept, "real images through the VAE": passed}
    return [{"images": name, **of_images(part, said[chosen], network, names)} for name, part in rows.items()]


def _through(model: LatentModel, images: torch.Tensor) -> torch.Tensor:
    """Encode and decode byte images."""
    return fidelity.to_bytes(model.decode(model.encode(images.float() / 127.5 - 1.0)).cpu())


def generated(file: str) -> list[dict[str, Any]]:
    """Return the rows of plain runs with all steps, of the main sampler."""
    table = pd.read_csv(file)
    plain = table[
        (table["kind"] == "plain") & (table["skipped_steps"] == 0) & (table["sampler"] == table["sampler"].iloc[0])
    ]
    columns = ["n", *(name for name in plain if name.startswith("agreement_") and "loss" not in name)]
    return [
        {"images": f"guidance {row['guidance']:g}, {row['group']} prompts", **row[columns].to_dict()}
        for _, row in plain.iterrows()
    ]


def page(table: pd.DataFrame, names: list[str]) -> str:
    """Make the page of the table: each agreement with its interval."""
    shown = pd.DataFrame({"Images": table["images"], "n": table["n"]})
    for name in names:
        if f"agreement_{name}" in table:
            ends = [table[f"agreement_{name}{end}"] for end in ("", "_low", "_high")]
            shown[name.capitalize()] = [
                "" if np.isnan(value) else f"{value:.3f} ({low:.3f} to {high:.3f})"
                for value, low, high in zip(*ends, strict=True)
            ]
    return tables.page(shown, "Agreement with captions", NOTE, {})


def main(inputs: dict[str, str], csv: str, html: str, config: dict[str, Any], compute: Compute) -> None:
    """Measure real images, add the network's, write CSV and HTML."""
    network = attributes.load(inputs["classifier"]).network
    names = list(json.loads(artifacts.load(inputs["dataset"]).attrs["words"]))
    rows = real(inputs, network, names, config["images"], compute) + generated(inputs["teleport"])
    table = pd.DataFrame(rows)
    write_text(tables.csv(table), csv)
    write_text(page(table, [*names, "all"]), html)


if __name__ == "__main__":
    run(main)
