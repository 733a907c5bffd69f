"""Write docs/text_to_image.md and its pictures from the text-to-image studies built so far: `make gallery`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from gallery import ROOT, markdown, picture

from underpainting.io.writing import write_text
from underpainting_workflow import text_figures
from underpainting_workflow.studies import TextToImageStudy, load_any

PAGE = "text_to_image.md"
HEAD = Path(__file__).with_name("text_to_image_head.md")
TABLES = {
    "agreement.csv": "Agreement of images with captions",
    "geometry.csv": "Geometry of trajectories (Table 2)",
    "latent_claims.csv": "Claims about trajectories of latents",
    "latent_teleport_claims.csv": "Steps that jumps replace",
    "gaussians/likelihood.csv": "Likelihood of held-out latents under Gaussians",
}


def tables(folder: Path) -> Iterator[str]:
    """The tables that a study has."""
    for file, heading in TABLES.items():
        if (folder / file).is_file():
            table = pd.read_csv(folder / file, keep_default_na=False, na_values=["nan", ""])
            texts = table.select_dtypes(exclude="number").columns
            yield f"### {heading}\n\n{markdown(table.fillna(dict.fromkeys(texts, '')))}\n"


def pictures(name: str, folder: Path, docs: Path) -> Iterator[str]:
    """The figures that a study has, small enough for git."""
    yield "### Pictures\n"
    for figure in text_figures.FIGURES:
        source = folder / "figures" / f"{figure.file}.png"
        if source.is_file():
            picture(source, docs / "pictures" / name / source.name)
            heading = figure.title or figure.label
            yield f"**{heading}**\n\n![{heading}](pictures/{name}/{source.name})\n"


def main(root: Path = ROOT) -> None:
    """Write the page: what is typed by hand, then the studies that are built to their claims."""
    results, docs = root / "results", root / "docs"
    parts = [HEAD.read_text(encoding="utf-8")]
    for file in sorted((root / "config" / "studies").glob("*.yaml")):
        folder = results / file.stem
        if (folder / "latent_claims.csv").is_file() and isinstance(study := load_any(file), TextToImageStudy):
            parts += [f"## {study.title}\n\n{study.description}\n", *tables(folder), *pictures(file.stem, folder, docs)]
    write_text("\n".join(parts), docs / PAGE)


if __name__ == "__main__":
    main()
