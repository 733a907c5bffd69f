"""What it costs to plan many jobs: `python -m benchmarks.planning`.

The peer is Snakemake's own dry run of an equal workflow: the same jobs, files, logs and benchmarks, but constant
parameters and no library. A sweep of S shards has S sampling jobs and S of features. Processor time, both in turn.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from benchmarks.measure import processor_seconds, ratio, seconds, table
from snakemake_provenance import manifest
from snakemake_provenance.facts import Fact
from snakemake_provenance.plan import Job, plan
from snakemake_provenance.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
SHARD = 24
SKIPPED_STEPS = (0, 2)
LIMITS = {"MaxArraySize": 1001, "MaxJobCount": 10_000}
"""Slurm's own defaults; the first counts from 0."""
RULE = """
rule {name}:
    input: {inputs}
    output: {outputs}
    log: "logs/{{study}}/{log}.log"
    benchmark: "logs/{{study}}/benchmarks/{log}.tsv"
    params: code="{name} 0123456789abcdef", packages={packages}, config={config}
    script: "scripts/job.py"
"""
HEAD = """
NETWORK = {{
    "index": "results/{{study}}/denoiser/model_index.json",
    "config": "results/{{study}}/denoiser/unet/config.json",
    "weights": "results/{{study}}/denoiser/unet/diffusion_pytorch_model.safetensors",
    "scheduler": "results/{{study}}/denoiser/scheduler/scheduler_config.json",
    "schedule": "results/{{study}}/denoiser/schedule.zarr.zip",
}}
FEATURES = [
    f"results/{{{{study}}}}/teleport/{{{{sampler}}}}/skipped_{{{{skipped_steps}}}}/features/"
    f"seeds_{{first}}-{{first + {size}}}.zarr.zip"
    for first in range(0, {seeds}, {size})
]

rule all:
    input: "results/tiny/teleport.csv"
"""
PACKAGES = {"numpy": "2.0.0", "torch": "2.0.0", "xarray": "2025.1.0", "zarr": "3.0.0", "diffusers": "0.30.0"}
CONFIG = {
    "sampler": {"name": "ddim", "steps": 6, "timestep_spacing": None},
    "batch_size": 256,
    "device": "auto",
}
DATASET = '"results/{study}/dataset.zarr.zip"'
CLASSIFIER = '"results/{study}/classifier.safetensors"'
FOLDER = "teleport/{sampler}/skipped_{skipped_steps}"
PEER = (
    ("dataset", "", DATASET, "dataset"),
    ("train", DATASET, "**NETWORK, losses='results/{study}/losses', snapshots='results/{study}/snapshots'", "train"),
    ("moments", DATASET, '"results/{study}/moments.zarr.zip"', "moments"),
    ("basis", f'{DATASET}, "results/{{study}}/moments.zarr.zip"', '"results/{study}/eigenbasis.zarr.zip"', "basis"),
    ("classifier", DATASET, CLASSIFIER, "classifier"),
    (
        "sample",
        '**NETWORK, eigenbasis="results/{study}/eigenbasis.zarr.zip"',
        f'"results/{{study}}/{FOLDER}/samples/seeds_{{first}}-{{stop}}.zarr.zip"',
        f"{FOLDER}/samples_{{first}}-{{stop}}",
    ),
    (
        "features",
        f'"results/{{study}}/{FOLDER}/samples/seeds_{{first}}-{{stop}}.zarr.zip", {CLASSIFIER}',
        f'"results/{{study}}/{FOLDER}/features/seeds_{{first}}-{{stop}}.zarr.zip"',
        f"{FOLDER}/features_{{first}}-{{stop}}",
    ),
    ("reference", f"{DATASET}, {CLASSIFIER}", '"results/{study}/reference_features.zarr.zip"', "reference"),
    (
        "fidelity",
        'FEATURES, "results/{study}/reference_features.zarr.zip"',
        f'"results/{{study}}/{FOLDER}/fidelity.json"',
        f"{FOLDER}/fidelity",
    ),
    (
        "tabulate",
        'expand("results/{{study}}/teleport/ddim-6/skipped_{skipped_steps}/fidelity.json", '
        f"skipped_steps={list(SKIPPED_STEPS)})",
        '"results/{study}/teleport.csv", "results/{study}/tables/teleport.html"',
        "table",
    ),
)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder."""
    home = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(home)


def dry_run(*arguments: str) -> int:
    """Plan in the working folder; returns the number of jobs."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", "--quiet", "rules", "host", *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"^total +(\d+)$", result.stdout + result.stderr, re.M)
    return int(found[1]) if found else 0


def plan_ours(folder: Path) -> int:
    """The dry run of this workflow."""
    with inside(folder):
        return dry_run("--snakefile", str(ROOT / "Snakefile"), "--", "teleport")


def plan_peer(folder: Path) -> int:
    """The dry run of the peer."""
    with inside(folder):
        return dry_run()


def make_ours(folder: Path, seeds: int, skipped_steps: tuple[int, ...], size: int, steps: int = 6) -> None:
    """A project with the tiny study, its sweep enlarged."""
    study = yaml.safe_load((ROOT / "tests" / "studies" / "tiny.yaml").read_text(encoding="utf-8"))
    study["teleport"] |= {"seeds": seeds, "skipped_steps": list(skipped_steps), "shard_size": size}
    study["teleport"]["samplers"] = [{"name": "ddim", "steps": steps}]
    (folder / "config" / "studies").mkdir(parents=True)
    (folder / "config" / "config.yaml").write_text("studies: [tiny]\n")
    (folder / "config" / "studies" / "tiny.yaml").write_text(yaml.safe_dump(study))
    (folder / "Snakefile").symlink_to(ROOT / "Snakefile")


def make_peer(folder: Path, seeds: int) -> None:
    """A workflow of the same jobs."""
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "job.py").write_text("")
    rules = (
        RULE.format(name=name, inputs=inputs, outputs=outputs, log=log, packages=PACKAGES, config=CONFIG)
        for name, inputs, outputs, log in PEER
    )
    (folder / "Snakefile").write_text(HEAD.format(seeds=seeds, size=SHARD) + "".join(rules))


def fill_ours(folder: Path) -> None:
    """Outputs of all jobs, and the facts as if the jobs had run."""
    with inside(folder):
        jobs = plan(targets=["teleport"], options=["--snakefile", str(ROOT / "Snakefile")])
        digests = {path: _write(path) for job in jobs for path in job.outputs}
        facts = [_fact(path, job, digests) for job in jobs for path in job.outputs]
        manifest.write(Settings().manifest("tiny"), facts, {})


def _write(path: str) -> str:
    """A small file with a content of its own; returns its digest."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(path)
    return hashlib.sha256(path.encode()).hexdigest()


def _fact(path: str, job: Job, digests: dict[str, str]) -> Fact:
    record = {"rule": job.rule, "params": job.params}
    return Fact(path, digests[path], len(path), {}, {name: digests[name] for name in job.inputs}, record)


def fill_peer(folder: Path, ours: Path) -> None:
    """The same outputs, with Snakemake's own records."""
    with inside(folder):
        for file in (file for file in (ours / "results").rglob("*") if file.is_file()):
            _write(file.relative_to(ours).as_posix())
        for path in ("results/tiny/losses", "results/tiny/snapshots"):
            _write(path)
        command = [sys.executable, "-m", "snakemake", "--touch", "--cores", "1", "--quiet", "all"]
        subprocess.run(command, check=True, capture_output=True)


def rows(name: str, ours: Path, peer: Path, goal: str, pairs: int) -> list[str]:
    """A table of the two dry runs in turn, which must plan equally many jobs."""
    planned: list[tuple[int, int]] = []
    mine: list[int] = []
    result = ratio(
        name,
        lambda: mine.append(plan_ours(ours)),
        "Snakemake, equal workflow",
        lambda: planned.append((mine[-1], plan_peer(peer))),
        goal,
        pairs,
        clock=processor_seconds,
    )
    assert len(set(planned)) == 1 and planned[0][0] == planned[0][1], f"not the same jobs: {planned}"
    return [*table([result]).splitlines(), f"jobs planned by each: {planned[0][0]}"]


def compared(shards: int, pairs: int, finished: bool) -> str:
    """The tables for one number of shards: nothing built and, if wanted, everything built."""
    with tempfile.TemporaryDirectory() as scratch:
        ours, peer = Path(scratch) / "ours", Path(scratch) / "peer"
        seeds = shards // len(SKIPPED_STEPS) * SHARD
        make_ours(ours, seeds, SKIPPED_STEPS, SHARD)
        make_peer(peer, seeds)
        lines = rows(f"{shards} shards, none built", ours, peer, "at most 1.3", pairs)
        if finished:
            fill_ours(ours)
            fill_peer(peer, ours)
            first = seconds(lambda: plan_ours(ours))
            lines += rows(f"{shards} shards, all built", ours, peer, "-", pairs)
            lines.append(
                f"the first dry run after a clone, which reads every file and writes every record: {first:.1f} s"
            )
    return "\n".join(lines)


def large_sweep() -> str:
    """The sweep of 50,000 seeds and 11 numbers of skipped steps: its jobs, and the time to plan them."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "ours"
        make_ours(folder, 50_000, tuple(range(0, 55, 5))[:11], 2000, steps=51)
        jobs: list[Job] = []
        with inside(folder):
            options = ["--snakefile", str(ROOT / "Snakefile")]
            wall = seconds(lambda: jobs.extend(plan(targets=["teleport"], options=options)))
    counts = {rule: sum(job.rule == rule for job in jobs) for rule in sorted({job.rule for job in jobs})}
    largest = max(counts.values())
    assert largest < LIMITS["MaxArraySize"] and len(jobs) < LIMITS["MaxJobCount"]
    lines = [f"{rule:28}{count:6}" for rule, count in counts.items()]
    lines.append(
        f"50,000 seeds x 11 numbers of skipped steps in shards of 2,000: {len(jobs)} jobs, planned in {wall:.1f} s (goal: 180 s)"
    )
    told = ", ".join(f"{name} {value}" for name, value in LIMITS.items())
    lines.append(f"largest array {largest}; Slurm's defaults: {told}")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, nargs="*", default=[2_500, 5_000, 10_000], help="sizes compared")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of runs per size")
    parser.add_argument("--finished", action="store_true", help="measure with every output built, too")
    options = parser.parse_args()
    print(large_sweep(), flush=True)
    for shards in options.shards:
        print(f"\n{compared(shards, options.pairs, options.finished)}", flush=True)


if __name__ == "__main__":
    main()
