"""The notebook from a folder of images to three findings: it runs from start to end, and its page has the same cells."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat

from tests.workflow.project import ROOT, Project

sys.path.insert(0, str(ROOT / "workflow"))

import first_findings

CELLS = 10


def code_of(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")


def test_ten_cells_lead_to_three_findings(built: Project, tmp_path: Path) -> None:
    first_findings.write_images(built.folder / "results/tiny", tmp_path / "images")
    notebook = first_findings.execute(tmp_path / "images", built.folder / "results/tiny/denoiser")
    cells = code_of(notebook)
    assert len(cells) == CELLS
    text = "".join(map(printed, cells))
    assert re.search(r"\d+ images of 1 x 8 x 8, \d+ components", text)
    assert re.search(r"up to step \d+ of 50", text)
    assert re.search(r"rank correlation .*, \d+ components: -?\d", text)
    changes = [float(found) for found in re.findall(r"images change by ([\d.]+)", text)]
    assert changes[0] == 0 and changes[1] < changes[-1]
    assert len(re.findall(r"from the network's own solution", text)) == 2
    assert "4 images, 6 network calls each" in text
    pictures = sum("image/png" in getattr(output, "data", {}) for cell in cells for output in cell.outputs)
    assert pictures == 4


def test_the_notebook_is_kept_without_outputs_and_its_page_has_its_cells() -> None:
    notebook = nbformat.read(ROOT / "docs/first_findings.ipynb", as_version=4)
    nbformat.validate(notebook)
    page = (ROOT / "docs/first_findings.md").read_text(encoding="utf-8")
    assert all(not cell.outputs and cell.execution_count is None for cell in code_of(notebook))
    for cell in notebook.cells:
        assert cell.source in page, "run `python workflow/first_findings.py digits` and commit the page"
