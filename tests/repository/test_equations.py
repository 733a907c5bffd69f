"""docs/equations.md: as the docstrings and tests say, and complete; the generator against a small library made here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("equations", ROOT / "workflow/equations.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


equations = _generator()

LIBRARY = '''
    """Waves (Eq. 3, 7)."""

    def first(x):
        """Height of a wave (Eq. 7, 9-11, 13). More of it.

        As in Karras et al. (2022), Eq. 5, Table 20 and Fig. 21; Eq. 15-16, 84 too.
        """

    def _inner():
        """Depth: |x| (Eq. 30 solved for x)."""

    def outer():
        """Without a citation of its own."""
        return between() + _inner() + Ice()

    def between():
        """Used by outer alone (Eq. 60)."""

    def untested():
        """Never called (Eq. 40)."""

    class Ice:
        """What outer makes (Eq. 61)."""

    class Water:
        """A sea (Eq. 50)."""

        def level(self):
            """Its level (Eq. 51)."""
'''

TESTS = """
    import pytest
    from underpainting import wave as w
    from underpainting.wave import Water, outer

    CASES = [pytest.param(w.first)]

    @pytest.fixture
    def sea():
        return Water()

    def helper():
        return deeper()

    def deeper():
        return w.first(1)

    def test_direct():
        w.first(2)

    def test_through_helpers():
        helper()

    @pytest.mark.parametrize("case", CASES)
    def test_through_a_constant(case):
        case()

    def test_through_a_fixture(sea):
        sea.level()

    def test_of_outer():
        outer()

    def test_of_something_else():
        first = other.first
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository with one module and one file of tests."""
    for path, text in {"src/underpainting/wave.py": LIBRARY, "tests/underpainting/test_wave.py": TESTS}.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(dedent(text).lstrip(), encoding="utf-8")
    return tmp_path


def rows(text: str) -> dict[int, list[list[str]]]:
    """Cells of the table by equation."""
    found: dict[int, list[list[str]]] = {}
    for line in text.splitlines():
        cells = line.replace(r"\|", "/").strip("| ").split(" | ")
        if cells[0].isdigit():
            found.setdefault(int(cells[0]), []).append(cells[1:])
    return found


def names_of(root: Path, function: str) -> list[str]:
    """The tests that the generator finds for a function."""
    library, every = equations.holders(root), equations.tests(root)
    (holder,) = [one for one in library if one.name == function]
    return [test.name for test in equations.tests_of(holder, library, every)]


# --- the file in the repository --------------------------------------------------------------------------------------


def test_the_page_is_as_docstrings_and_tests_say() -> None:
    assert (ROOT / equations.OUTPUT).read_text(encoding="utf-8") == equations.page(), (
        "run `make docs`, commit the result"
    )


def test_every_equation_has_a_function_or_a_reason() -> None:
    held = equations.by_equation(equations.holders(ROOT))
    assert list(held) == list(range(1, 101))
    without = {number for number, found in held.items() if not found}
    assert without <= equations.reasons().keys(), "cite them where they are computed, or say in REASONS why nowhere"
    assert equations.reasons().keys() <= without, "remove the reasons of equations that a function holds by now"


# --- the generator ---------------------------------------------------------------------------------------------------


def test_citations_are_lists_and_ranges_of_this_paper_alone(small: Path) -> None:
    held = equations.by_equation(equations.holders(small))
    found = {number: [holder.name for holder in holders] for number, holders in held.items() if holders}
    assert found == {
        3: ["wave"],  # a module holds what no function does
        **{number: ["wave.first"] for number in (7, 9, 10, 11, 13, 15, 16, 84)},
        30: ["wave._inner"],
        40: ["wave.untested"],
        60: ["wave.between"],
        61: ["wave.Ice"],
        50: ["wave.Water"],
        51: ["wave.Water.level"],
    }


def test_tests_are_found_directly_and_through_the_rest_of_their_file(small: Path) -> None:
    assert names_of(small, "wave.first") == ["test_direct", "test_through_helpers", "test_through_a_constant"]
    assert names_of(small, "wave.Water") == names_of(small, "wave.Water.level") == ["test_through_a_fixture"]
    for used in ("_inner", "between", "Ice"):
        assert names_of(small, f"wave.{used}") == ["test_of_outer"]
    assert names_of(small, "wave.untested") == []


def test_the_table_has_every_equation_in_order_with_words_and_links(small: Path) -> None:
    table = rows(equations.page(small))
    assert list(table) == list(range(1, 101))
    assert table[9] == [
        [
            "Height of a wave",
            "[`wave.first`](../src/underpainting/wave.py)",
            "[`test_direct`](../tests/underpainting/test_wave.py) and 2 more",
        ]
    ]
    assert table[30][0][0] == "Depth: /x/"
    assert table[60][0][2] == "through `outer`: [`test_of_outer`](../tests/underpainting/test_wave.py)"
    assert table[40] == [["Never called", "[`wave.untested`](../src/underpainting/wave.py)", "**none**"]]
    assert table[28] == [[equations.reasons()[28], "-", "-"]]
    assert table[99] == [["**missing**", "-", "-"]]


def test_the_lists_name_every_test(small: Path) -> None:
    lists = equations.page(small).partition("## The tests of each function")[2]
    assert "`test_direct`, `test_through_a_constant`, `test_through_helpers`" in lists
    assert "### `wave.untested`\n\n- **none**" in lists
