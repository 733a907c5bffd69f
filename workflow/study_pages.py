"""Copy the pages of the studies that are built to docs/pages, and list them in docs/pages.md: part of `make gallery`.

A page is complete in itself and says which code made it, so those of studies that are not built here stay as they are.
"""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path

from gallery import ROOT

from underpainting.io.writing import write_text

_TO_RESULTS = re.compile(r'<a href="(?!#|https?:|data:)[^"]*">(.*?)</a>')
HEAD = """# Pages of studies

Each is what a study ends in, `results/STUDY/index.html`: one file, which opens offline. Its findings, figures and claims are
of that study's network; in its interactive part, drag the time, perturb the image along a component, jump over the first steps.
"""


def alone(page: str) -> str:
    """A page without its links to other results, which do not lie beside it here."""
    return _TO_RESULTS.sub(r"\1", page)


def title(page: str) -> str:
    """The title of a page."""
    found = re.search(r"<title>(.*?)</title>", page)
    return unescape(found[1]) if found else ""


def main(root: Path = ROOT) -> None:
    """Copy every page, write the list."""
    docs = root / "docs"
    for source in sorted((root / "results").glob("*/index.html")):
        write_text(alone(source.read_text(encoding="utf-8")), docs / "pages" / f"{source.parent.name}.html")
    pages = sorted((docs / "pages").glob("*.html"))
    if not pages:
        sys.exit("no study is built to its page: run `make run` first")
    lines = [f"- [{title(page.read_text(encoding='utf-8'))}](pages/{page.name})" for page in pages]
    write_text("\n".join([HEAD, *lines]) + "\n", docs / "pages.md")


if __name__ == "__main__":
    main()
