"""Settings of a project: the folders of its results, manifests and code, and the names of its commands.

A project writes them into `snakemake-provenance.toml`, with the names of the fields below; each has a default. A
package that has a command line passes a `Settings` object instead.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from snakemake_provenance.hashes import visible_files
from snakemake_provenance.messages import ProvenanceError, is_text

SNAKEMAKE = Path(".snakemake")
MEMORY = SNAKEMAKE / "provenance"
PARSED = MEMORY / "parsed.json"  # digests of modules
FILE = Path("snakemake-provenance.toml")


class SettingsError(ProvenanceError):
    """The settings file cannot be read."""


def is_inside(path: str) -> bool:
    """Return whether a path, without following links, stays below the folder that it starts from."""
    return not {"", ".", ".."} & set(path.split("/")) and not {"\0", "\\"} & set(path)


@dataclass(frozen=True)
class Settings:
    """The settings of a project, with paths relative to its working folder.

    The folders directly below `results` divide the results into sections. Each section has its manifest and its DVC
    stage, and can be pulled alone.

    Args:
        results: folder of all outputs.
        manifests: folder of the manifests, in git.
        places: folders on this machine by placeholder, such as `{data}`, for inputs whose path differs by machine;
            longer places are tried first.
        modules: folders in which modules that a script imports are searched, besides the script's folder.
        unrelated: dotted names of modules and packages that no result depends on.
        automatic: add a digest of its code and the versions of packages to each rule, and record each job; without it,
            rules have parameters for this, and scripts call `job_records.recording`.
        staged: let jobs write beside their outputs, and rename when a job is done. Needs `automatic`.
        top: section of the files that lie directly in `results`.
        word: name for a section in messages.
        select: arguments with which Snakemake plans some sections alone; `{}` stands for their names, separated by
            commas. Without it, the default target is planned.
        sources: files that have to be committed for others to make the same results.
        section_files: further files of a section that an archive contains; `{}` stands for its name.
        scripts: path of the script of a code digest; `{}` stands for the digest's name.
        metrics: files that `dvc metrics` shows, relative to the section.
        plots: files and folders that `dvc plots` shows, relative to the section, with DVC's settings.
        stage_command: documentation in `dvc.yaml`; `{}` stands for the section.
        kept: patterns of files that are not outputs and that `gc` keeps, such as checkpoints.
        title: of the workflow, in an archive.
        license: of the workflow and of its results, as the address of its text, in an archive.
        publisher: organization behind the workflow, in an archive.
        command: name of the command line that has the commands of this package.
        module: the module that a git hook runs.
    """

    results: str = "results"
    manifests: str = "provenance"
    places: Mapping[str, str] = field(default_factory=dict)
    modules: Sequence[str] = ("src", "lib", "workflow/lib")
    unrelated: Sequence[str] = ()
    automatic: bool = True
    staged: bool = True
    top: str = "_top"
    word: str = "section"
    select: Sequence[str] = ()
    sources: Sequence[str] = (".",)
    section_files: Sequence[str] = ()
    scripts: str = "{}"
    metrics: Sequence[str] = ()
    plots: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stage_command: str = "snakemake --cores all"
    kept: Sequence[str] = ()
    title: str = "a Snakemake workflow"
    license: str = ""
    publisher: str = ""
    command: str = "snakemake-provenance"
    module: str = "snakemake_provenance"

    @classmethod
    def read(cls, file: Path = FILE) -> Settings:
        """Read the settings of the project in the working folder; the defaults where it has no file.

        Raises:
            SettingsError: the file is not TOML, or has an unknown key.
        """
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: {error}") from error
        kinds = {one.name: type(getattr(cls(), one.name)) for one in fields(cls)}
        for key, value in content.items():
            if key not in kinds:
                raise SettingsError(f"{file}: there is no setting {key}; there are {', '.join(kinds)}")
            if not isinstance(value, list if kinds[key] is tuple else kinds[key]):
                raise SettingsError(f"{file}: {key} is {value!r}, which is no {kinds[key].__name__}")
        return cls(**content)

    def section(self, path: str) -> str:
        """Return the section of an output."""
        below = PurePosixPath(path).relative_to(self.results).parts
        return below[0] if len(below) > 1 else self.top

    def folder(self, section: str) -> str:
        """Return the folder of a section."""
        return self.results if section == self.top else f"{self.results}/{section}"

    def is_output(self, path: str) -> bool:
        """Return whether a path lies below the results."""
        return path != self.results and Path(path).is_relative_to(self.results)

    def is_metrics(self, path: str) -> bool:
        """Return whether a result is one of the metrics files."""
        return path.removeprefix(f"{self.folder(self.section(path))}/") in self.metrics

    def owns(self, path: str) -> bool:
        """Return whether a path lies below the results, links followed."""
        if not is_inside(path) or not self.is_output(path):
            return False
        try:
            return Path(path).parent.resolve().is_relative_to(Path(self.results).resolve())
        except (OSError, RuntimeError, ValueError):
            return False

    def manifest(self, section: str) -> Path:
        """Return the manifest of a section."""
        return Path(self.manifests) / f"{section}.jsonl"

    def planning(self, sections: Sequence[str]) -> list[str]:
        """Return Snakemake's arguments to plan some sections alone; none for all configured sections."""
        return [part.format(",".join(sections)) for part in self.select] if sections else []

    def portable(self, path: str) -> str:
        """Return a path that is the same on all machines: places become placeholders."""
        for placeholder, place in sorted(self.places.items(), key=lambda item: -len(item[1])):
            if place and (path == place or path.startswith(place.rstrip("/") + "/")):
                return placeholder + path[len(place.rstrip("/")) :]
        return path

    def local(self, path: str) -> str:
        """Return a path on this machine: placeholders become places."""
        for placeholder, place in self.places.items():
            if path == placeholder or path.startswith(placeholder + "/"):
                return place.rstrip("/") + path[len(placeholder) :]
        return path

    def outputs(self) -> list[str]:
        """List every file below the results, sorted, except hidden ones (scratch) and names that are not UTF-8."""
        names = (file.as_posix() for file in visible_files(Path(self.results)))
        return sorted(name for name in names if is_text(name))
