"""YAML 1.2 of plain values: what is read, what is refused, and that shipped files mean what they meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from docutils.core import publish_parts
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from snakemake_provenance.refusal import Refused, refusing
from underpainting.io.errors import InputError, Problem
from underpainting.io.messages import LONGEST, escape_rst, quote
from underpainting_workflow.studies import check_configuration, plain_yaml
from underpainting_workflow.studies.base import Repository

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [
    *sorted((ROOT / "config/studies").glob("*.yaml")),
    ROOT / "tests/studies/tiny.yaml",
    ROOT / "config/config.yaml",
]

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_file_means_what_it_meant_to_a_reader_of_yaml_1_1(path: Path) -> None:
    assert plain_yaml.read(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


@given(values)
def test_json_is_read_as_what_it_is(value: Any) -> None:
    assert plain_yaml.parse(json.dumps(value, ensure_ascii=False)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("yes", "yes"),
        ("off", "off"),
        ("2024-01-01", "2024-01-01"),
        ("2024-99-99", "2024-99-99"),
        ("1e-4", 1e-4),
        ("0x1f", "0x1f"),
        ("9" * 5000, float("inf")),
        ("017", "017"),
        ("~", None),
        ("=", "="),
        ("{1: 2, true: 3}", {"1": 2, "true": 3}),
        ("{a: &x {b: 1}, c: {<<: *x, d: 2}}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("", None),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    assert plain_yaml.parse(text) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: {c: 1, d: [{e: 1, e: 2}]}", "the key e stands twice, the second time in line 2"),
        ("a: 1\n1: 2\n'1': 3", "the key 1 stands twice, the second time in line 3"),
        (
            "!!python/object/apply:os.system [ls]",
            "not valid YAML in line 1: could not determine a constructor for the tag",
        ),
        ("a: !!binary aGk=", "not valid YAML in line 1: could not determine a constructor for the tag"),
        ("a: !!int x", "not valid YAML: "),
        ("a: &a [1, *a]", "too many aliases, or one within what it stands for, in line 1"),
        ("a: &a [1]\nb: [" + "*a," * 21 + "]", "too many aliases, or one within what it stands for, in line 2"),
        ("? [a]\n: 1", "a key is no text in line 1"),
        ("[" * 3000, "nested too deeply"),
        ("a: 1\n---\nb: 2", "not valid YAML in line 2"),
        ("a: b: c", "not valid YAML in line 1: mapping values are not allowed here"),
    ],
)
def test_other_values_are_refused(text: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        plain_yaml.parse(text)
    (found,) = caught.value.problems
    assert found.problem.startswith(problem) and found.remedy


# --- the configuration -----------------------------------------------------------------------------------------------


def test_a_key_of_the_configuration_stands_once(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("studies: [a]\nretrain: true\nretrain: false\n")
    check_configuration([tmp_path / "other.json"])
    with pytest.raises(InputError, match=r"config\.yaml: the key retrain stands twice, the second time in line 3"):
        check_configuration([file])


# --- messages --------------------------------------------------------------------------------------------------------


@given(st.text(max_size=400) | st.lists(st.integers(), max_size=200))
def test_a_value_is_quoted_at_no_length(value: Any) -> None:
    text = quote(value)
    assert len(text) <= LONGEST + 20 * 10 and "\n" not in text
    assert text == repr(value) or len(repr(value)) > LONGEST


def test_a_study_error_has_at_most_2000_characters() -> None:
    problem = Problem("p" * 9000, "r" * 9000, "k" * 9000, "f" * 9000)
    assert len(str(InputError(problem))) <= 2000
    lines = str(InputError(*[problem] * 9)).splitlines()
    assert len("\n".join(lines)) <= 2000 and lines[-1] == "and 8 more problems"


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60).filter(str.strip))
def test_any_title_is_shown_literally_in_rst(text: str) -> None:
    def body(source: str) -> str:
        options = {"report_level": 1, "halt_level": 2}
        return str(publish_parts(f"**{source}** (x).", writer="html", settings_overrides=options)["fragment"])

    plain = " ".join(text.split())
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert body(escape_rst(text)) == f"<p><strong>{escaped.replace('@', '&#64;')}</strong> (x).</p>\n"


def test_a_refusal_has_no_place_in_the_snakefile() -> None:
    with pytest.raises(Refused, match="why") as caught, refusing(InputError):
        raise InputError(Problem("why", "r", "k", "f"))
    assert caught.value.__traceback__ is None
    with pytest.raises(KeyError), refusing(InputError):
        raise KeyError


# --- the Hub ---------------------------------------------------------------------------------------------------------


@given(
    st.text("aB1_-./ ", max_size=10)
    | st.sampled_from(["../../etc", "a" * 97, "a/" + "b" * 96, "google/ddpm-cifar10-32"])
)
def test_a_repository_is_what_the_hub_takes(name: str) -> None:
    def taken(check: Any) -> bool:
        try:
            check(name)
        except (HFValidationError, ValidationError):
            return False
        return True

    assert taken(TypeAdapter(Repository).validate_python) == taken(validate_repo_id)
