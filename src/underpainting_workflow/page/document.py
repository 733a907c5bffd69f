"""Write the page of a study: findings, the interactive part, figures and tables, in one file that opens offline.

Layout, style and script are in `workflow/report/page`. Pictures are figures made small, as data: URLs; captions are those of
Snakemake's report, reStructuredText in which `snakemake` stands for the figure's job.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from docutils.core import publish_parts
from numpy.typing import NDArray
from PIL import Image

from underpainting_workflow import front, text_figures
from underpainting_workflow.figures import FIGURES, Figure
from underpainting_workflow.page.scene import Scene

FIGURE_BYTES = 800_000
"""Bytes of all figures together, before base64, which adds a third."""
_WIDTHS, _FINDING_WIDTH = (1000, 850, 700), 480
_QUALITIES = (82, 70, 55, 40)
_STRIP_SIDE = 72
Strip = NDArray[np.uint8]


def write(
    folder: Path,
    layout: Path,
    study: str,
    config: Mapping[str, Any],
    pages: Sequence[Path],
    scene: Scene | None,
    strip: Strip,
) -> str:
    """Write the page's HTML.

    Args:
        folder: the study's results.
        layout: folder of `page.html`, `page.css` and `scene.js`.
        study: its name.
        config: what `files.settings` returns.
        pages: the study's tables as HTML.
        scene: the interactive part; None for a study without one.
        strip: bytes of generated images, shape (sample, channel, height, width).
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string((layout / "page.html").read_text(encoding="utf-8"))
    shown = {key: config[key] for key in ("title", "description", "null_model", "label")}
    return template.render(
        **shown,
        study=study,
        style=(layout / "page.css").read_text(encoding="utf-8"),
        script=(layout / "scene.js").read_text(encoding="utf-8"),
        scene=json.dumps(scene.plain(), allow_nan=False).replace("</", "<\\/") if scene else "",
        jumps=scene.arrays["jumped"].shape[1] if scene and scene.about["jumps"] else 0,
        strip=[data_url(_enlarged(image), "png") for image in strip],
        findings=findings(folder),
        figures=figures(folder, study, config),
        tables=tables(folder, pages),
        claims=claims(folder),
    )


def findings(folder: Path) -> list[dict[str, str]]:
    """Return the findings with their pictures."""
    found = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    return [
        {
            **one,
            "picture": data_url(encode(folder / "figures" / f"{one['figure']}.png", 30_000, (_FINDING_WIDTH,)), "webp"),
        }
        for one in found
    ]


def figures(folder: Path, study: str, config: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the figures by category, with picture, caption and how they were made."""
    found: dict[str, list[dict[str, Any]]] = {}
    rows: tuple[Figure[Any], ...] = (*FIGURES, *text_figures.FIGURES)
    known = {one.file: one for one in rows}
    for name, made in config["figures"].items():
        figure = known[name]
        picture = encode(folder / "figures" / f"{name}.png", FIGURE_BYTES // len(config["figures"]), _WIDTHS)
        shown = {
            **{key: getattr(figure, key) for key in ("file", "label", "rule")},
            "code": made["code"],
            "config": json.dumps(made["config"], indent=1, sort_keys=True),
            "picture": data_url(picture, "webp"),
            "caption": caption(figure.caption, study, made["config"], config["reading"]),
        }
        found.setdefault(figure.category, []).append(shown)
    return found


def caption(text: str, study: str, config: Mapping[str, Any], reading: str) -> str:
    """Convert a figure's caption to HTML, with the values of its job.

    Args:
        text: the caption.
        study: name of the study.
        config: the figure's settings.
        reading: the range of values with which the images were read, in words.
    """
    job = SimpleNamespace(
        wildcards=SimpleNamespace(study=study),
        params=SimpleNamespace(config=config),
        resources=SimpleNamespace(reading=reading),
    )
    rendered = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text).render(snakemake=job)
    settings = {"file_insertion_enabled": False, "raw_enabled": False, "report_level": 5}
    body: str = publish_parts(rendered, writer="html5", settings_overrides=settings)["body"]
    return body


def tables(folder: Path, pages: Sequence[Path]) -> list[dict[str, str]]:
    """Return the tables: label, page, and the CSV file where there is one."""
    return [
        {
            "label": page.stem.replace("_", " ").capitalize(),
            "page": f"tables/{page.name}",
            "csv": f"{page.stem}.csv" if (folder / f"{page.stem}.csv").is_file() else "",
        }
        for page in sorted(pages)
    ]


def claims(folder: Path) -> list[dict[str, str]]:
    """Return the claims, numbers in three digits."""
    table = pd.read_csv(next(folder / name for name in front.CLAIMS if (folder / name).is_file()))

    def number(value: float) -> str:
        return "" if pd.isna(value) else f"{value:.3g}"

    return [
        {
            **{name: "" if pd.isna(row[name]) else str(row[name]) for name in ("claim", "source", "reproduced")},
            "estimate": number(row["estimate"]),
            "interval": f"{number(row['low'])} to {number(row['high'])}" if pd.notna(row["low"]) else "",
            "null": number(row["null"]),
        }
        for _, row in table.iterrows()
    ]


def encode(file: Path, most: int, widths: Sequence[int]) -> bytes:
    """Reduce a figure to WebP of at most so many bytes, or to the smallest that the last width and quality give."""
    with Image.open(file) as image:
        colour = image.convert("RGB")
    content = b""
    for width in widths:
        small = _resized(colour, min(width, colour.width))
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            small.save(buffer, "webp", quality=quality, method=4)
            content = buffer.getvalue()
            if len(content) <= most:
                return content
    return content


def _resized(image: Image.Image, width: int) -> Image.Image:
    return image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)


def _enlarged(image: Strip) -> bytes:
    """Encode an image as PNG, enlarged by an integer factor to about the size at which it is shown."""
    factor = max(1, _STRIP_SIDE // max(image.shape[1:]))
    pixels = np.kron(image.transpose(1, 2, 0), np.ones((factor, factor, 1), np.uint8))
    buffer = io.BytesIO()
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0]).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def data_url(content: bytes, kind: str) -> str:
    """Encode a picture as a data: URL."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
