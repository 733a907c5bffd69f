"""Where things are: the folders of a project that provenance knows of, and paths that differ from machine to machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from snakemake_provenance.hashes import visible_files
from snakemake_provenance.messages import is_text

SNAKEMAKE = Path(".snakemake")
MEMORY = SNAKEMAKE / "provenance"
PARSED = MEMORY / "parsed.json"  # digests of modules
ACROSS = "_across"


def is_inside(path: str) -> bool:
    """Does a path, as it is written, stay below the folder that it starts from?"""
    return not {"", ".", ".."} & set(path.split("/")) and not {"\0", "\\"} & set(path)


@dataclass(frozen=True)
class Layout:
    """A project, seen from its working folder.

    Args:
        results: folder of all outputs; the first folder below it is the study.
        manifests: folder of the manifests, in git.
        scripts: folder of the rules' scripts.
        places: what a placeholder such as `{data}` stands for here; longer places are tried first.
    """

    results: str = "results"
    manifests: str = "workflow/provenance"
    scripts: Path = Path("scripts")
    places: Mapping[str, str] = field(default_factory=dict)

    def study(self, path: str) -> str:
        """The study of an output; `_across` for what belongs to several."""
        below = PurePosixPath(path).relative_to(self.results).parts
        return below[0] if len(below) > 1 else ACROSS

    def owns(self, path: str) -> bool:
        """Is this an output's path: below the results, and through no link that leads out of them?"""
        if not is_inside(path) or not PurePosixPath(path).is_relative_to(self.results) or path == self.results:
            return False
        try:
            return Path(path).parent.resolve().is_relative_to(Path(self.results).resolve())
        except (OSError, RuntimeError, ValueError):
            return False

    def manifest(self, study: str) -> Path:
        """The manifest of a study."""
        return Path(self.manifests) / f"{study}.jsonl"

    def portable(self, path: str) -> str:
        """A path as others can read it: places become placeholders."""
        for placeholder, place in sorted(self.places.items(), key=lambda item: -len(item[1])):
            if place and (path == place or path.startswith(place.rstrip("/") + "/")):
                return placeholder + path[len(place.rstrip("/")) :]
        return path

    def local(self, path: str) -> str:
        """A path as it is here: placeholders become places."""
        for placeholder, place in self.places.items():
            if path == placeholder or path.startswith(placeholder + "/"):
                return place.rstrip("/") + path[len(placeholder) :]
        return path

    def outputs(self) -> list[str]:
        """Every file below the results, sorted; hidden ones are scratch, and no output has a name that is no text."""
        names = (file.as_posix() for file in visible_files(Path(self.results)))
        return sorted(name for name in names if is_text(name))
