"""What jobs ask a scheduler for: enough for what was measured, more for more work, and for rules that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from underpainting_workflow import figures
from underpainting_workflow.studies import find_studies, resources, sizes
from underpainting_workflow.studies.models import Study

ROOT = Path(__file__).parents[2]
RULES = {
    name
    for file in (ROOT / "rules").glob("*.smk")
    for name in re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)", file.read_text(encoding="utf-8"), re.M)
}
RULES |= {figure.rule for figure in figures.FIGURES}


def shipped(name: str, **changes: Any) -> Study:
    """A study of the repository; a key may be a path (`teleport__seeds`)."""
    found = find_studies([name], str(ROOT / "config/studies"), "config/config.yaml", data="data")[name]
    content = found.model_dump(by_alias=True)
    for key, value in changes.items():
        *sections, last = key.split("__")
        part = content
        for section in sections:
            part = part[section]
        part[last] = value
    return Study.model_validate(content)


def test_rules_that_ask_exist_and_rules_say_what_they_ask() -> None:
    assert set(resources._HOLDS) <= RULES
    text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "rules").glob("*.smk"))
    assert set(re.findall(r'\*\*needs\("(\w+)"[,)]', text)) == set(resources._HOLDS)


@pytest.mark.parametrize(
    ("rule", "small", "large"),
    [
        ("sample_teleport", {"teleport__batch_size": 64}, {"teleport__batch_size": 256}),
        ("sample_trajectories", {"trajectories__batch_size": 16}, {"trajectories__batch_size": 64}),
        ("train_classifier", {"dataset__limit": 1000}, {"dataset__limit": 60_000}),
        ("train_autoencoder", {"dataset__limit": 1000}, {"dataset__limit": 60_000}),
        ("solve_flow", {"teleport__batch_size": 64}, {"teleport__batch_size": 256}),
        ("fit_mixture", {"moments__per_class": True}, {"mixture__fit": "kmeans"}),
        ("measure_fidelity", {"dataset__limit": 1000}, {"teleport__seeds": 9000}),
    ],
)
def test_more_work_asks_for_more_memory(rule: str, small: dict[str, Any], large: dict[str, Any]) -> None:
    assert resources.memory(rule, shipped("mnist", **large)) > resources.memory(rule, shipped("mnist", **small))


def test_time_follows_seeds_and_skipped_steps_are_alike() -> None:
    small, large = (shipped("cifar10", teleport__seeds=n, teleport__shard_size=n) for n in (2000, 8000))
    ratio = resources.runtime("sample_teleport", large) / resources.runtime("sample_teleport", small)
    assert ratio == pytest.approx(4, rel=0.05)


def test_the_time_of_solutions_follows_their_steps() -> None:
    few, many = (shipped("cifar10", teleport__solution={"seeds": 256, "steps": steps}) for steps in (250, 1000))
    for rule in ("solve_flow", "solve_jumps"):
        assert 2 < resources.runtime(rule, many) / resources.runtime(rule, few) < 4.2


def test_a_gpu_is_asked_for_less_time() -> None:
    processor, gpu = (shipped("ddpm_church", device=name) for name in ("cpu", "cuda"))
    assert resources.runtime("sample_teleport", gpu) < resources.runtime("sample_teleport", processor) / 10


def test_nothing_asked_for_is_a_parameter() -> None:
    """Parameters make jobs run again; resources must not be among them."""
    text = (ROOT / "rules/common.smk").read_text(encoding="utf-8")
    assert "needs" in text
    for file in (ROOT / "rules").glob("*.smk"):
        for block in re.findall(r"^    params:\n((?: {8}.*\n)+)", file.read_text(encoding="utf-8"), re.M):
            assert "needs(" not in block


def test_the_profile_groups_rules_that_exist() -> None:
    profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    groups = dict(entry.split("=") for entry in profile["groups"])
    assert set(groups) <= RULES
    assert {entry.split("=")[0] for entry in profile["group-components"]} == {*groups.values(), "figures"}


def test_images_in_a_folder_are_counted(tmp_path: Path) -> None:
    folder = {"source": "folder", "image_size": 8, "channels": 1}
    unknown = shipped("digits", dataset={**folder, "path": str(tmp_path / "absent")})
    study = shipped("digits", dataset={**folder, "path": str(tmp_path)})
    for name in ("a.png", "b.png", "notes.txt"):
        (tmp_path / name).touch()
    assert sizes.expected_images(study) == 2
    assert resources.memory("train_classifier", study) < resources.memory("train_classifier", unknown)
