"""The same study on a real two-node Slurm: the same bytes, the new work alone, and no loss beyond what was killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.workflow.cluster import Cluster, Task, missing, wait_until
from tests.workflow.project import Project

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

TARGETS = ("trajectories", "teleport")
# removed, to be made again on the cluster: their bytes here are known
REMADE = tuple(f"results/tiny/{path}" for path in ("trajectories/heun-4", "teleport/ddim-6/skipped_2", "teleport.csv"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Slurm, for this module."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # a socket's path has at most 107 characters
    running = Cluster(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def grow(project: Project) -> None:
    """A shard and a sampler more; and something that is lost."""
    study = project.study()
    study["trajectories"]["seeds"] = 16
    study["trajectories"]["samplers"].append({"name": "euler", "steps": 4})
    project.write(study)
    for path in (project.folder / name for name in REMADE):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def expected() -> set[Task]:
    """The jobs that this takes, and no others."""
    shards = (("ddim-6", 8), ("heun-4", 0), ("heun-4", 8), ("euler-4", 0), ("euler-4", 8))
    jump = {"sampler": "ddim-6", "skipped_steps": 2, "sweep": "teleport"}
    return {
        *(Task.of("sample_trajectories", sampler=name, first=first, stop=first + 8) for name, first in shards),
        *(Task.of(rule, first=0, stop=24, **jump) for rule in ("sample_teleport", "extract_features")),
        Task.of("measure_fidelity", **jump),
    }


def test_a_study_grows_on_a_cluster_through_kills(copy: Project, built: Project, cluster: Cluster) -> None:
    grow(copy)
    with (copy.folder / "head.log").open("w") as log:
        head = subprocess.Popen(
            cluster.command(*TARGETS), cwd=copy.folder, env=cluster.environment, stdout=log, stderr=log
        )
    wait_until(lambda: len(cluster.jobs("running")) == 4)
    psutil.Process(head.pid).kill()
    head.wait()
    begun = cluster.jobs()
    cluster.run("scancel", cluster.jobs("running", "node1")[0])
    cluster.kill_node("node2")

    told = cluster.build(copy, *TARGETS)
    assert "waiting for jobs of a run that was killed" in told
    again = cluster.tasks(number for number in cluster.jobs() if number not in begun)
    assert {*cluster.tasks(begun), *again} == expected(), "the new jobs alone, in Slurm's own record"
    ended_well = cluster.tasks(number for number in cluster.jobs("completed") if number in begun)
    assert ended_well, "a job outlived its Snakemake"
    assert len(again) == len(set(again)) and not set(again) & set(ended_well), "only what was lost was done again"
    assert "Nothing to be done" in cluster.build(copy, *TARGETS)

    here = {name: digest for name, digest in built.artifacts().items() if name.startswith(REMADE)}
    there = copy.artifacts()
    assert len(here) == 5, "a trajectory shard; samples, features and distance of a jump; the table"
    assert {name: there.get(name) for name in here} == here, "the bytes are those of a run on this machine alone"

    facts = map(json.loads, (copy.folder / "workflow/provenance/tiny.jsonl").read_text(encoding="utf-8").splitlines())
    recorded = {entry["path"]: entry["sha256"] for entry in facts if "path" in entry}
    assert {name: recorded.get(name) for name in here} == here, "what a colleague needs who pulls them is recorded"
