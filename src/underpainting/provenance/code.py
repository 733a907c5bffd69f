"""Digest of the code behind a script: itself and every module of its package that it reaches.

Snakemake notices a changed script, but not a changed module that the script imports. So each rule carries this digest
among its params. Imports are followed through the syntax tree, within functions too; comments, docstrings and formatting do not
count, since the tree knows none of the first and third and the second are taken out.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return tree


@cache
def _parsed(path: Path) -> tuple[str, tuple[str, ...]]:
    """What counts of a file's code, and the modules that it imports, as written."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return ast.dump(_without_docstrings(tree)), tuple(sorted(set(_imports(tree))))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(module: str, package: Path) -> Iterator[Path]:
    """The files of a dotted name below a package: every `__init__` on the way, and the module itself."""
    names = module.split(".")
    if names[0] != package.name:
        return
    for depth in range(1, len(names) + 1):
        place = package.joinpath(*names[1:depth])
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                yield file


@cache
def closure(script: Path, package: Path) -> tuple[Path, ...]:
    """The script and every file of the package that it reaches through imports, sorted.

    Args:
        script: the entry.
        package: folder of the package; imports of other packages are not followed.
    """
    found, waiting = {script}, [script]
    while waiting:
        for module in _parsed(waiting.pop())[1]:
            new = set(_files(module, package)) - found
            found |= new
            waiting.extend(new)
    return tuple(sorted(found))


def digest(script: Path, package: Path) -> str:
    """Sixteen hexadecimal digits that change when, and only when, code reached by the script does."""
    total = hashlib.sha256()
    for file in closure(script, package):
        name = file.relative_to(package.parent).as_posix() if file.is_relative_to(package) else file.name
        total.update(f"{name}\n{_parsed(file)[0]}\n".encode())
    return total.hexdigest()[:16]
