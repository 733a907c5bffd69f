"""Digests of the code behind a script: of the script, and of every module of the project's packages that it reaches.

Snakemake notices a changed script, but not a changed module that the script imports, nor another version of a package.
So each rule carries both among its params. Imports are followed through the syntax tree, within functions too;
comments, docstrings and formatting do not count, since the tree holds neither comments nor formatting and docstrings
are removed. Imports for type checkers alone do not count either. An import by a name that is put together as the
program runs, `import_module(f"package.{name}")`, counts as one of every module of that package, unless the job names
the modules. A file of the package that is not Python, such as a style sheet, counts, byte by byte, with every module
that holds its name as text. The digest does not depend on the version of Python that computes it.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from snakemake_provenance import memory
from snakemake_provenance.hashes import Stamp

DIGITS = 16

Packages = tuple[Path, ...]
"""Folders of packages, and files of single modules, whose code counts."""

_FILE_NAME = re.compile(r"[\w-]+(\.[\w-]+)+")  # a text that may name a file


class Parsed(NamedTuple):
    """A parsed Python file: the digest of its code, the names that it imports, the file names in its texts."""

    digest: str
    imports: tuple[str, ...]
    files: tuple[str, ...]


# By file: its stamp and its parsed content; see `recall`. Discarded when this module itself changes.
_memory: dict[str, list[Any]] = {}
_MAKER = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:DIGITS]


def recall(file: Path) -> None:
    """Load the results of an earlier process, so that unchanged modules are not parsed at each start."""
    found = memory.recall(file) or {}
    if _MAKER in found:
        _memory.update(found[_MAKER])
    else:
        _memory.clear()


def remember(file: Path) -> None:
    """Store the parsed files for the next process, if they are not stored already."""
    if memory.recall(file) != {_MAKER: _memory}:
        memory.remember(file, {_MAKER: _memory})


def _is_for_type_checkers(node: ast.AST) -> bool:
    if not isinstance(node, ast.If):
        return False
    test = node.test
    return getattr(test, "id", getattr(test, "attr", None)) == "TYPE_CHECKING"


def _essence(tree: ast.Module) -> ast.Module:
    """Return a tree without docstrings and without imports for type checkers, which do not run."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and _is_for_type_checkers(node):
            node.body = [ast.Pass()]
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return tree


def _written(node: object) -> str:
    """Return a tree as text; empty fields are left out, since versions of Python differ in those alone."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
        return f"{type(node).__name__}({','.join(f'{name}={_written(value)}' for name, value in fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(_written, node))}]"
    return repr(node)


@cache
def _parsed(path: Path, module: str) -> Parsed:
    """Parse a Python file; imports are made absolute."""
    stamp = Stamp.of(path)
    known = _memory.get(str(path))
    if known and stamp and known[0] == [*astuple(stamp), module]:
        digest, *lists = known[1]
        return Parsed(digest, *map(tuple, lists))
    found = _parse(path, module)
    if stamp and not stamp.recent:
        _memory[str(path)] = [[*astuple(stamp), module], [found.digest, list(found.imports), list(found.files)]]
    return found


def _parse(path: Path, module: str) -> Parsed:
    tree = _essence(ast.parse(path.read_text(encoding="utf-8"), str(path)))
    own = module if path.name == "__init__.py" else module.rpartition(".")[0]
    digest = hashlib.sha256(_written(tree).encode()).hexdigest()[:DIGITS]
    return Parsed(digest, tuple(sorted(set(_imports(tree, own)))), tuple(sorted(set(_file_names(tree)))))


def _file_names(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in a file that may name another file: the last part of each path."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.rpartition("/")[2]
            if _FILE_NAME.fullmatch(name):
                yield name


@cache
def data_files(package: Path) -> tuple[Path, ...]:
    """List files of a package, or beside a single module, that are not Python; compiled code and hidden files do not count."""
    places = package.parent.glob("*") if package.is_file() else package.rglob("*")
    found = (path for path in places if path.suffix not in (".py", ".pyc", ".pyi") and path.is_file())
    return tuple(sorted(path for path in found if not path.name.startswith(".")))


@cache
def packages_in(folder: Path) -> Packages:
    """List the packages and modules that can be imported from a folder, sorted."""
    found = (path for path in folder.glob("*") if path.suffix == ".py" or any(path.glob("*.py")))
    return tuple(sorted(path for path in found if path.stem.isidentifier()))


def _digest_of(file: Path, packages: Packages) -> str:
    if file.suffix == ".py":
        return _parsed(file, _module(file, packages)).digest
    return hashlib.sha256(file.read_bytes()).hexdigest()[:DIGITS]


def _imports(tree: ast.AST, own: str) -> Iterator[str]:
    """Yield the names that a file imports; `own` is the package that its relative imports start from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = own.split(".")[: len(own.split(".")) - node.level + 1] if node.level else []
            name = ".".join([*start, *([node.module] if node.module else [])])
            if name:
                yield name
                yield from (f"{name}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            yield from _imported_by_name(node)


def _imported_by_name(call: ast.Call) -> Iterator[str]:
    """Yield `package.*` for a call `import_module(f"package.{name}")`."""
    called = getattr(call.func, "attr", getattr(call.func, "id", ""))
    name = call.args[0] if call.args and called == "import_module" else None
    start = getattr(name.values[0], "value", None) if isinstance(name, ast.JoinedStr) else None
    if isinstance(start, str) and start.endswith("."):
        yield f"{start}*"


@cache
def _files(name: str, packages: Packages, without: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the files of a dotted name: each `__init__` on the way and the module; for `*`, every module."""
    parts = name.split(".")
    package = next((package for package in packages if package.stem == parts[0]), None)
    if package is None or any(f"{name}.".startswith(f"{left_out}.") for left_out in without):
        return ()
    places = [package.joinpath(*parts[1:depth]) for depth in range(1, len(parts) + 1)]
    if parts[-1] == "*":
        return tuple(sorted(places[-1].parent.glob("*.py")))
    files = (file for place in places for file in (place / "__init__.py", place.with_suffix(".py")))
    return tuple(file for file in files if file.is_file())


def _home(file: Path, packages: Packages) -> Path | None:
    """Return the package that a file belongs to; None for one outside the packages."""
    return next((package for package in packages if file.is_relative_to(package)), None)


@cache
def _module(file: Path, packages: Packages) -> str:
    """Return the dotted name of a file; empty for one outside the packages."""
    if (package := _home(file, packages)) is None:
        return ""
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _reach(
    script: Path, packages: Packages, without: tuple[str, ...], also: tuple[str, ...]
) -> tuple[tuple[Path, ...], frozenset[str]]:
    """Return the sorted files of the packages that a script and further modules reach, and all names imported there."""
    found = {script, *(file for name in also for file in _files(name, packages, without))}
    waiting, names = [*found], set[str]()
    while waiting:
        file = waiting.pop()
        parsed = _parsed(file, _module(file, packages))
        for name in set(parsed.imports) - names:
            names.add(name)
            if name.endswith("*") and any(module.startswith(name[:-1]) for module in also):
                continue
            new = set(_files(name, packages, without)) - found
            waiting.extend(new)
            found |= new
        found.update(data for package in packages for data in data_files(package) if data.name in parsed.files)
    return tuple(sorted(found)), frozenset(names)


def closure(
    script: Path, packages: Packages, without: tuple[str, ...] = (), also: tuple[str, ...] = ()
) -> tuple[Path, ...]:
    """Return the script and every file of the packages that it reaches, by import or by name, sorted.

    Args:
        script: the entry.
        packages: folders of the packages; imports of others are not followed.
        without: dotted names of packages and modules that results cannot depend on.
        also: dotted names of modules that the script imports by a name given only to its job.
    """
    return _reach(script, packages, without, also)[0]


def imported(
    script: Path, packages: Packages, without: tuple[str, ...] = (), also: tuple[str, ...] = ()
) -> frozenset[str]:
    """Return the top-level names of other packages that a script, or a module that it reaches, imports."""
    own = {package.stem for package in packages}
    return frozenset(name.partition(".")[0] for name in _reach(script, packages, without, also)[1]) - own


def parts(
    script: Path, packages: Packages, without: tuple[str, ...] = (), also: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the digest of each file that a script reaches, by name, so that messages can name those that differ."""
    found = {}
    for file in closure(script, packages, without, also):
        package = _home(file, packages)
        name = file.relative_to(package.parent).as_posix() if package else file.name
        found[name] = _digest_of(file, packages)
    return found


def combined(found: dict[str, str]) -> str:
    """Return the combined digest of the digests of `parts`."""
    lines = "".join(f"{name}\n{digest}\n" for name, digest in sorted(found.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:DIGITS]


def of_files(folder: Path) -> str:
    """Return the digest of all files of a folder, byte by byte; for files that are not code."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{file.relative_to(folder).as_posix()}\n".encode() + file.read_bytes() + b"\n")
    return total.hexdigest()[:DIGITS]


def refresh() -> None:
    """Check all files for changes; unchanged ones are not parsed again."""
    for function in (_parsed, _files, _module, data_files, packages_in, _reach):
        function.cache_clear()


def forget() -> None:
    """Parse all files again."""
    _memory.clear()
    refresh()
