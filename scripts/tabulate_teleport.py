"""Tabulate the teleportation sweep as one tidy table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from underpainting.io import artifacts
from underpainting.io.writing import write_text
from underpainting.quality import reference_solution
from underpainting.quality.distances import interval_columns
from underpainting.quality.extractors import FEATURES
from underpainting.teleport import sweep
from underpainting_workflow import tables
from underpainting_workflow.runner import run

FEATURE_COLUMNS = ["fd", "fd_infinite", "floor", "floor_infinite", "loss", "behind"]
NETWORK_COLUMNS = ["rmse_to_network", "network_loss", "rmse_of_jump"]
SKIPPED = ["skipped_steps", "skipped_percent"]  # of the designs truncate and regrid; the other is empty
EXACT = {"floor", "floor_infinite"}  # no interval
COLUMNS = [
    *["sampler", "design", "grid", "jump", *SKIPPED, "nfe", "sigma", "alpha"],
    *(
        f"{name}{end}"
        for name in [*(f"{prefix}{name}" for prefix in FEATURES for name in FEATURE_COLUMNS), *NETWORK_COLUMNS]
        for end in (("",) if name.removeprefix("autoencoder_") in EXACT else ("", "_low", "_high"))
    ),
    *["kid", "kid_std", "precision", "recall", "n", "extractor"],
]
HEADINGS = {
    "skipped_steps": "Skipped steps",
    "nfe": "NFE",
    "sigma": "Noise scale",
    "fd": "",
    "fd_infinite": "",
    "floor": "Floor",
    "loss": "Loss",
    "autoencoder_loss": "Loss (autoencoder)",
    "rmse_to_network": "RMSE to network",
    "rmse_of_jump": "RMSE of the jump",
    "network_loss": "Loss (RMSE to network)",
    "kid": "KID",
    "precision": "Precision",
    "recall": "Recall",
}
FORMATS = {
    "Noise scale": "{:.3f}",
    "Floor": "{:.3f}",
    "KID": "{:.5f}",
    "Precision": "{:.3f}",
    "Recall": "{:.3f}",
}
NOTE = (
    "Skipped steps: replaced by the closed form. {distance}: Frechet distance of {images} images ({null} of the null model) "
    "to held-out real images; lower is better, as for KID. n to infinity: extrapolated to infinitely many images, so that "
    "it does not depend on their number. Floor: distance of as many real images; values below it are not better. Loss: "
    "relative increase of a measure over the sampler without a jump, from the same seeds: of the distance at infinitely "
    "many images, of the same in the features of an autoencoder, which is trained without labels, and of the root mean "
    "squared difference (RMSE) from the network's own images, solved in many small steps from the same noise. RMSE of the "
    "jump: the part of it that remains however many calls follow. Null model: the jump of an isotropic Gaussian, which has "
    "the mean and the total variance alone. 95 % intervals by resampling seeds."
)
WITH_INTERVAL = {
    "fd_infinite": "{:.3f}",
    "rmse_to_network": "{:.4f}",
    "rmse_of_jump": "{:.4f}",
    "loss": "{:+.1%}",
    "autoencoder_loss": "{:+.1%}",
    "network_loss": "{:+.1%}",
}


def gather(truncated: list[str], low_nfe: list[str], jumps: str, extractor: str) -> pd.DataFrame:
    """Collect all rows, first those of the samplers' own grids, and add the bias of each jump."""
    rows = [json.loads(Path(file).read_text(encoding="utf-8")) for file in truncated]
    for file in low_nfe:
        rows.extend(json.loads(Path(file).read_text(encoding="utf-8")))
    found = biases(jumps)
    for row in rows:
        place = (
            row["sampler"] if row["design"] == "truncate" else "",
            row["jump"],
            *(row.get(name, 0) for name in SKIPPED),
        )
        row |= found.get(place, {})
    return (
        pd.DataFrame(rows).assign(extractor=extractor).reindex(columns=COLUMNS).astype(dict.fromkeys(SKIPPED, "Int64"))
    )


def biases(file: str) -> dict[tuple[str, str, int, int], dict[str, float]]:
    """Return the RMSE of each jump, by sampler (empty for the design "re-grid"), jump, skipped steps and per cent."""
    data = artifacts.load(file)
    places = zip(*(data[name].values.tolist() for name in ("sampler", "jump", *SKIPPED)), strict=True)
    errors = [values[~np.isnan(values)] for values in data["squared_error"].values]
    return {
        place: interval_columns("rmse_of_jump", *reference_solution.rmse_interval(values)[:3])
        for place, values in zip(places, errors, strict=True)
        if len(values) > 1
    }


def with_interval(rows: pd.DataFrame, name: str, form: str) -> list[str]:
    """Format estimates with their intervals below; empty where there is no estimate."""
    triples = zip(rows[name], rows[f"{name}_low"], rows[f"{name}_high"], strict=True)
    return [
        "" if pd.isna(value) else f"{form.format(value)}\n{form.format(low)} to {form.format(high)}"
        for value, low, high in triples
    ]


def skippable_steps(rows: pd.DataFrame, extractor: str) -> str:
    """Describe how many steps can be skipped, by each measure and by all of them."""
    limit, names = f"{100 * sweep.TOLERANCE:g} %", sweep.measure_names(extractor)
    found = {text: sweep.skippable(rows, [loss]) for loss, text in names.items()}
    found["all of them"] = sweep.skippable(rows)
    if found["all of them"] is None:
        return "Not sampled without a jump, so there is no reference."
    parts = [
        f"by {text} {one.skipped_steps} ({one.low} to {one.high}), {one.share:.0%} of the network calls"
        for text, one in found.items()
        if one
    ]
    return f"Steps that can be skipped, with all shorter jumps, for at most {limit} more: {'; '.join(parts)}."


def part(table: pd.DataFrame, sampler: str, label: str, extractor: str, jump: str = "gaussian") -> tables.Part:
    """Format the rows of one sampler, in the form of Tables 3-5."""
    rows, distance = sweep.truncated(table, sampler, jump), sweep.distance_name(extractor)
    shown = rows.assign(**{name: with_interval(rows, name, form) for name, form in WITH_INTERVAL.items()})
    headings = {**HEADINGS, "fd": distance, "fd_infinite": f"{distance}, n to infinity"}
    shown = shown[list(headings)].rename(columns=headings)
    return tables.Part(label, skippable_steps(rows, extractor), shown, {**FORMATS, distance: "{:.3f}"})


def main(truncated: list[str], low_nfe: list[str], jumps: str, csv: str, html: str, config: dict[str, Any]) -> None:
    """Collect the rows, write CSV and HTML; the page shows the samplers' own grids, as the paper's Tables 3-5 do."""
    table = gather(truncated, low_nfe, jumps, config["extractor"])
    write_text(tables.csv(table), csv)
    distance = sweep.distance_name(config["extractor"])
    own = table[table["design"] == "truncate"]
    note = NOTE.format(distance=distance, images=own["n"].max(), null=own.loc[own["jump"] == sweep.NULL, "n"].max())
    parts = [part(table, sampler, label, config["extractor"]) for sampler, label in config["labels"].items()]
    parts += [
        part(table, sampler, f"{label}: null model", config["extractor"], sweep.NULL)
        for sampler, label in config["labels"].items()
    ]
    write_text(tables.pages(parts, "Teleportation sweep", note), html)


if __name__ == "__main__":
    run(main)
