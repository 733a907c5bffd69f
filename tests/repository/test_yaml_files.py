"""Every YAML file of the repository means what it says: no key stands twice, not in what is commented out either."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
LISTED = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.yaml", "*.yml", "*.lock", "*.cff"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split("\0")
FILES = sorted(
    name for name in LISTED if name.endswith((".yaml", ".yml", "dvc.lock", ".cff")) and (ROOT / name).is_file()
)


def test_there_are_yaml_files() -> None:
    assert {"config/config.yaml", "workflow/profiles/slurm/config.yaml"} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_no_key_stands_twice(name: str) -> None:
    YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("workflow/profiles/")])
def test_no_rule_is_listed_twice_in_a_section_to_fill_in(name: str) -> None:
    lines = [line.lstrip("# ") for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    rules = [line.split(":")[0] for line in lines if "slurm_partition:" in line]
    assert len(rules) == len(set(rules))
