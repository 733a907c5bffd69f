"""The same study on a real two-node Slurm: the same bytes, the new work alone, and no loss beyond what was killed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.workflow.cluster import Cluster, Task, missing, wait_until
from tests.workflow.project import Project
from tests.workflow.world import World

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

TARGETS = ("trajectories", "teleport")
SWEEP = {"sampler": "ddim-6"}
# removed, to be made again on the cluster: their bytes here are known
REMADE = tuple(
    f"results/tiny/{folder}"
    for folder in ("trajectories/heun-4", "teleport/ddim-6/skip_2/samples", "teleport/ddim-6/skip_2/features")
)


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
    """A shard, a skip and a sampler more; and something that is lost."""
    study = project.study()
    study["teleport"] |= {"seeds": 48, "skips": [0, 2, 4]}
    study["trajectories"]["samplers"].append({"name": "euler", "steps": 4})
    project.write(study)
    for folder in REMADE:
        shutil.rmtree(project.folder / folder)


def expected() -> set[Task]:
    """The jobs that this takes, and no others."""
    shards = ((0, 24), (2, 0), (2, 24), (4, 0), (4, 24))  # skip, first seed
    return {
        *(Task.of("sample_trajectories", sampler=name, first=0, stop=8) for name in ("euler-4", "heun-4")),
        *(Task.of("measure_fidelity", skip=skip, sweep="teleport", **SWEEP) for skip in (0, 2, 4)),
        Task.of("measure_fidelity", skip=4, sweep="null", **SWEEP),
        *(
            Task.of(rule, skip=skip, sweep=sweep, first=first, stop=first + 24, **SWEEP)
            for rule in ("sample_teleport", "extract_features")
            for sweep, skip, first in (*(("teleport", *shard) for shard in shards), ("null", 4, 0))
        ),
        Task.of("solve_jumps"),
    }


def test_a_study_grows_on_a_cluster_through_kills(
    copy: Project, built: Project, cluster: Cluster, tmp_path: Path
) -> None:
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
    assert len(here) == len(REMADE)
    assert {name: there.get(name) for name in here} == here, "the bytes are those of a run on this machine alone"

    world = World.make(tmp_path / "world", copy)
    assert not world.colleague.plan(*TARGETS).runs(), "a colleague who pulls them has nothing to do"
