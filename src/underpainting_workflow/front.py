"""Prepare the front page of a study's report: findings and their pictures, as values for `workflow/report/workflow.rst`.

Pictures are figures made small, as data: URLs, so that the report stays one page that opens offline. A URL is split
into several lines, since reStructuredText refuses long ones.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

from underpainting.io.messages import escape_rst

WIDTHS = (700, 600, 500)
COLOURS = (64, 32, 16)
LARGEST = 60_000
"""Bytes of a picture: the first combination of width and colours that needs no more is taken."""
_LINE = 5000
CLAIMS = ("claims.csv", "latent_claims.csv")
"""Tables of claims; a study has one of them."""


def of_study(folder: Path) -> dict[str, Any]:
    """Collect the values that the front page shows of a study.

    Args:
        folder: the study's results, with `figures`, `findings.json`, and a table of claims.
    """
    found = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    table = next(folder / name for name in CLAIMS if (folder / name).is_file())
    return {"findings": [_shown(finding, folder / "figures") for finding in found], "claims": claims(table)}


def _shown(finding: dict[str, Any], figures: Path) -> dict[str, Any]:
    """Convert a finding for the page: its texts to reStructuredText, its picture to the lines of a data: URL."""
    texts = {key: escape_rst(finding[key]) for key in ("title", "sentence", "meaning", "figure")}
    return {**texts, "picture": data_url(picture(figures / f"{finding['figure']}.png"))}


def picture(file: Path) -> bytes:
    """Reduce a figure to a PNG of few colours and, if possible, at most `LARGEST` bytes."""
    with Image.open(file) as image:
        colour = image.convert("RGB")
    content = b""
    for width in WIDTHS:
        for colours in COLOURS:
            content = _reduced(colour, min(width, colour.width), colours)
            if len(content) <= LARGEST:
                return content
    return content


def _reduced(image: Image.Image, width: int, colours: int) -> bytes:
    small = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.quantize(colours, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def data_url(content: bytes) -> list[str]:
    """Encode a PNG as a data: URL, in lines."""
    text = f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
    return [text[start : start + _LINE] for start in range(0, len(text), _LINE)]


def claims(table: Path) -> dict[str, int]:
    """Count the claims, by verdict and in all."""
    with table.open(encoding="utf-8", newline="") as file:
        counted = Counter(row["reproduced"] for row in csv.DictReader(file))
    return {**{verdict: counted[verdict] for verdict in ("yes", "undecided", "no", "trivial")}, "all": counted.total()}
