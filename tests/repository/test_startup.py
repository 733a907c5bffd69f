"""Scripts import what they use: heavy packages stay out of jobs that do not need them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from benchmarks.startup import NEEDED
from underpainting_workflow import drawing, text_figures
from underpainting_workflow.figures import FIGURES
from underpainting_workflow.jobs import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
DRAWN = [figure.draw for figure in (*FIGURES, *text_figures.FIGURES)]
HEAVY = {
    "PIL",
    "diffusers",
    "matplotlib",
    "pandas",
    "pydantic",
    "scipy",
    "seaborn",
    "sklearn",
    "torch",
    "torch_fidelity",
    "torchdiffeq",
    "torchvision",
    "transformers",
    "xarray",
}
BROUGHT = {"xarray": {"pandas"}, "seaborn": {"pandas", "matplotlib"}}


def at_import(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements that run when a file is imported: none of functions, none for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from at_import(ast.Module(child.orelse, []))
        elif not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from at_import(child)


@cache
def names(file: Path) -> frozenset[str]:
    """Dotted names that a file imports when it is imported; imports here are absolute."""
    found = set()
    for node in at_import(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            assert node.module and not node.level, f"{file}: relative imports are not followed"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def files(name: str) -> set[Path]:
    """Files of this library that a dotted name runs: every package on the way and the module."""
    parts = name.split(".")
    places = [
        package.joinpath(*parts[1:depth])
        for package in PACKAGES
        if package.name == parts[0]
        for depth in range(1, len(parts) + 1)
    ]
    return {file for place in places for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()}


def heavy(script: Path) -> set[str]:
    """Heavy packages that a script imports, itself or through this library."""
    seen, waiting, found = set[Path](), {script}, set[str]()
    while waiting:
        seen |= waiting
        imported = {name for file in waiting for name in names(file)}
        found |= {name.partition(".")[0] for name in imported} & HEAVY
        waiting = {file for name in imported for file in files(name)} - seen
    return found - {name for package in found for name in BROUGHT.get(package, ())}


def test_every_script_imports_the_heavy_packages_it_needs_and_no_others() -> None:
    stated = {script: set(packages) for packages, scripts in NEEDED.items() for script in scripts}
    drawn = {f"{drawing.__name__}.{name}": Path(drawing.__path__[0], f"{name}.py") for name in DRAWN}
    entries = {file.stem: file for file in SCRIPTS.glob("*.py")} | drawn
    assert {name: heavy(file) for name, file in sorted(entries.items())} == dict(sorted(stated.items()))


def test_what_the_walk_passes_over(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(
        "import torch.nn\nif TYPE_CHECKING:\n    import seaborn\nelse:\n    import scipy\n"
        "class A:\n    import sklearn\n    def f(self):\n        import xarray\n"
        "try:\n    from PIL import Image\nexcept ImportError:\n    pass\n"
    )
    assert heavy(file) == {"torch", "scipy", "sklearn", "PIL"}


# Of each group, imported in one process: packages may bring others along, which no import statement shows.
LIGHT = [name for packages, scripts in NEEDED.items() if not {"torch", "seaborn"} & {*packages} for name in scripts]
COMPUTING = [name for packages, scripts in NEEDED.items() if packages == ("torch", "xarray") for name in scripts]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scripts", "absent"),
    [
        (LIGHT, "torch scipy.stats seaborn matplotlib.pyplot sklearn diffusers snakemake"),
        (COMPUTING, "torch._dynamo diffusers scipy sklearn torchvision torch_fidelity torchdiffeq matplotlib seaborn"),
    ],
    ids=["tables and figures", "computing"],
)
def test_they_really_stay_out(scripts: list[str], absent: str) -> None:
    code = f"import sys; sys.path.insert(0, 'scripts'); import {', '.join(scripts)}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {*absent.split()} & {*result.stdout.split()}


def test_what_the_snakefile_imports_of_studies_brings_no_arrays() -> None:
    """Every start of Snakemake, also of each job on a cluster, pays for it."""
    modules = "underpainting_workflow.studies, underpainting_workflow.preflight"
    code = f"import sys, {modules}; print({{'numpy', 'torch', 'xarray'}} & {{*sys.modules}})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.slow
def test_without_transformers_only_text_to_image_is_refused() -> None:
    code = (
        "import sys; sys.modules['transformers'] = None; import underpainting; print(underpainting.TeleportPipeline); "
    )
    code += "from underpainting.denoisers import latent_model; underpainting.TeleportStableDiffusionPipeline"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "TeleportPipeline" in found.stdout
    assert "install the extra: pip install 'underpainting[text]'" in found.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_package_alone_imports_no_package_and_the_pipeline_what_a_bare_install_brings() -> None:
    """Neither arrays on disk nor the workflow: those are extras."""
    extras = {
        "xarray",
        "zarr",
        "pandas",
        "matplotlib",
        "seaborn",
        "sklearn",
        "torch_fidelity",
        "torchdiffeq",
        "pydantic",
    }
    code = "import sys, underpainting; print(*sys.modules); underpainting.TeleportPipeline; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    alone, with_pipeline = ({name.partition(".")[0] for name in line.split()} for line in found.stdout.splitlines())
    assert not alone & {"numpy", "torch", "diffusers"}
    assert "torch" in with_pipeline
    assert not with_pipeline & (extras | {"snakemake", "dvc", "underpainting_workflow", "snakemake_provenance"})
