"""Measure the image quality of one sampler at every NFE, on every grid and after every jump."""

from typing import Any, NamedTuple

import numpy as np

from underpainting.io import artifacts
from underpainting.io.writing import write_json
from underpainting.quality import distances, fidelity, reference_solution
from underpainting.quality.distances import MeasuredDistances, Reference
from underpainting_workflow.runner import run


class Run(NamedTuple):
    """The files of one NFE, grid and jump, shard by shard, and what they contain."""

    steps: int
    grid: str
    jump: str
    files: list[str]


class Row(NamedTuple):
    """A row of the table, its distances for comparisons, and its squared differences from the network's own images."""

    columns: dict[str, Any]
    found: MeasuredDistances
    errors: np.ndarray[Any, Any]


def measured(run: Run, real: dict[str, Reference], config: dict[str, Any]) -> list[Row]:
    """Measure a row for each level at which the jump ends."""
    shards = [artifacts.load(file) for file in run.files]
    features = distances.concatenate_features(shards)
    errors = np.concatenate([shard["squared_error"].values for shard in shards])
    rows = []
    for place, percent in enumerate(shards[0]["skipped_percent"].values.tolist()):
        chosen = {prefix: values[:, place] for prefix, values in features.items()}
        found = distances.measure_distances(chosen, real, config["resamples"])
        level = {name: shards[0][name].values[place].item() for name in ("nfe", "alpha", "sigma")}
        scores = fidelity.compare_features(chosen[""], real[""].features, **config["scores"])._asdict()
        about = {
            "steps": run.steps,
            "grid": run.grid,
            "jump": run.jump,
            "skipped_percent": percent,
            **level,
            **scores,
            "n": len(errors),
        }
        known = errors[~np.isnan(errors[:, place]), place]
        near = (
            distances.interval_columns("rmse_to_network", *reference_solution.rmse_interval(known)[:3])
            if len(known) > 1
            else {}
        )
        rows.append(Row({**about, **found.columns(), **near}, found, known))
    return rows


def best_plain(rows: list[Row]) -> dict[int, Row]:
    """Return the row without a jump on the grid with the least distance, by the number of steps."""
    found: dict[int, Row] = {}
    for row in sorted(rows, key=lambda row: row.found.judged("")):
        if row.columns["jump"] == "none":
            found.setdefault(row.columns["steps"], row)
    return found


def compared(row: Row, rows: list[Row], reference: int | None) -> dict[str, Any]:
    """Add the losses to a row: relative to as many steps and to many calls without a jump, each on its best grid."""
    plain = best_plain(rows)
    same = plain[row.columns["steps"]]
    columns = {**row.columns, **row.found.losses(same.found, "loss")}
    if len(row.errors) > 1:
        columns |= distances.interval_columns(
            "network_loss", *reference_solution.relative_loss(row.errors, same.errors)[:3]
        )
    return {**columns, **(row.found.losses(plain[reference].found, "behind") if reference in plain else {})}


def main(generated: list[str], real: str, output: str, sampler_name: str, config: dict[str, Any]) -> None:
    """Measure all rows of a sampler, write them."""
    references = distances.load_references(real)
    shards = len(generated) // len(config["runs"])
    runs = [
        Run(steps, grid, jump, generated[number * shards : (number + 1) * shards])
        for number, (steps, grid, jump) in enumerate(config["runs"])
    ]
    rows = [row for run in runs for row in measured(run, references, config)]
    complete = [compared(row, rows, config["reference"]) for row in rows]
    write_json([{"sampler": f"{sampler_name}-{row['steps']}", "design": "regrid", **row} for row in complete], output)


if __name__ == "__main__":
    run(main)
