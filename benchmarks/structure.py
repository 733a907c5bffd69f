"""Measure the structure of the code, here and at another commit: `python -m benchmarks.structure [--against COMMIT]`.

Lines are all lines of a file. Functions are those of `src` and `scripts`, nested ones included, without their docstrings.
A cycle is a set of modules that import each other, however indirectly; a back arrow is an import that would have to go
for the parts of a package to stand in layers. Imports for type checkers alone do not count.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import io
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import grimp
import networkx
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
WINDOW = 6  # lines in a row that make a repetition
PACKAGES = ("src/underpainting", "src/underpainting_workflow", "src/snakemake_provenance")
PARTS = (*PACKAGES, "scripts", "rules", "tests", "benchmarks", "workflow", "docs")
ENDINGS = {"docs": {".md"}, "rules": {".smk"}}


def lines(folder: Path, endings: Iterable[str] = (".py",)) -> int:
    """Count the lines of the files below a folder that end so; 0 if there is no folder."""
    return sum(len(file.read_text().splitlines()) for file in folder.rglob("*") if file.suffix in endings)


def functions(folders: Iterable[Path]) -> list[int]:
    """List the length in lines of every function below some folders, its docstring left out."""
    lengths = []
    for file in (file for folder in folders for file in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                documented = ast.get_docstring(node) is not None
                docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
                lengths.append((node.end_lineno or 0) - node.lineno + 1 - docstring)
    return lengths


def repetitions(folders: Iterable[Path]) -> int:
    """Count the places at which six lines begin that stand elsewhere, too; blank lines, comments and imports aside."""
    seen: Counter[tuple[str, ...]] = Counter()
    for file in (file for folder in folders for file in folder.rglob("*.py")):
        code = [line.strip() for line in file.read_text().splitlines()]
        code = [line for line in code if len(line) > 3 and not line.startswith(("#", "import ", "from "))]
        seen.update(tuple(code[start : start + WINDOW]) for start in range(len(code) - WINDOW + 1))
    return sum(count for count in seen.values() if count > 1)


def installed(names: Iterable[str]) -> set[str]:
    """Collect the packages that requirements bring on this machine, themselves included, by their installed metadata."""
    found: set[tuple[str, frozenset[str]]] = set()
    queue = [Requirement(name) for name in names]
    while queue:
        requirement = queue.pop()
        key = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if key not in found:
            found.add(key)
            extras = [{"extra": extra} for extra in ("", *requirement.extras)]
            children = map(Requirement, requires(requirement.name) or ())
            queue += [c for c in children if c.marker is None or any(map(c.marker.evaluate, extras))]
    return {name for name, _ in found}


def requirements(project: Mapping[str, Any], extra: str = "") -> Iterator[str]:
    """Yield the requirements of a project, or of an extra of its, the extras of its own that they name resolved."""
    for line in project["optional-dependencies"].get(extra, ()) if extra else project["dependencies"]:
        requirement = Requirement(line)
        own = requirement.name == project["name"]
        yield from (inner for part in requirement.extras for inner in requirements(project, part)) if own else [line]


def packages(tree: Path) -> dict[str, str]:
    """Count the packages of the bare install and of the extra `workflow`, this project left out."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    bare = set(requirements(project))
    try:
        counts = [len(installed(bare)), len(installed(bare | set(requirements(project, "workflow"))))]
    except PackageNotFoundError as missing:
        return {"packages": f"not counted: {missing} is not installed"}
    return {"packages, pip install .": str(counts[0]), "packages, pip install .[workflow]": str(counts[1])}


def arrows(tree: Path) -> dict[str, str]:
    """Count modules, those in cycles, and back arrows."""
    names = sorted(file.parent.name for file in (tree / "src").glob("*/__init__.py"))
    sys.path.insert(0, str(tree / "src"))
    importlib.invalidate_caches()
    graph = grimp.build_graph(*names, exclude_type_checking_imports=True, cache_dir=None)
    sys.path.pop(0)
    imports = networkx.DiGraph(
        (module, other) for module in graph.modules for other in graph.find_modules_directly_imported_by(module)
    )
    cycles = [part for part in networkx.strongly_connected_components(imports) if len(part) > 1]
    back = {name: len(graph.nominate_cycle_breakers(name)) for name in names}
    return {
        "modules in src": str(len(graph.modules)),
        "import cycles (modules in them)": f"{len(cycles)} ({sum(map(len, cycles))})",
        "back arrows": ", ".join(f"{count} in {name}" for name, count in back.items() if count) or "0",
    }


def measure(tree: Path) -> dict[str, str]:
    """Measure the files of one tree, each value by its name in words."""
    code = [tree / "src", tree / "scripts"]
    sizes = {part: lines(tree / part, ENDINGS.get(part, {".py"})) for part in PARTS}
    sizes["rules"] += len((tree / "Snakefile").read_text().splitlines())
    total = sum(count for part, count in sizes.items() if part.startswith(("src/", "scripts", "rules")))
    lengths = functions(code)
    return {
        **{f"lines, {part}": f"{count:,}" for part, count in sizes.items()},
        "lines, src + scripts + rules": f"{total:,}",
        **packages(tree),
        **arrows(tree),
        "functions": f"{len(lengths):,}",
        "lines of a function: median, 90 %, longest": f"{median(lengths):.0f}, {quantiles(lengths, n=10)[-1]:.0f}, "
        f"{max(lengths)}",
        "places where six lines repeat": str(repetitions(code)),
        "lines, README and CONTRIBUTING": " and ".join(
            str(len((tree / name).read_text().splitlines())) for name in ("README.md", "CONTRIBUTING.md")
        ),
    }


def main() -> None:
    """Print the table, with a column for the other commit if one is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="COMMIT", help="another commit to measure, before the working tree")
    commit = parser.parse_args().against
    columns = {"now": measure(ROOT)}
    if commit:
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], check=True, capture_output=True).stdout
        with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(folder, filter="data")
            columns = {commit: measure(Path(folder)), **columns}
    print(f"| what | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}")
    for name in columns["now"]:
        print(f"| {name} | {' | '.join(column.get(name, '-') for column in columns.values())} |")


if __name__ == "__main__":
    main()
