"""The front page of a study's report: its findings with their pictures, as values for `workflow/report/workflow.rst`.

Pictures are figures made small, as data: addresses, so that the report stays one page that opens offline. reStructuredText
refuses long lines, so an address is cut into several.
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

from underpainting.io.messages import as_rst

WIDTHS = (700, 600, 500)
COLOURS = (64, 32, 16)
LARGEST = 60_000
"""Bytes of a picture: the first of the widths and colours that need no more are taken."""
_LINE = 5000


def of_study(folder: Path) -> dict[str, Any]:
    """What the front page shows of a study.

    Args:
        folder: its results, with `findings.json`, `claims.csv` and `figures`.
    """
    found = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    return {"findings": [_shown(finding, folder / "figures") for finding in found], "claims": claims(folder)}


def _shown(finding: dict[str, Any], figures: Path) -> dict[str, Any]:
    """One finding: its texts as reStructuredText, its picture as lines of an address."""
    texts = {key: as_rst(finding[key]) for key in ("title", "sentence", "meaning", "figure")}
    return {**texts, "picture": address(picture(figures / f"{finding['figure']}.png"))}


def picture(file: Path) -> bytes:
    """A figure as a PNG of few colours, made smaller until it is no larger than `LARGEST` bytes if that can be."""
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


def address(content: bytes) -> list[str]:
    """A PNG as a data: address, in lines."""
    text = f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
    return [text[start : start + _LINE] for start in range(0, len(text), _LINE)]


def claims(folder: Path) -> dict[str, int]:
    """How many claims of the paper have each verdict, and how many there are."""
    with (folder / "claims.csv").open(encoding="utf-8", newline="") as file:
        counted = Counter(row["reproduced"] for row in csv.DictReader(file))
    return {**{verdict: counted[verdict] for verdict in ("yes", "undecided", "no", "trivial")}, "all": counted.total()}
