"""Files that are generated from the models do not drift from them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from underpainting_workflow.studies.__main__ import GENERATED

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", GENERATED)
def test_a_generated_file_is_as_its_models_say(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == GENERATED[path](), "run `make schema` and commit the result"


@pytest.mark.parametrize("file", sorted((ROOT / "config/studies").glob("*.yaml")), ids=lambda file: file.stem)
def test_a_shipped_study_satisfies_the_schema(file: Path) -> None:
    import json

    import jsonschema

    schema = json.loads((ROOT / "workflow/schemas/study.schema.json").read_text())
    jsonschema.validate(yaml.safe_load(file.read_text()), schema)
    assert file.read_text().splitlines()[0].endswith("$schema=../../workflow/schemas/study.schema.json")
