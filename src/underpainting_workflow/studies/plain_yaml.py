"""YAML 1.2 as study files and config/config.yaml use it: mappings with text as keys, lists, texts, numbers, true, false, null.

A key that stands twice is refused at every depth. `yes`, `1:30` and dates are texts. Aliases and merge keys may be used, as
long as what they stand for stays small.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from underpainting.io.messages import shortened

LARGEST = 2**18
LONGEST_NUMBER = 100
_TAG = "tag:yaml.org,2002:"
_PLAIN = {_TAG + name for name in ("map", "seq", "str", "int", "float", "bool", "null", "merge")}
_TEXTS = {_TAG + name for name in ("timestamp", "value")}  # types of YAML 1.1 that ruamel.yaml still finds
_NUMBERS = {_TAG + "int", _TAG + "float"}
_TOO_LARGE = "remove what a study file has no use for"
_OTHER_VERSION = re.compile(r"^%YAML\s+(?!1\.2\s)", re.MULTILINE)


class PlainYamlError(ValueError):
    """Text that is not YAML 1.2 of plain values; what is wrong, and the remedy."""

    def __init__(self, problem: str, remedy: str, line: int | None = None) -> None:
        self.problem, self.remedy = problem + (f" in line {line}" if line else ""), remedy
        super().__init__(f"{self.problem}. Remedy: {self.remedy}.")


def read(path: Path) -> Any:
    """The content of a file.

    Raises:
        PlainYamlError: it cannot be read, is not UTF-8, not YAML, or holds other than plain values.
    """
    return parse(read_text(path))


def read_text(path: Path) -> str:
    """The text of a file of at most 256 KiB."""
    try:
        if path.stat().st_size > LARGEST:
            raise PlainYamlError(f"{path.stat().st_size} bytes are no study file", _TOO_LARGE)
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlainYamlError("not UTF-8 text", "save it in the encoding UTF-8") from error
    except OSError as error:
        raise PlainYamlError(f"it cannot be read ({error.strerror})", "correct its name or its permissions") from error


def parse(text: str, spelled: bool = False) -> Any:
    """The content of a text; None if it is empty.

    Args:
        text: YAML.
        spelled: leave every value as the text that stands there: 007 is '007', not 7.

    Raises:
        PlainYamlError: it is not YAML, or holds other than plain values.
    """
    if _OTHER_VERSION.search(text):
        raise PlainYamlError("written for another version of YAML", "remove the line %YAML")
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
        if node is None:
            return None
        _weigh(node, {}, spelled)
        return yaml.constructor.construct_document(node)
    except RecursionError as error:
        raise PlainYamlError("nested too deeply", _TOO_LARGE) from error
    except (YAMLError, ValueError, TypeError, LookupError) as error:
        if isinstance(error, PlainYamlError):
            raise
        raise _explained(error) from error


def _explained(error: Exception) -> PlainYamlError:
    """What ruamel.yaml found, in our words."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark else None
    problem = (error.problem if isinstance(error, MarkedYAMLError) else None) or ""
    if problem.startswith("found duplicate key"):
        key = problem.removeprefix("found duplicate key ").split(" with value ")[0].strip('"')
        return PlainYamlError(f"the key {shortened(key)} stands twice", "keep one of the two", line)
    return PlainYamlError("not valid YAML", "check indentation, colons and quotes there", line)


def _weigh(node: Node, weights: dict[int, int], spelled: bool) -> int:
    """How many characters and values a node stands for, aliases written out; it holds plain values alone.

    Args:
        node: the node; a date becomes the text that it is, and with `spelled` every value does.
        weights: of the nodes seen, by id; 0 for those that the node is part of.
        spelled: as for `parse`.
    """
    if (known := weights.get(id(node))) is not None:
        if not known:
            raise PlainYamlError("an alias stands for what it is part of", "write it out", node.start_mark.line + 1)
        return known
    weights[id(node)] = 0
    if isinstance(node, ScalarNode):
        _check_scalar(node, spelled)
        weight = 1 + len(node.value)
    else:
        weight = 1 + sum(_weigh(child, weights, spelled) for child in _children(node))
    if weight > LARGEST:
        raise PlainYamlError("its aliases stand for more than 256 KiB", "write out what they stand for")
    if node.tag not in _PLAIN:
        told = shortened(str(node.tag).removeprefix(_TAG))
        raise PlainYamlError(f"a value of the type {told} is not allowed", "remove the tag", node.start_mark.line + 1)
    weights[id(node)] = weight
    return weight


def _children(node: Node) -> list[Node]:
    """Entries of a list; keys, which are texts, and values of a mapping."""
    if not isinstance(node, MappingNode):
        return list(node.value)
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            raise PlainYamlError("a key is no text", "check colons and brackets there", key.start_mark.line + 1)
        if key.tag != _TAG + "merge":
            key.tag = _TAG + "str"
    return [part for pair in node.value for part in pair]


def _check_scalar(node: ScalarNode, spelled: bool) -> None:
    line, text = node.start_mark.line + 1, node.value
    if node.tag in _TEXTS or (spelled and node.tag not in (_TAG + "merge", _TAG + "null")):
        node.tag = _TAG + "str"
    if node.tag in _NUMBERS and len(text) > LONGEST_NUMBER:
        raise PlainYamlError(f"a number of {len(text)} characters", "write fewer digits", line)
    if strange := [one for one in text if one not in "\n\t" and unicodedata.category(one) in ("Cc", "Cs")]:
        raise PlainYamlError(f"the character U+{ord(strange[0]):04X} is not allowed", "remove it", line)
