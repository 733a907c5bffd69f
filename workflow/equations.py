"""`python workflow/equations.py`: write docs/equations.md, which function holds which equation of the paper, and what tests it.

Read from the syntax trees alone. A function, class or method holds the equations that its docstring cites as `Eq. 9`,
`Eq. 84-86` or `Eq. 9, 44-45`; a module holds those that its docstring cites and that no function does. A citation that
follows a year in brackets is another paper's. A function's tests are the tests that name it, directly or through
helpers, fixtures and constants of the same file; where no test does, those of the functions of its module that name it.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = "docs/equations.md"
PACKAGES = ("underpainting", "underpainting_workflow")
EQUATIONS = range(1, 101)
CITATION = re.compile(r"Eq\. (\d+(?:-\d+)?(?:, \d+(?:-\d+)?)*)")
FOREIGN = re.compile(r"\(\d{4}\)[,:]?\s*$")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

REASONS = {
    "2": "the stochastic reverse process; the library follows the flow with the same marginals (Eq. 4)",
    "18": "other papers' forward processes; the library needs their scales alone (Eq. 17)",
    "20-22": "the flow of Eq. 8 with the inverse of Eq. 58 written out",
    "23-28": "steps to Eq. 33: the flow of x_t - alpha_t mu",
    "29-32": "steps to Eq. 33: the part of the flow along one component",
    "33-34": "equations of motion whose solutions are Eq. 44-45 and whose right sides are Eq. 46-47",
    "35-37": "the solution before its integrals are done: Eq. 44-45",
    "38-39": "initial conditions, part of Eq. 9",
    "40-43": "the integral in Eq. 37, step by step",
    "54-57": "steps to Eq. 58: Woodbury's identity",
}


@dataclass(frozen=True)
class Holder:
    """A function, class, method or module of the library.

    Attributes:
        name: dotted, below its package: `gaussian.state`, `mixtures.GaussianMixture.score`.
        file: relative to the repository.
        summary: first sentence of its docstring, without citations.
        equations: what its docstring cites.
        kind: "module", "class", "method" or "function".
        uses: names that its body holds.
    """

    name: str
    file: str
    summary: str
    equations: frozenset[int]
    kind: str
    uses: frozenset[str]

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def parent(self) -> str:
        return self.name.rpartition(".")[0]


def numbers(text: str) -> Iterator[int]:
    """The numbers of a list of ranges: `9, 44-45` is 9, 44, 45."""
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        yield from range(int(first), int(last or first) + 1)


def cited(docstring: str) -> frozenset[int]:
    """The equations of the paper that a docstring cites."""
    own = (match for match in CITATION.finditer(docstring) if not FOREIGN.search(docstring[: match.start()]))
    return frozenset(number for match in own for number in numbers(match[1]))


def summary(docstring: str) -> str:
    """First sentence, without brackets that hold citations."""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    text = re.sub(r"\s*\([^()]*Eq\. [^()]*\)", "", paragraph)
    return re.split(r"(?<=[.;])\s+(?=[A-Z])", text)[0].rstrip(".;:")


def names_in(node: ast.AST) -> frozenset[str]:
    """Every name, attribute and argument below a node."""
    found: set[str] = set()
    for below in ast.walk(node):
        match below:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                found.add(name)
    return frozenset(found)


def holders(root: Path) -> list[Holder]:
    """Everything in the library that can hold an equation, by file."""
    found = []
    for file in sorted(file for name in PACKAGES for file in (root / "src" / name).rglob("*.py")):
        parts = file.relative_to(root / "src").with_suffix("").parts[1:]
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found += list(
            _below(ast.parse(file.read_text(encoding="utf-8")), module, str(file.relative_to(root)), "module")
        )
    return found


def _below(node: ast.Module | Definition, name: str, file: str, kind: str) -> Iterator[Holder]:
    docstring = ast.get_docstring(node) or ""
    yield Holder(name, file, summary(docstring), cited(docstring), kind, names_in(node))
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if isinstance(child, Definition):
                inner = "method" if kind == "class" else "class" if isinstance(child, ast.ClassDef) else "function"
                yield from _below(child, f"{name}.{child.name}".lstrip("."), file, inner)


@dataclass(frozen=True)
class Test:
    """A test function.

    Attributes:
        name, file: where it is.
        direct, named: what it names itself, and with the helpers of its file.
        through: the function that it names in place of the one it is listed for.
    """

    name: str
    file: str
    direct: frozenset[str]
    named: frozenset[str]
    through: str = ""


def tests(root: Path) -> list[Test]:
    """The tests of the packages, in the order of their files."""
    return [
        test
        for package in PACKAGES
        for file in sorted((root / "tests" / package).rglob("test_*.py"))
        for test in _tests_of(file, file.relative_to(root).as_posix())
    ]


def _tests_of(file: Path, name: str) -> Iterator[Test]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = dict(_imported(tree))
    own = dict(_own(tree))
    direct = {key: frozenset().union(*(_references(node, imported) for node in nodes)) for key, nodes in own.items()}
    links = {key: frozenset().union(*(names_in(node) for node in nodes)) & own.keys() for key, nodes in own.items()}
    for key in own:
        if key.startswith("test_"):
            reached = closure(key, links)
            yield Test(key, name, direct[key], frozenset().union(*(direct[other] for other in reached)))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Local name and place below the package of everything imported from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            place = (node.module or "").partition(".")[2]
            yield from ((alias.asname or alias.name, f"{place}.{alias.name}".lstrip(".")) for alias in node.names)


def _own(tree: ast.Module) -> Iterator[tuple[str, list[ast.AST]]]:
    """Functions, classes and constants of a file, the functions within classes too."""
    found: dict[str, list[ast.AST]] = defaultdict(list)
    for node in tree.body:
        if isinstance(node, Definition):
            found[node.name].append(node)
        if isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, Definition):
                    found[child.name].append(child)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for name in names_in(target):
                    found[name].append(node)
    yield from found.items()


def _references(node: ast.AST, imported: Mapping[str, str]) -> frozenset[str]:
    """What a node names: places below the package, and `.name` for an attribute of anything else."""
    found: set[str] = set()
    for below in ast.walk(node):
        if isinstance(below, ast.Name) and below.id in imported:
            found.add(imported[below.id])
        elif isinstance(below, ast.Attribute):
            chain = ast.unparse(below).split(".")
            if chain[0] in imported:
                found.add(".".join([imported[chain[0]], *chain[1:]]))
            found.add(f".{below.attr}")
    return frozenset(found)


def closure(start: str, links: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Everything reached from a name."""
    reached, waiting = {start}, [start]
    while waiting:
        new = set(links.get(waiting.pop(), ())) - reached
        reached |= new
        waiting += sorted(new)
    return frozenset(reached)


def names(found: frozenset[str], holder: Holder) -> bool:
    """Whether what a test names includes a function; for a method, its name and anything of its module."""
    if holder.kind == "method":
        module = holder.parent.rpartition(".")[0]
        return f".{holder.short}" in found and any(name.startswith(f"{module}.") for name in found)
    if holder.kind == "function":
        return holder.name in found
    return any(name == holder.name or name.startswith(f"{holder.name}.") for name in found)


def tests_of(holder: Holder, library: list[Holder], every: list[Test]) -> list[Test]:
    """The tests of a function; first those of its module's own file, those that name it themselves."""
    found = [test for test in every if names(test.named, holder)]
    own = f"test_{Path(holder.file).stem}.py"

    def near(test: Test) -> tuple[bool, bool, bool]:
        return test.file != own, not names(test.direct, holder), holder.short not in test.name

    if found or holder.kind not in ("function", "class"):
        return sorted(found, key=near)
    users = [other for other in library if other.file == holder.file and other.kind == "function"]
    links = {other.short: {user.short for user in users if other.short in user.uses} for other in [*users, holder]}
    reached = closure(holder.short, links) - {holder.short}
    for user in users:
        if user.short in reached:
            found += [replace(test, through=user.short) for test in every if names(test.named, user)]
    return sorted({test.name: test for test in reversed(found)}.values(), key=near)


def by_equation(library: list[Holder]) -> dict[int, list[Holder]]:
    """Who holds each equation: functions, or modules where no function does."""
    result = {}
    for number in EQUATIONS:
        found = [holder for holder in library if number in holder.equations]
        result[number] = [holder for holder in found if holder.kind != "module"] or found
    return result


def reasons() -> dict[int, str]:
    """Why an equation has no function."""
    return {number: text for ranges, text in REASONS.items() for number in numbers(ranges)}


def link(text: str, file: str) -> str:
    """A name in Markdown that leads to its file."""
    return f"[`{text}`](../{file})"


def _tests_cell(found: list[Test]) -> str:
    if not found:
        return "**none**"
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    through = f"through `{found[0].through}`: " if found[0].through else ""
    return through + link(found[0].name, found[0].file) + more


def _rows(held: Mapping[int, list[Holder]], tested: Mapping[str, list[Test]]) -> Iterator[str]:
    for number, found in held.items():
        for holder in found:
            text = holder.summary.replace("|", r"\|")
            yield f"| {number} | {text} | {link(holder.name, holder.file)} | {_tests_cell(tested[holder.name])} |"
        if not found:
            yield f"| {number} | {reasons().get(number, '**missing**')} | - | - |"


def _lists(held: Mapping[int, list[Holder]], tested: Mapping[str, list[Test]]) -> Iterator[str]:
    found = {holder.name: holder for holders_of in held.values() for holder in holders_of}
    for name, holder in sorted(found.items()):
        yield f"\n### `{name}`\n"
        files: dict[str, list[str]] = defaultdict(list)
        for test in tested[name]:
            files[test.file].append(f"`{test.name}`" + (f" (through `{test.through}`)" if test.through else ""))
        for file in sorted(files):
            listed = ", ".join(sorted(files[file])) if holder.kind != "module" else f"{len(files[file])}"
            yield f"- {link(Path(file).name, file)}: {listed}"
        if not files:
            yield "- **none**"


def page(root: Path = ROOT) -> str:
    """docs/equations.md as text."""
    library, every = holders(root), tests(root)
    held = by_equation(library)
    tested = {one.name: tests_of(one, library, every) for found in held.values() for one in found}
    return HEADER + "\n".join([*_rows(held, tested), "", LISTS, *_lists(held, tested)]) + "\n"


HEADER = """\
# Equations

<!-- Generated by `make docs` from docstrings and tests (workflow/equations.py); do not edit by hand. -->

The equations of Wang & Vastola (2023), the functions of the library that hold them, and their tests. "What it says" is
the first sentence of the function's docstring. A step of a derivation has no function, and the table says why.

| Eq. | what it says | function | tests |
| ---: | --- | --- | --- |
"""

LISTS = """\
## The tests of each function

Those that name it, directly or through helpers of the same file; where none does, those that name a function of its
module that uses it, marked "through". For a module, their number."""


def main() -> None:
    """Write the page."""
    (ROOT / OUTPUT).write_text(page(), encoding="utf-8")
    print(OUTPUT)


if __name__ == "__main__":
    main()
