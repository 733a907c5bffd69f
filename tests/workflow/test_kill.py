"""A job killed at any moment leaves nothing partial, and the next run completes to the same bytes.

Runs of jobs that outlive theirs, and two runs at once: `tests/provenance/test_kill.py`.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tests.workflow.project import Project
from underpainting.io import artifacts
from underpainting_workflow.usage import record
from underpainting_workflow.usage.record import State


def alive(log: Path) -> bool:
    """Whether a job has started to log."""
    return log.is_file() and log.stat().st_size > 0


def becomes_lost(file: Path, seconds: float = 10.0) -> bool:
    """Whether the record of a job just killed shows that; the machine may take a moment to clear it away."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = record.read(file)
        if found and found.state(record.now()) is State.LOST:
            return True
        time.sleep(0.05)
    return False


def undamaged(project: Project) -> None:
    """Every artifact that is there can be read to its end."""
    for file in (project.folder / "results").rglob("*.zarr.zip"):
        artifacts.load(file).load()


def long_training(project: Project) -> None:
    study = project.study()
    study["denoiser"]["training"]["steps"] = 50
    project.write(study)


def test_training_resumes_from_its_checkpoint_to_the_same_network(fresh: Project, tmp_path: Path) -> None:
    long_training(fresh)
    checkpoint = fresh.folder / "results/tiny/training.checkpoint.safetensors"
    weights = "results/tiny/denoiser/unet/diffusion_pytorch_model.safetensors"
    often = ("--set-resources", "train_denoiser:checkpoint_seconds=0")
    fresh.kill_when(checkpoint.is_file, weights, *often)
    assert not (fresh.folder / weights).exists()
    assert becomes_lost(fresh.folder / "logs/tiny/train.use.json")
    fresh.build(weights, *often)
    assert "resuming at step" in (fresh.folder / "logs/tiny/train.log").read_text()
    assert not checkpoint.exists()
    resumed = record.read(fresh.folder / "logs/tiny/train.use.json")
    assert resumed is not None and resumed.reported is State.DONE
    assert resumed.work.steps == resumed.work.steps_planned
    assert 0 < resumed.work.steps < 150

    other = Project.make(tmp_path / "uninterrupted")
    long_training(other)
    other.build(weights)
    assert other.artifacts() == fresh.artifacts()


def test_a_kill_while_sampling_leaves_nothing_partial(built: Project, copy: Project) -> None:
    stage, log = "teleport", "teleport/ddim-6/skipped_2/samples_0-24.log"
    shutil.rmtree(copy.folder / "results/tiny" / stage)
    (copy.folder / "results/tiny/teleport.csv").unlink()
    (copy.folder / "logs/tiny" / log).unlink()
    copy.kill_when(lambda: alive(copy.folder / "logs/tiny" / log), stage)
    undamaged(copy)
    copy.build(stage)
    expected = {name: value for name, value in built.artifacts().items() if f"/{stage}/" in name}
    assert expected
    assert {name: copy.artifacts()[name] for name in expected} == expected
