"""Execute docs/first_findings.ipynb and write it with its outputs as a page: `python workflow/first_findings.py [STUDY]`.

The notebook wants a folder of images and the folder of a network. Here they are those of a study that is built.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from PIL import Image

from underpainting.io import artifacts

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs/first_findings.ipynb"
PAGE, PICTURES = ROOT / "docs/first_findings.md", ROOT / "docs/pictures/first_findings"
TIMEOUT = 600  # s, of one cell
NOTE = "<!-- written by `python workflow/first_findings.py {}` from first_findings.ipynb -->\n\n"


def execute(images: Path, network: Path) -> Any:
    """Execute the notebook in a folder of its own, and return it with its outputs.

    Args:
        images: folder of images.
        network: folder of a pipeline of diffusers.

    Raises:
        CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        for name, place in (("images", images), ("network", network)):
            (Path(folder) / name).symlink_to(place.resolve())
        NotebookClient(notebook, timeout=TIMEOUT, resources={"metadata": {"path": folder}}).execute()
    return notebook


def write_images(study: Path, folder: Path) -> None:
    """Write the images of a study's data set as PNG files."""
    images = artifacts.load(study / "dataset.zarr.zip")["images"].values
    folder.mkdir()
    for number, image in enumerate(np.round((images + 1) * 127.5).astype(np.uint8)):
        pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        Image.fromarray(pixels).save(folder / f"{number:05}.png")


def write_page(notebook: Any, study: str) -> None:
    """Write a notebook that was executed on a study as a page, with its pictures beside those of the studies."""
    for cell in notebook.cells:
        cell.outputs = [output for output in cell.get("outputs", []) if output.get("name") != "stderr"]  # progress
    body, resources = MarkdownExporter().from_notebook_node(notebook)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    for number, (name, content) in enumerate(sorted(resources["outputs"].items())):
        (PICTURES / f"{number}.png").write_bytes(content)
        body = body.replace(f"![png]({name})", f"![Output of the cell above](pictures/first_findings/{number}.png)")
    PAGE.write_text(NOTE.format(study) + body.strip() + "\n", encoding="utf-8")


def main() -> None:
    """Execute the notebook on a study, by default the digits, and write its page."""
    study = ROOT / "results" / (sys.argv[1] if len(sys.argv) > 1 else "digits")
    if not (study / "denoiser").is_dir():
        sys.exit(f"{study} is not built; run snakemake --cores all --config studies={study.name}")
    with tempfile.TemporaryDirectory() as folder:
        write_images(study, Path(folder) / "images")
        write_page(execute(Path(folder) / "images", study / "denoiser"), study.name)
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
