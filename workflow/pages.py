"""Add pages to the documentation site (a hook of MkDocs, `make site`): README and its like, and the reference of each package.

Documents link to each other as files of the repository. Here a link to a document leads to its page, one to a module
to its place in the reference, and one to any other file becomes its name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = {
    "README.md": "index.md",
    "config/README.md": "keys.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
OF_PACKAGES = {f"src/{file.parent.name}/README.md": f"{file.parent.name}.md" for file in ROOT.glob("src/*/README.md")}
DOCUMENTS |= OF_PACKAGES
LINK = re.compile(r"(?<!!)\[([^\]\n]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def packages() -> Iterator[str]:
    """Yield the dotted name of each package of `src` and of each package directly below one."""
    for file in sorted((*(ROOT / "src").glob("*/__init__.py"), *(ROOT / "src").glob("*/*/__init__.py"))):
        yield ".".join(file.parent.relative_to(ROOT / "src").parts)


def reference(package: str) -> str:
    """Write the page of a package: of the modules below it, those that have no page of their own."""
    if "." in package:
        return f"::: {package}\n    options: {{heading_level: 1}}\n"
    modules = sorted((ROOT / "src" / package).glob("[!_]*.py"))
    own = f"::: {package}\n    options: {{heading_level: 1, show_submodules: false}}\n"
    return "\n".join([own, *(f"::: {package}.{module.stem}\n" for module in modules)])


def place(path: str) -> str | None:
    """Find the page, relative to the site, that shows a file of the repository; None where none does."""
    if path in DOCUMENTS:
        return DOCUMENTS[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    parts = PurePosixPath(path).with_suffix("").parts
    if path.endswith(".py") and parts[0] == "src":
        names = [name for name in parts[1:] if name != "__init__"]
        package = names[:2] if (ROOT.joinpath("src", *names[:2])).is_dir() else names[:1]
        return f"reference/{'.'.join(package)}.md#{'.'.join(names)}"
    return None


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference to the navigation."""
    assert config.nav is not None
    config.nav.append({"Reference": [*OF_PACKAGES.values(), *({name: f"reference/{name}.md"} for name in packages())]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents outside of `docs` and the pages of the reference."""
    for source, target in DOCUMENTS.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_text()))
    for name in packages():
        files.append(File.generated(config, f"reference/{name}.md", content=reference(name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn links between files of the repository into links between pages."""
    target = PurePosixPath(page.file.src_uri)
    source = next((name for name, uri in DOCUMENTS.items() if uri == str(target)), f"docs/{target}")

    def link(match: re.Match[str]) -> str:
        text, path, anchor = match[1], match[2], match[3] or ""
        found = place(os.path.normpath(PurePosixPath(source).parent / path))
        return f"[{text}]({os.path.relpath(found, target.parent)}{anchor})" if found else text

    pictures = markdown.replace("](docs/pictures/", "](pictures/") if source == "README.md" else markdown
    return LINK.sub(link, pictures)
