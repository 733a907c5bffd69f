"""The project's descriptions for people and indexes agree: pyproject.toml, CITATION.cff, codemeta.json, the changelog."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import yaml

from tests.workflow.project import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}


def test_codemeta_says_what_the_project_says() -> None:
    meta = json.loads((ROOT / "codemeta.json").read_text("utf-8"))
    assert meta["identifier"] == PROJECT["name"] and meta["description"] == PROJECT["description"]
    assert meta["version"] == PROJECT["version"] and meta["keywords"] == PROJECT["keywords"]
    assert meta["license"].rpartition("/")[2] == PROJECT["license"]
    assert meta["programmingLanguage"]["version"] == PROJECT["requires-python"]
    assert set(meta["softwareRequirements"]) == names(PROJECT["dependencies"])
    assert [author["name"] for author in meta["author"]] == [author["name"] for author in PROJECT["authors"]]
    assert all((ROOT / meta[key]).is_file() for key in ("readme", "releaseNotes"))


def test_the_citation_names_the_same_people_and_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    meta = json.loads((ROOT / "codemeta.json").read_text("utf-8"))
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]
    assert citation["license"] == PROJECT["license"]
    assert citation["references"][0]["title"] == meta["referencePublication"]["name"]
    assert citation["references"][0]["url"] == meta["referencePublication"]["url"] == PROJECT["urls"]["Paper"]


def test_the_changelog_has_the_version() -> None:
    assert f"### {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
