"""Whatever stands in a study file or in config/config.yaml, what the Snakefile calls ends in studies or in one InputError.

Mutations are drawn from a fixed seed, so that a failure comes again.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from underpainting.io.errors import InputError
from underpainting_workflow import preflight
from underpainting_workflow.studies import check_configuration, data_folder, find_studies

ROOT = Path(__file__).resolve().parents[2]
STUDIES = [*sorted((ROOT / "config/studies").glob("*.yaml")), ROOT / "tests/studies/tiny.yaml"]
MUTATIONS, LONGEST = 600, 2000

BOMB = "[x, x, x, x, x, x, x, x, x, x]"
for _level in range(9):
    BOMB = f"&b{_level} {BOMB}" if not _level else f"&b{_level} [{BOMB}, {', '.join([f'*b{_level - 1}'] * 9)}]"

# as YAML, so that what Python cannot hold is among them
ZOO = [
    *("null", "true", "yes", "0", "-1", "1", "3", "1.5", "1:30", "9" * 40, "-" + "9" * 40, "9" * 5000, "0x" + "f" * 5000),
    *(".nan", ".inf", "-.inf", "1e400", "1e-400", "''", "' '", "a" * 5000, "'" + "ä😀" * 500 + "'", '"\\0"', '"\\ud800"'),
    *('"\\e[31m"', "'a | b | c'", "'{data}'", "'{x}'", "'{data}/{data}'", "../../etc", "/nowhere/at/all", "/sys/x", "~"),
    *("[]", "{}", "[[]]", "[[[1]]]", "[null]", "{a: 1}", "[1, 1]", "[a, {b: [c]}]", "[-1, 0]", "2024-01-01", "2024-99-99"),
    *("!!python/object/apply:os.system [ls]", "!!binary aGk=", "!!set {a, b}", "!foo x", "!!int x", "&a [*a]", "*nowhere"),
    *("{<<: {a: 1}, b: 2}", "{<<: 3}", "{a: 1, a: 2}", "{? [a] : 1}", "<<", "=", BOMB, "[" * 200 + "]" * 200),
    *("{" + "k" * 5000 + ": 1}", "/".join(["d"] * 3000), f"'{'x' * 300}/y'", "'<script>'", "[" + "1," * 3000 + "2]"),
    *("train", "digits", "classifier"),
]  # fmt: skip


def places(content: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value below the top."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in pairs:
        yield (*above, key)
        yield from places(value, (*above, key))


def at(content: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        content = content[key]
    return content


class Mutator:
    """Changes a study in one or two places.

    Args:
        draw: the source of all choices.
    """

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw

    def __call__(self, file: Path) -> bytes:
        """A study file, changed."""
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        marks: dict[str, str] = {}
        for _ in range(self.draw.choice([1, 1, 2])):
            with suppress(IndexError):  # nothing is left to change
                self.draw.choice([self.delete, self.replace, self.replace, self.replace, self.rename, self.swap])(
                    content, marks
                )
        text = json.dumps(content, indent=1) if self.draw.random() < 0.5 else yaml.safe_dump(content, sort_keys=False)
        for mark, value in marks.items():
            text = text.replace(f'"{mark}"', value).replace(mark, value)
        return self.draw.choice([self.same] * 6 + [self.twice, self.cut, self.bytes, self.tabs, self.control])(text)

    def place(self, content: Any) -> tuple[Any, ...]:
        return self.draw.choice(list(places(content)))

    def delete(self, content: Any, _: dict[str, str]) -> None:
        *above, last = self.place(content)
        del at(content, tuple(above))[last]

    def replace(self, content: Any, marks: dict[str, str]) -> None:
        *above, last = self.place(content)
        mark = f"MARK{len(marks)}MARK"
        marks[mark] = self.draw.choice(ZOO)
        at(content, tuple(above))[last] = mark

    def rename(self, content: Any, _: dict[str, str]) -> None:
        *above, last = self.place(content)
        part = at(content, tuple(above))
        if isinstance(part, dict):
            part[self.draw.choice([str(last)[:-1], f"{last}s", "k" * 5000, "a.b", "é", "", "a\nb"])] = part.pop(last)

    def swap(self, content: Any, _: dict[str, str]) -> None:
        first, second = self.draw.sample(sorted(content), 2)
        content[first], content[second] = copy.deepcopy(content[second]), copy.deepcopy(content[first])

    def same(self, text: str) -> bytes:
        return text.encode("utf-8", "surrogatepass")

    def twice(self, text: str) -> bytes:
        lines = text.splitlines(keepends=True)
        number = self.draw.randrange(len(lines))
        return self.same("".join([*lines[: number + 1], lines[number], *lines[number + 1 :]]))

    def cut(self, text: str) -> bytes:
        return self.same(text[: self.draw.randrange(len(text))])

    def bytes(self, text: str) -> bytes:
        data = self.same(text)
        place = self.draw.randrange(len(data))
        return data[:place] + self.draw.randbytes(self.draw.randint(1, 8)) + data[place:]

    def tabs(self, text: str) -> bytes:
        return self.same(text.replace("  ", "\t", self.draw.randint(1, 5)))

    def control(self, text: str) -> bytes:
        place = self.draw.randrange(len(text))
        return self.same(text[:place] + self.draw.choice("\x00\x07\x1b\x7f\x85\ufeff\u2028") + text[place:])


def outcome(action: Callable[[], object]) -> str | None:
    """The message of a InputError, None without one; any other error is a failure of the test."""
    try:
        action()
    except InputError as error:
        return str(error)
    return None


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config/studies").mkdir(parents=True)
    (tmp_path / "config/networks").symlink_to(ROOT / "config/networks")
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "https_proxy", "all_proxy"):  # some studies let torchvision download
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return tmp_path


def start(chosen: object = "mine") -> None:
    """What rules/common.smk calls."""
    studies = find_studies(chosen, "config/studies", "config/config.yaml", data="nowhere")
    preflight.check_all(studies, "config/studies")


@pytest.mark.slow
def test_a_changed_study_file_gives_studies_or_one_short_message(project: Path) -> None:
    draw = random.Random(12)
    mutate, messages = Mutator(draw), []
    for number in range(MUTATIONS):
        data = mutate(draw.choice(STUDIES))
        (project / "config/studies/mine.yaml").write_bytes(data)
        try:
            message = outcome(start)
        except Exception as error:
            raise AssertionError(f"mutation {number} raised {type(error).__name__}: {data[:3000]!r}") from error
        assert message is None or len(message) <= LONGEST, f"mutation {number}: {len(message)} characters"
        assert message is None or all(one.isprintable() or one == "\n" for one in message)
        messages.append(message)
    refused = [message for message in messages if message]
    assert all(message.startswith("config/studies/mine.yaml: ") and "Remedy: " in message for message in refused)
    assert MUTATIONS // 2 < len(refused) < MUTATIONS, "some changes are harmless, most are not"


@pytest.mark.parametrize("value", ZOO, ids=range(len(ZOO)))
def test_the_configuration_gives_studies_or_one_short_message(project: Path, value: str) -> None:
    """Each value as `studies` and as `data`, in the file and on the command line, where Snakemake's reading comes first."""
    (project / "config/studies/mine.yaml").write_bytes(STUDIES[-1].read_bytes())
    file = project / "config/config.yaml"

    def begin(content: dict[str, Any], chosen: dict[str, Any]) -> None:
        check_configuration([file])
        data_folder(content, chosen, {})
        start(content.get("studies"))

    for key in ("studies", "data"):
        file.write_text(f"{key}: {value}\n", "utf-8")
        messages = [outcome(lambda: check_configuration([file]))]
        with suppress(
            yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError
        ):  # Snakemake itself ends there
            content = {"studies": "mine", **yaml.safe_load(file.read_text("utf-8"))}
            messages.append(outcome(lambda content=content: begin(content, {})))
        file.write_text("studies: mine\n", "utf-8")
        given = {key: float("1e400") if value == "1e400" else value}
        messages.append(outcome(lambda given=given: begin({"studies": "mine", **given}, given)))
        assert all(message is None or ("Remedy: " in message and len(message) <= LONGEST) for message in messages)
