"""Distances between generated and real images of one sampler, at every budget and after every jump."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from underpainting import artifacts
from underpainting.jobs import job
from underpainting.origins import use_threads
from underpainting.quality import fidelity, frechet
from underpainting.writing import write_json

if TYPE_CHECKING:
    from snakemake.script import Snakemake

    snakemake: Snakemake


class Run(NamedTuple):
    """The files of one budget and jump, shard by shard, and what they are."""

    steps: int
    jump: str
    files: list[str]


def measured(
    run: Run, real: np.ndarray[Any, Any], moments: frechet.Real, config: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row for each level where the jump landed; `bootstrapped` is kept for comparisons."""
    shards = [artifacts.load(file) for file in run.files]
    rows = []
    for place, skip in enumerate(shards[0]["skip"].values.tolist()):
        features = np.concatenate([shard["features"][:, place].values for shard in shards])
        found = frechet.bootstrap(features, moments, config["resamples"])
        low, high = found.interval()
        level = {name: shards[0][name].values[place].item() for name in ("nfe", "alpha", "sigma")}
        scores = fidelity.compare(features, real, **config["scores"])._asdict()
        row = {"steps": run.steps, "jump": run.jump, "skip": skip, **level, **scores, "fd_low": low, "fd_high": high}
        rows.append({**row, "n": len(features), "bootstrapped": found})
    return rows


def losses(row: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
    """How much worse than the same sampler with as many steps and no jump, with its interval."""
    plain = next(other for other in others if other["steps"] == row["steps"] and other["jump"] == "none")
    loss, low, high = frechet.relative_loss(row["bootstrapped"], plain["bootstrapped"])
    return {"loss": loss, "loss_low": low, "loss_high": high}


def against(row: dict[str, Any], reference: dict[str, Any] | None) -> dict[str, Any]:
    """How much worse than the plain run with many calls, with its interval."""
    if reference is None:
        return {}
    loss, low, high = frechet.relative_loss(row["bootstrapped"], reference["bootstrapped"])
    return {"behind": loss, "behind_low": low, "behind_high": high}


def main(runs: list[Run], real_file: str, output: str, sampler: str, config: dict[str, Any]) -> None:
    """All rows of a sampler."""
    real = artifacts.load(real_file)["features"].values
    moments = frechet.Real.of(real)
    rows = [row for run in runs for row in measured(run, real, moments, config)]
    plain = [row for row in rows if row["steps"] == config["reference"] and row["jump"] == "none"]
    whole = [{**row, **losses(row, rows), **against(row, plain[0] if plain else None)} for row in rows]
    for row in whole:
        del row["bootstrapped"]
    write_json([{"sampler": f"{sampler}-{row['steps']}", "design": "regrid", **row} for row in whole], output)


if __name__ == "__main__":
    with job(snakemake):
        use_threads(snakemake.threads)
        files, config = list(snakemake.input.generated), snakemake.params.config
        shards = len(files) // len(config["runs"])
        runs = [
            Run(steps, jump, files[number * shards : (number + 1) * shards])
            for number, (steps, jump) in enumerate(config["runs"])
        ]
        main(runs, snakemake.input.real, snakemake.output[0], snakemake.wildcards.solver, config)
