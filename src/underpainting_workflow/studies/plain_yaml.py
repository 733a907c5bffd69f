"""Read YAML 1.2 with plain values only: mappings with text as keys, lists, texts, numbers, true, false, null.

A duplicate key is an error, where PyYAML takes the last one. `yes`, `1:30`, `017` and dates are texts, and `1e-4` is a
number.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from underpainting.io.errors import InputError, Problem, problems_of
from underpainting.io.messages import shorten

MOST_ALIASES = 20  # aliases of aliases can expand to more than fits into memory
_TAG = "tag:yaml.org,2002:"
_PLAIN = (None, *(_TAG + name for name in ("map", "seq", "str", "int", "float", "bool", "null")))
_TYPES = {
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9][0-9]{0,99})",
    "float": r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "null": r"~|null|Null|NULL|",
    "merge": "<<",
}


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with the types of YAML 1.2 and without duplicate keys."""

    yaml_implicit_resolvers: dict[Any, Any] = {  # noqa: RUF012  PyYAML declares it so
        None: [(_TAG + name, re.compile(rf"(?:{pattern})\Z")) for name, pattern in _TYPES.items()]
    }
    yaml_constructors: ClassVar[dict[Any, Any]] = {tag: yaml.SafeLoader.yaml_constructors[tag] for tag in _PLAIN}
    aliases = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            event = self.peek_event()
            if self.aliases > MOST_ALIASES or getattr(self.anchors.get(event.anchor), "end_mark", True) is None:
                problem = f"too many aliases, or one within what it stands for, in line {event.start_mark.line + 1}"
                raise InputError(Problem(problem, "write out what they stand for"))
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        known = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InputError(Problem(f"a key is no text in line {line}", "check colons and brackets there"))
            if key.value in known:
                problem = f"the key {shorten(key.value)} stands twice, the second time in line {line}"
                raise InputError(Problem(problem, "keep one of the two"))
            known.add(key.value)
            key.tag = key.tag if key.tag == _TAG + "merge" else _TAG + "str"
        return node


def read(path: Path) -> Any:
    """Return the content of a file.

    Raises:
        InputError: it cannot be read, is not UTF-8, not YAML, or holds other than plain values.
    """
    with problems_of(path):
        try:
            return parse(path.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError as error:
            raise InputError(Problem("not UTF-8 text", "save it in the encoding UTF-8")) from error
        except OSError as error:
            problem = f"it cannot be read ({error.strerror})"
            raise InputError(Problem(problem, "correct its name or its permissions")) from error


def parse(text: str) -> Any:
    """Return the content of a text; None if it is empty.

    Raises:
        InputError: it is not YAML, or holds other than plain values.
    """
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except RecursionError as error:
        raise InputError(Problem("nested too deeply", "remove what a study file has no use for")) from error
    except InputError:
        raise
    except (yaml.YAMLError, ValueError, LookupError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        remedy = "check indentation, colons and quotes there"
        raise InputError(Problem(f"not valid YAML{line}: {shorten(str(why))}", remedy)) from error
