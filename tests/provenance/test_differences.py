"""What differs, in words; versions of packages; paths that travel; merges of DVC's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from snakemake_provenance import merging, packages
from snakemake_provenance.differences import Kind, differences
from snakemake_provenance.settings import Settings

CODE = {"a 1": {"a.py": "x", "lib.py": "y"}, "a 2": {"a.py": "x", "lib.py": "z"}}


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (["'a 1'"], ["'a 1'"], []),
        (["'a 1'"], ["'a 2'"], [(Kind.CODE, "code of lib.py")]),
        (["'a 1'"], ["'a 3'"], [(Kind.CODE, "the script or a module that it imports")]),
        (
            ["{'steps': 6, 'size': 16}"],
            ["{'steps': 16, 'size': 6}"],
            [(Kind.PARAMETER, "size: 16 before, 6 now"), (Kind.PARAMETER, "steps: 6 before, 16 now")],
        ),
        (
            ["{'s': {'name': 'ddim', 'n': 5}}"],
            ["{'s': {'name': 'ddim', 'n': 6}}"],
            [(Kind.PARAMETER, "s.n: 5 before, 6 now")],
        ),
        (["{'torch': '1.0'}"], ["{'torch': '2.0rc1'}"], [(Kind.PACKAGE, "torch: '1.0' before, '2.0rc1' now")]),
        (["{'a': 1}"], ["{'b': 1}"], [(Kind.PARAMETER, "no longer: {'a': 1}"), (Kind.PARAMETER, "new: {'b': 1}")]),
        (
            ["{'names of files': '12'}"],
            ["{'names of files': '34'}"],
            [(Kind.FILES, "the names or the order of its inputs and outputs")],
        ),
    ],
)
def test_differences_are_named(before: list[str], now: list[str], said: list[tuple[Kind, str]]) -> None:
    assert differences(before, now, CODE) == said


def test_versions_follow_what_packages_compute_with_and_leave_out_tools() -> None:
    found = packages.versions({"seaborn", "json", "tqdm", "pydantic", "no_such_package"})
    assert {"seaborn", "matplotlib", "numpy", "PIL"} <= set(found)
    assert not {"json", "tqdm", "pydantic", "no_such_package"} & set(found)
    assert all("+" not in version for version in packages.versions({"torch"}).values())


def test_paths_travel() -> None:
    settings = Settings(places={"{data}": "/somewhere/data/"})
    assert settings.portable("/somewhere/data/x/y.npz") == "{data}/x/y.npz"
    assert settings.local("{data}/x/y.npz") == "/somewhere/data/x/y.npz"
    assert settings.portable("/somewhere/database") == "/somewhere/database"
    assert settings.section("results/digits/a/b") == "digits"
    assert settings.section("results/table2.csv") == "_top"


BASE = "schema: '2.0'\nstages:\n  a:\n    outs:\n    - path: p\n      md5: 1\n    - path: q\n      md5: 2\n"


def merged(tmp_path: Path, ours: str, theirs: str) -> tuple[str, list[str]]:
    files = [tmp_path / name for name in ("base", "ours", "theirs")]
    for file, text in zip(files, (BASE, ours, theirs), strict=True):
        file.write_text(text)
    kept = merging.merge_files(*files)
    return files[1].read_text(), kept


def test_changes_of_different_outputs_and_new_stages_are_united(tmp_path: Path) -> None:
    ours = BASE.replace("md5: 1", "md5: 11") + "  b:\n    outs: []\n"
    theirs = BASE.replace("md5: 2", "md5: 22") + "  c:\n    outs: []\n"
    text, kept = merged(tmp_path, ours, theirs)
    assert not kept
    assert all(part in text for part in ("md5: 11", "md5: 22", "  b:", "  c:"))


def test_ours_is_kept_and_told_where_both_changed_the_same(tmp_path: Path) -> None:
    text, kept = merged(tmp_path, BASE.replace("md5: 1", "md5: 8"), BASE.replace("md5: 1", "md5: 9"))
    assert "md5: 8" in text and "md5: 9" not in text
    assert kept == ["stages/a/outs/p/md5"]


def test_what_one_side_removed_stays_away(tmp_path: Path) -> None:
    theirs = BASE.replace("    - path: q\n      md5: 2\n", "")
    assert "path: q" not in merged(tmp_path, BASE.replace("md5: 1", "md5: 8"), theirs)[0]
