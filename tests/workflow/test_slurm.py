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


def grow(project: Project, seeds: int) -> None:
    """More seeds, a skip and a sampler more."""
    study = project.study()
    study["teleport"] |= {"seeds": seeds, "skips": [0, 2, 4]}
    study["trajectories"]["samplers"].append({"name": "euler", "steps": 4})
    project.write(study)


def shards(*sweep: tuple[int, int]) -> set[Task]:
    """The jobs of skips and first seeds: samples and their features."""
    rules = ("sample_teleport", "extract_features")
    return {Task.of(rule, skip=skip, first=first, stop=first + 24, **SWEEP) for rule in rules for skip, first in sweep}


def distances() -> set[Task]:
    """The jobs that every skip needs anew when there are more seeds."""
    return {Task.of("measure_fidelity", skip=skip, **SWEEP) for skip in (0, 2, 4)}


def measured(project: Project) -> dict[str, str]:
    """Digests of what the targets made."""
    kinds = ("results/tiny/trajectories/", "results/tiny/teleport/", "results/tiny/teleport.csv")
    return {name: digest for name, digest in project.artifacts().items() if name.startswith(kinds)}


def test_a_study_grows_on_a_cluster_through_kills(
    copy: Project, built: Project, cluster: Cluster, tmp_path: Path
) -> None:
    # a shard, a skip and a sampler more: the new jobs alone, in Slurm's own record
    grow(copy, 48)
    cluster.build(copy, *TARGETS)
    new = shards((0, 24), (2, 24), (4, 0), (4, 24)) | distances()
    first = cluster.submitted()
    assert sorted(first) == sorted(new | {Task.of("sample_trajectories", sampler="euler-4", first=0, stop=8)})

    # a cancelled job, a dead node and a dead Snakemake: the next one completes
    grow(copy, 72)
    with (copy.folder / "head.log").open("w") as log:
        head = subprocess.Popen(
            cluster.command(*TARGETS), cwd=copy.folder, env=cluster.environment, stdout=log, stderr=log
        )
    wait_until(lambda: len(cluster.running()) == 3)
    psutil.Process(head.pid).kill()
    head.wait()
    cluster.run("scancel", cluster.running()[0])
    cluster.kill_node("node2")
    done_by_then = {task for task in shards((0, 48), (2, 48), (4, 48)) if _made(copy, task)}
    told = cluster.build(copy, *TARGETS)
    assert "of a run that was killed" in told
    again = cluster.submitted()[len(first) + 6 :]
    assert distances() <= set(again) <= distances() | shards((0, 48), (2, 48), (4, 48)) - done_by_then
    assert len(again) == len(set(again))

    # the same bytes as on this machine alone
    alone = Project(tmp_path / "alone")
    shutil.copytree(built.folder, alone.folder, copy_function=shutil.copy2, symlinks=True)
    grow(alone, 72)
    alone.build(*TARGETS)
    assert measured(copy) == measured(alone)

    # and a colleague, who pulls them, has nothing to do
    world = World.make(tmp_path / "world", copy)
    assert not world.colleague.plan(*TARGETS).runs()


def _made(project: Project, task: Task) -> bool:
    found = dict(task.wildcards)
    kind = {"sample_teleport": "samples", "extract_features": "features"}[task.rule]
    folder = project.folder / f"results/tiny/teleport/{found['sampler']}/skip_{found['skip']}/{kind}"
    return (folder / f"seeds_{found['first']}-{found['stop']}.zarr.zip").exists()
