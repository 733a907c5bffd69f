"""Code and packages that the results of a script depend on."""

from __future__ import annotations

from pathlib import Path

from snakemake_provenance import code, packages

PACKAGES = tuple(Path(__file__).parents[1] / name for name in ("underpainting", "underpainting_workflow"))
APART = (
    "underpainting.meter",
    *(f"underpainting_workflow.{name}" for name in ("cli", "jobs", "runner", "usage")),
)
"""Modules that no result depends on."""
IMPLIED = {
    "torch_fidelity": ("torch", "torchvision", "scipy", "numpy"),
    "torchdiffeq": ("torch",),
    "diffusers": ("torch",),
}
"""Packages that the named packages compute with."""


def modules_of(name: str) -> tuple[str, ...]:
    """Return the module that a job's code names besides its script, as in `draw_figure:drawing.score`."""
    module = name.partition(":")[2]
    return (f"{PACKAGES[1].name}.{module}",) if module else ()


def code_of(folder: Path, name: str) -> dict[str, str]:
    """Return the digests of a script and of every module of the library that it reaches, by file.

    Args:
        folder: folder of the scripts.
        name: SCRIPT, or SCRIPT:MODULE where the script imports a module of this package by name.
    """
    return code.parts(folder / f"{name.partition(':')[0]}.py", PACKAGES, APART, modules_of(name))


def packages_of(folder: Path, name: str) -> dict[str, str]:
    """Return the versions of the packages that a job's results can depend on; arguments as in `code_of`."""
    script = folder / f"{name.partition(':')[0]}.py"
    return packages.versions(code.imported(script, PACKAGES, APART, modules_of(name)), IMPLIED)
