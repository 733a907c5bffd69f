"""What the documents name is there: files of the repository, modules, commands of make."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"results.md", "sweeps.md", "equations.md"}
DOCUMENTS = [path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")) if path.name not in GENERATED]
DOCUMENTS.remove(ROOT / "CHANGELOG.md")  # names what was
NO_MODULES = {"files", "config", "main", "judge", "science", "underpainting"}  # arguments, functions, extras, commands
FOLDERS = ["", "docs", "workflow", "src", *(f"src/{path.name}" for path in (ROOT / "src").iterdir() if path.is_dir())]


def named_files(text: str) -> set[str]:
    """Paths in code quotes that end as files of the code do; a name in capitals stands for any."""
    paths = re.findall(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|smk|rst))`", text)
    return {path for path in paths if not re.search(r"\b[A-Z]{3,}\b", path)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_a_document_names_exist(document: Path) -> None:
    named = named_files(document.read_text(encoding="utf-8"))
    assert {path for path in named if not any((ROOT / folder / path).is_file() for folder in FOLDERS)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_of_make_that_a_document_names_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]\w*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^)make (?:[A-Z]\w*=\S+ )*([a-z]\w*)", text, re.M)
    assert set(named) - targets == set()


@pytest.mark.parametrize(
    "package", sorted(ROOT.glob("src/underpainting*/**/__init__.py")), ids=lambda path: path.parent.name
)
def test_modules_that_a_package_s_docstring_names_exist(package: Path) -> None:
    text = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or ""
    named = set(re.findall(r"`([a-z]\w*)`", text)) - NO_MODULES
    below = {path.stem for path in package.parent.iterdir()}
    beside = {path.stem for path in [*package.parent.parent.iterdir(), *(ROOT / "src/underpainting").iterdir()]}
    assert named - below - beside == set()
