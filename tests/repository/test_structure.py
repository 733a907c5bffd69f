"""The table of the code's structure counts what it says, on a small package."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import structure


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    package = tmp_path / "src/toy_of_structure"
    for part in ("low", "high"):
        (package / part).mkdir(parents=True)
        (package / part / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "low/first.py").write_text("from toy_of_structure.low import second\n")
    (package / "low/second.py").write_text("from toy_of_structure.high import third\n")
    (package / "high/third.py").write_text(
        "from toy_of_structure.low import first, second\nimport toy_of_structure.low\n"
    )
    return tmp_path


def test_cycles_and_back_arrows_are_counted(tree: Path) -> None:
    found = structure.arrows(tree)
    assert found["modules in src"] == "6"
    assert found["import cycles (modules in them)"] == "1 (3)"
    assert found["back arrows"] == "1 in toy_of_structure"


def test_a_docstring_is_no_part_of_a_function_s_length(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        'def f():\n    """One.\n\n    More.\n    """\n    return 1\n\n\nasync def g(): ...\n'
    )
    assert structure.functions([tmp_path]) == [2, 1]


def test_only_six_lines_in_a_row_repeat(tmp_path: Path) -> None:
    lines = [f"value_{number} = {number}" for number in range(6)]
    (tmp_path / "a.py").write_text("\n".join(lines))
    (tmp_path / "b.py").write_text("\n".join(lines[:5]))
    assert structure.repetitions([tmp_path]) == 0
    (tmp_path / "b.py").write_text("\n\n".join(["# a comment", *lines, "other = 0"]))
    assert structure.repetitions([tmp_path]) == 2


def test_the_extra_of_an_own_extra_is_resolved() -> None:
    project = {
        "name": "ours",
        "dependencies": ["numpy>=2"],
        "optional-dependencies": {"all": ["ours[some]", "networkx"], "some": ["grimp"]},
    }
    assert list(structure.requirements(project)) == ["numpy>=2"]
    assert list(structure.requirements(project, "all")) == ["grimp", "networkx"]


def test_packages_that_an_extra_alone_brings_count_with_it_alone() -> None:
    assert "aiohttp" not in structure.installed(["fsspec"])
    assert {"fsspec", "aiohttp", "yarl"} <= structure.installed(["fsspec[http]"])
