"""Files that are generated from the models do not drift from them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from underpainting_workflow.studies.__main__ import GENERATED

ROOT = Path(__file__).resolve().parents[2]


@cache
def schema(name: str = "study") -> Draft202012Validator:
    """The schema that editors read."""
    content = json.loads((ROOT / f"workflow/schemas/{name}.schema.json").read_text())
    Draft202012Validator.check_schema(content)
    return Draft202012Validator(content)


@pytest.mark.parametrize("path", GENERATED)
def test_a_generated_file_is_as_its_models_say(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == GENERATED[path](), "run `make schema` and commit the result"


@pytest.mark.parametrize("file", sorted((ROOT / "config/studies").glob("*.yaml")), ids=lambda file: file.stem)
def test_a_shipped_study_satisfies_the_schema(file: Path) -> None:
    content = yaml.safe_load(file.read_text())
    name = {"images": "study"}.get(kind := content.get("kind", "images"), kind)
    schema(name).validate(content)
    assert file.read_text().splitlines()[0].endswith(f"$schema=../../workflow/schemas/{name}.schema.json")
