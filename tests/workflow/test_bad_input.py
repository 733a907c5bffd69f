"""Snakemake itself refuses bad input before any job starts, in one plain message."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from PIL import Image

from tests.workflow.project import ROOT, Project
from underpainting import denoisers
from underpainting.training.trainer import make_unet


def unknown_key(project: Project) -> None:
    study = project.study()
    study["teleport"]["skipps"] = [0]
    project.write(study)


def corrupt_image(project: Project) -> None:
    study = project.study()
    study["dataset"] = {"source": "folder", "path": "images", "image_size": 8, "channels": 1}
    project.write(study)
    for index in range(40):
        place = project.folder / "images" / f"class{index % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(place / f"{index}.png")
    (project.folder / "images" / "class1" / "5.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")


def npz_labels(project: Project, labels: np.ndarray[Any, Any]) -> None:
    np.savez(project.folder / "a.npz", images=np.zeros((len(labels), 8, 8), np.uint8), labels=labels)
    study = project.study()
    study["dataset"] = {"source": "npz", "path": "a.npz", "labels_key": "labels", "image_size": 8, "channels": 1}
    project.write(study)


def empty_class(project: Project) -> None:
    npz_labels(project, np.arange(40) % 5 * 2)


def unknown_placeholder(project: Project) -> None:
    study = project.study()
    study["dataset"] = {"source": "npz", "path": "{date}/a.npz", "image_size": 8, "channels": 1}
    project.write(study)


def with_network(project: Project, size: int) -> Path:
    folder = project.folder / "network"
    network = make_unet(
        (1, size, size),
        block_out_channels=(8, 16),
        layers_per_block=1,
        attention_levels=0,
        attention_head_dim=8,
        norm_num_groups=8,
    )
    denoisers.save_pipeline(network, DDIMScheduler(), folder)
    study = project.study()
    study["denoiser"] = {"source": "path", "path": "network"}
    project.write(study)
    return folder


def another_size(project: Project) -> None:
    with_network(project, 16)


def no_safetensors(project: Project) -> None:
    weights = with_network(project, 8) / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


def no_reference(project: Project) -> None:
    study = project.study()
    study["denoiser"] |= {"source": "reference", "folder": "networks/tiny"}
    project.write(study)


def unknown_study(project: Project) -> None:
    (project.folder / "config/config.yaml").write_text("studies: [tyni]\n")


def two_lists_of_studies(project: Project) -> None:
    (project.folder / "config/config.yaml").write_text("studies: [tiny]\ndata: data\nstudies: [tiny]\n")


def folder_that_is_a_list(project: Project) -> None:
    (project.folder / "config/config.yaml").write_text("studies: tiny\ndata: [data]\n")


def key_twice(project: Project) -> None:
    project.file.write_text(project.file.read_text().replace("  seeds: 8\n", "  seeds: 8\n  seeds: 16\n", 1))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (unknown_key, "config/studies/tiny.yaml: teleport.skipps: unknown key. Remedy: did you mean 'skips'?"),
        (
            corrupt_image,
            "config/studies/tiny.yaml: dataset.path: the image images/class1/5.png is no picture of a kind",
        ),
        (empty_class, "config/studies/tiny.yaml: moments.per_class: each class needs two images"),
        (
            unknown_placeholder,
            "config/studies/tiny.yaml: dataset.path: the placeholder {date} in '{date}/a.npz' is unknown",
        ),
        (another_size, "dataset.image_size: 8 pixels do not fit a network for images of 16"),
        (no_safetensors, "denoiser.path: network holds no unet/diffusion_pytorch_model.safetensors. Remedy: convert"),
        (no_reference, "denoiser.folder: there is no folder networks/tiny. Remedy: correct it, or train the network"),
        (
            two_lists_of_studies,
            "config/config.yaml: (the whole file): the key studies stands twice in line 3. Remedy: ",
        ),
        (folder_that_is_a_list, "config/config.yaml: data: ['data'] is no folder. Remedy: give one path."),
        (key_twice, "config/studies/tiny.yaml: (the whole file): the key seeds stands twice in line "),
        (unknown_study, "config/config.yaml: studies: there is no study file config/studies/tyni.yaml. Remedy: "),
    ],
)
def test_bad_input_is_refused_before_any_job(fresh: Project, spoil: Callable[[Project], None], message: str) -> None:
    spoil(fresh)
    result = fresh.run("all")
    assert result.returncode != 0
    assert message in result.stdout
    assert "Traceback" not in result.stdout
    assert message in result.stdout.rstrip().splitlines()[-1], "nothing follows the message"
    assert "rule prepare_dataset" not in result.stdout
    assert not (fresh.folder / "results").exists()


def test_dark_images_are_remarked_once_at_the_start_and_in_the_log_of_the_job(fresh: Project) -> None:
    np.savez(fresh.folder / "a.npz", images=np.arange(40 * 64, dtype=np.uint16).astype(np.uint8).reshape(40, 8, 8) % 16)
    study = fresh.study()
    study["dataset"] = {"source": "npz", "path": "a.npz", "image_size": 8, "channels": 1}
    study |= {"moments": {"per_class": False}, "mixture": {"fit": "kmeans", "modes": 2}}
    study["teleport"]["extractor"]["labels"] = "mixture"
    fresh.write(study)
    remark = "the values found, 0 to 15, span at most half of 0 to 255, which is read as black to white. Remedy: "
    shown = fresh.build("results/tiny/dataset.zarr.zip")
    assert shown.count(f"config/studies/tiny.yaml: dataset: {remark}") == 1
    assert shown.index(remark) < shown.index("rule prepare_dataset")
    assert (fresh.folder / "logs/tiny/dataset.log").read_text().count(remark) == 1


@pytest.mark.parametrize("name", ["007", "1e5", "true"])
def test_a_study_may_have_a_name_that_yaml_takes_for_something_else(fresh: Project, name: str) -> None:
    fresh.file.rename(fresh.file.with_name(f"{name}.yaml"))
    target = f"results/{name}/dataset.zarr.zip"
    assert fresh.planned(target, "--config", f"studies={name}") == {"prepare_dataset": 1}
    (fresh.folder / "config/config.yaml").write_text(f"studies: [{name}]\n")
    assert fresh.planned(target) == {"prepare_dataset": 1}


def results_that_are_a_file(project: Project) -> None:
    (project.folder / "results").mkdir()
    (project.folder / "results/tiny").write_text("")


def memory_that_is_a_file(project: Project) -> None:
    (project.folder / ".snakemake").write_text("")


def lock_that_is_a_folder(project: Project) -> None:
    (project.folder / ".snakemake/snakemake_provenance.lock").mkdir(parents=True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            results_that_are_a_file,
            "results/tiny: (the whole file): a folder belongs here, but this is a file. Remedy: move",
        ),
        (
            memory_that_is_a_file,
            "'.snakemake': File exists. Remedy: see that it can be read and written, or remove it.",
        ),
        (
            lock_that_is_a_folder,
            "'.snakemake/snakemake_provenance.lock': Is a directory. Remedy: see that it can be read",
        ),
    ],
)
def test_what_stands_in_the_way_is_told_in_one_line(
    fresh: Project, spoil: Callable[[Project], None], message: str
) -> None:
    spoil(fresh)
    result = fresh.run("--dry-run")
    assert result.returncode != 0
    assert "Traceback" not in result.stdout
    assert message in result.stdout.rstrip().splitlines()[-1]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB of its own, which only root can have."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize(
    ("full", "message"),
    [
        (True, "No space left on device. Remedy: make room on that disk."),
        (False, "Read-only file system. Remedy: work in a folder that can be written."),
    ],
)
def test_a_disk_that_takes_nothing_is_told_in_one_line(small_disk: Path, full: bool, message: str) -> None:
    project = Project.make(small_disk / "project")
    (project.folder / ".snakemake").mkdir()
    if full:
        with suppress(OSError):
            (project.folder / "filling").write_bytes(bytes(2**17))
    else:
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    result = project.run("--dry-run")
    assert result.returncode != 0
    assert "Traceback" not in result.stdout
    assert message in result.stdout.rstrip().splitlines()[-1]


def test_make_runs_where_the_home_folder_cannot_be_written(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake itself ends in a traceback there, before it reads the Snakefile."""
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert "Traceback" in fresh.run("--dry-run").stdout
    told = subprocess.run(["make", "-n", "run"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (place,) = (word for word in told.split() if word.startswith("XDG_CACHE_HOME="))
    assert Path(place.partition("=")[2]).is_relative_to(ROOT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(fresh.folder / ".snakemake/cache"))
    assert fresh.planned("results/tiny/dataset.zarr.zip") == {"prepare_dataset": 1}
