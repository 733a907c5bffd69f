"""Bad input is refused before any job starts, in one plain message: by what the Snakefile calls, and by Snakemake itself."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from PIL import Image

from snakemake_provenance import locks, session
from snakemake_provenance.refusal import Refused, refusing
from snakemake_provenance.settings import SNAKEMAKE
from tests.workflow.project import ROOT, Project
from underpainting import denoisers
from underpainting.io.errors import InputError, Problem
from underpainting.training.trainer import make_unet
from underpainting_workflow import preflight
from underpainting_workflow.provenance import settings
from underpainting_workflow.studies import check_configuration, data_folder, find_studies

CONFIG, TINY = "config/config.yaml", "config/studies/tiny.yaml"


@pytest.fixture
def fresh(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in which nothing has been built, as the working folder."""
    monkeypatch.chdir(fresh.folder)
    return fresh


def start() -> None:
    """What rules/common.smk calls before any job."""
    check_configuration([CONFIG])
    config = yaml.safe_load(Path(CONFIG).read_text())
    studies = find_studies(config["studies"], "config/studies", CONFIG, data=data_folder(config, {}, {}))
    preflight.check_all(studies, "config/studies")


def problems() -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        start()
    return caught.value.problems


def unknown_key(project: Project) -> None:
    study = project.study()
    study["teleport"]["skiped_steps"] = [0]
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
    (project.folder / "config/config.yaml").write_text("studies: [tinny]\n")


def two_lists_of_studies(project: Project) -> None:
    (project.folder / "config/config.yaml").write_text("studies: [tiny]\ndata: data\nstudies: [tiny]\n")


def folder_that_is_a_list(project: Project) -> None:
    (project.folder / "config/config.yaml").write_text("studies: tiny\ndata: [data]\n")


def key_twice(project: Project) -> None:
    project.file.write_text(project.file.read_text().replace("  seeds: 8\n", "  seeds: 8\n  seeds: 16\n", 1))


def results_that_are_a_file(project: Project) -> None:
    (project.folder / "results").mkdir()
    (project.folder / "results/tiny").write_text("")


# id: (what is spoiled, file, key, problem, remedy)
SPOILED: dict[str, tuple[Callable[[Project], None], str, str, str, str]] = {
    "unknown key": (unknown_key, TINY, "teleport.skiped_steps", "unknown key", "did you mean 'skipped_steps'?"),
    "corrupt image": (
        corrupt_image,
        TINY,
        "dataset.path",
        "the image images/class1/5.png is no picture of a kind",
        "save it as PNG",
    ),
    "empty class": (empty_class, TINY, "moments.per_class", "each class needs two images", "add images of them"),
    "unknown placeholder": (
        unknown_placeholder,
        TINY,
        "dataset.path",
        "the placeholder {date} in '{date}/a.npz' is unknown",
        "{data} is the only one",
    ),
    "network of another size": (
        another_size,
        TINY,
        "dataset.image_size",
        "8 pixels do not fit a network for images of 16",
        "set dataset.image_size: 16",
    ),
    "network without safetensors": (
        no_safetensors,
        TINY,
        "denoiser.path",
        "network holds no unet/diffusion_pytorch_model.safetensors",
        "convert",
    ),
    "no network": (
        no_reference,
        TINY,
        "denoiser.folder",
        "there is no folder networks/tiny",
        "correct it, or train the network",
    ),
    "studies chosen twice": (
        two_lists_of_studies,
        CONFIG,
        "",
        "the key studies stands twice, the second time in line 3",
        "keep one",
    ),
    "data folder that is a list": (folder_that_is_a_list, CONFIG, "data", "['data'] is no folder", "give one path"),
    "key twice": (key_twice, TINY, "", "the key seeds stands twice, the second time in line ", "keep one of the two"),
    "unknown study": (
        unknown_study,
        CONFIG,
        "studies",
        "there is no study file config/studies/tinny.yaml",
        "did you mean 'tiny'?",
    ),
    "results that are a file": (
        results_that_are_a_file,
        "results/tiny",
        "",
        "a folder belongs here, but this is a file",
        "move it away",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_bad_input_is_a_problem_with_file_key_and_remedy(fresh: Project, case: str) -> None:
    spoil, file, key, problem, remedy = SPOILED[case]
    spoil(fresh)
    (found,) = problems()
    assert (found.file, found.key) == (file, key)
    assert problem in found.problem and remedy in found.remedy


def test_all_problems_of_all_studies_are_found_at_once(fresh: Project) -> None:
    no_reference(fresh)
    study = fresh.study()
    study["teleport"]["extractor"] = {"name": "inception-v3-compat", "weights": "nowhere.pth"}
    study["teleport"] |= {"seeds": 2100, "null_seeds": 2100}
    del study["low_nfe"]
    study["denoiser"] = {"source": "path", "path": "nowhere"}
    fresh.file.with_name("other.yaml").write_text(yaml.safe_dump(study))
    Path(CONFIG).write_text("studies: [tiny, other]\n")
    assert [(found.file, found.key) for found in problems()] == [
        (TINY, "denoiser.folder"),
        ("config/studies/other.yaml", "teleport.extractor.weights"),
        ("config/studies/other.yaml", "denoiser.path"),
    ]


def test_snakemake_ends_with_the_message_before_any_job(fresh: Project) -> None:
    unknown_key(fresh)
    result = fresh.run("all")
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    assert (
        result.stdout.rstrip()
        .splitlines()[-1]
        .startswith(
            "config/studies/tiny.yaml: teleport.skiped_steps: unknown key. Remedy: did you mean 'skipped_steps'?"
        )
    )
    assert "rule prepare_dataset" not in result.stdout
    assert not Path("results").exists()


def test_a_file_in_place_of_snakemake_s_folder_is_named(fresh: Project) -> None:
    Path(".snakemake").write_text("")
    result = fresh.run("--dry-run")
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    message = "'.snakemake': File exists. Remedy: see that it can be read and written, or remove it."
    assert message in result.stdout.rstrip().splitlines()[-1]


def test_a_lock_that_is_a_folder_is_named(fresh: Project) -> None:
    (fresh.folder / ".snakemake/snakemake_provenance.lock").mkdir(parents=True)
    with pytest.raises(Refused, match=r"snakemake_provenance\.lock': Is a directory\. Remedy: "), refusing(OSError):
        locks.hold(SNAKEMAKE)


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
def test_a_disk_that_takes_nothing_is_named(
    small_disk: Path, full: bool, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_disk / ".snakemake").mkdir()
    monkeypatch.chdir(small_disk)
    if full:
        with suppress(OSError):
            Path("filling").write_bytes(bytes(2**17))
    else:
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(Refused, match=message), refusing(OSError):
        locks.hold(SNAKEMAKE, partial(session.look_first, settings("data")))


def test_make_runs_where_the_home_folder_cannot_be_written(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake alone ends in a traceback there, before it reads the Snakefile."""
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    command = subprocess.run(["make", "-n", "run"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (place,) = (word for word in command.split() if word.startswith("XDG_CACHE_HOME="))
    assert Path(place.partition("=")[2]).is_relative_to(ROOT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(fresh.folder / ".snakemake/cache"))
    assert fresh.planned("results/tiny/dataset.zarr.zip") == {"prepare_dataset": 1}
