"""Archive a finished section as an RO-Crate: its results, the workflow, and how each result was made, in one zip file.

Follows the profile Provenance Run Crate, and with it Workflow Run Crate, Process Run Crate and Workflow RO-Crate:

    Snakefile           the workflow (ComputationalWorkflow); a HowToStep for each rule, whose tool is the rule's script
    OrganizeAction      Snakemake's run, whose result is the CreateAction of the workflow: from the sources to all results
    ControlAction       one per result, of its rule's step; it controls the CreateAction of that result
    CreateAction        the job: inputs, result, tool, parameters, begin and end

Facts do not say who ran a job; the agent is the author of the last commit of the section's manifest.
"""

from __future__ import annotations

import mimetypes
import re
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from snakemake_provenance.facts import Fact
from snakemake_provenance.messages import ProvenanceError
from snakemake_provenance.settings import Settings
from snakemake_provenance.tools import git, git_succeeds

CRATE = "1.1"  # version of RO-Crate on which the profiles build
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
WORKFLOW_PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
README = "README.md"
SNAKEMAKE = "https://snakemake.github.io"
FORMATS = {
    ".jsonl": "application/jsonl",
    ".lock": "application/yaml",
    ".md": "text/markdown",
    ".py": "text/x-python",
    ".safetensors": "application/octet-stream",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
}
SHA256 = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
_AUTHOR = "--format=%an%n%ae"
COMPLETED = "http://schema.org/CompletedActionStatus"


class UnfinishedError(ProvenanceError):
    """An output of a section is missing or not fresh."""


def archive(settings: Settings, facts: Sequence[Fact], section: str, target: Path) -> int:
    """Write the crate of a section.

    Args:
        facts: of every output of the section, all of them here and fresh.
        target: the zip file; replaced when the new one is complete.

    Returns:
        number of outputs in the crate.
    """
    with tempfile.TemporaryDirectory(dir=target.parent or Path()) as folder:
        code = Path(folder) / "code"
        _export_code(code)
        crate = _Crate(settings, section)
        if not (code / README).is_file():
            (code / README).write_text(f"# {section}\n\n{crate.text}\n", encoding="utf-8")
        crate.describe()
        crate.add_files(code, facts)
        crate.add_workflow(facts)
        crate.add_runs(facts)
        scratch = Path(folder) / "crate.zip"
        crate.crate.write_zip(scratch)
        scratch.replace(target)
    return len(facts)


def _export_code(folder: Path) -> None:
    """Write the committed files of the workflow into a folder."""
    folder.mkdir()
    packed = folder.with_suffix(".tar")
    git("archive", "--format=tar", f"--output={packed}", "HEAD")
    subprocess.run(["tar", "--extract", "--file", str(packed), "--directory", str(folder)], check=True)


def _format(path: str) -> str:
    """Return the media type of a file by its name."""
    suffix = PurePosixPath(path).suffix
    return FORMATS.get(suffix) or mimetypes.guess_type(path)[0] or "text/plain"


def _one_or_many(entries: Sequence[Any]) -> Any:
    """Return a list, or its only entry: RO-Crate has no lists of one."""
    return entries[0] if len(entries) == 1 else list(entries)


class _Crate:
    """A crate in the making."""

    def __init__(self, settings: Settings, section: str) -> None:
        self.crate = ROCrate(version=CRATE)
        self.crate.metadata.extra_terms.update(SHA256)
        self._settings, self._section = settings, section
        word = settings.word
        self.text = f"Results of the {word} {section!r}, made by {settings.title}, with the provenance of each file."
        self._files: dict[str, Any] = {}
        self._commit = git("rev-parse", "HEAD").strip()
        self._url = _web_address()

    def _add(self, identifier: str, kind: str, /, **properties: Any) -> ContextEntity:
        return self.crate.add(ContextEntity(self.crate, identifier, {"@type": kind, **properties}))

    def describe(self) -> None:
        """Describe the crate: name, licence, people, profiles."""
        crate, settings = self.crate, self._settings
        crate.name = self._section
        crate.description = self.text
        root = crate.root_dataset
        root["conformsTo"] = [
            self._add(place, "CreativeWork", name=name, version=place.rsplit("/", 1)[1])
            for place, name in PROFILES.items()
        ]
        root["license"] = self._add(
            settings.license or "#no-licence",
            "CreativeWork",
            name=settings.license.rsplit("/", 1)[-1] or "No licence given",
            description="Licence of the workflow and of its results" if settings.license else "All rights reserved",
        )
        publisher = self._add(
            f"{self._url}#publisher",
            "Organization",
            name=settings.publisher or f"The developers of {settings.title}",
            url=self._url,
        )
        name, address = _author(settings.manifest(self._section).as_posix())
        contact = self._add(
            f"mailto:{address}", "ContactPoint", email=address, contactType="author", identifier=address
        )
        self._agent = self._add(
            f"{self._url}#{re.sub(r'[^A-Za-z0-9]+', '-', name)}",
            "Person",
            name=name,
            affiliation=publisher,
            contactPoint=contact,
        )
        root["author"], root["publisher"] = self._agent, publisher

    def add_files(self, code: Path, facts: Sequence[Fact]) -> None:
        """Add the files of the workflow, of the section, and its results."""
        settings, tools = self._settings, {self._instrument(fact) for fact in facts}
        for file in sorted(path for path in code.rglob("*") if path.is_file()):
            path = file.relative_to(code).as_posix()
            self._add_file(file, path, **(self._tool(path) if path in tools else {}))
        extra = [
            settings.manifest(self._section),
            *(Path(name.format(self._section)) for name in settings.section_files),
        ]
        for path in (path.as_posix() for path in extra if path.is_file()):
            if path not in self._files:
                self._add_file(Path(path), path)
        for fact in facts:
            self._add_file(Path(fact.path), fact.path, sha256=fact.sha256, contentSize=str(fact.size))

    def _add_file(self, file: Path, path: str, **properties: Any) -> None:
        if path == "Snakefile":
            return  # the workflow itself
        about = {"about": {"@id": "./"}} if path == README else {}
        self._files[path] = self.crate.add_file(
            file, path, properties={"name": path, "encodingFormat": _format(path), **about, **properties}
        )

    def _tool(self, path: str) -> dict[str, Any]:
        return {"@type": ["File", "SoftwareSourceCode"], "version": self._commit, "url": f"{self._url}#{path}"}

    def add_workflow(self, facts: Sequence[Fact]) -> None:
        """Add the workflow, with a tool and a step for each of its rules."""
        main = next(path for path in (Path("Snakefile"), Path("workflow/Snakefile")) if path.is_file())
        about = {
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": self._settings.title,
            "version": self._commit,
            "url": self._url,
            "encodingFormat": "text/plain",
        }
        workflow = self.crate.add_workflow(main, main.as_posix(), properties=about, main=True, lang="snakemake")
        workflow["conformsTo"] = self._add(
            WORKFLOW_PROFILE, "CreativeWork", name="ComputationalWorkflow", version="1.0"
        )
        steps, tools = [], dict[str, Any]()
        for position, (rule, fact) in enumerate({_rule(fact): fact for fact in facts}.items()):
            tool = self._instrument(fact)
            tools[tool] = self._files.get(tool) or self._add_rule(tool, rule, fact)
            step = self._add(
                f"{main}#step-{rule}", "HowToStep", name=rule, position=str(position), workExample=tools[tool]
            )
            steps.append(step)
        workflow["hasPart"], workflow["step"] = _one_or_many(list(tools.values())), _one_or_many(steps)
        self._workflow = workflow

    def _add_rule(self, name: str, rule: str, fact: Fact) -> ContextEntity:
        """Add the tool of a rule without a script: its command."""
        command = str(fact.record.get("code") or "").strip()
        return self._add(
            name,
            "SoftwareApplication",
            name=f"rule {rule}",
            description=command or rule,
            softwareVersion=self._commit,
            url=self._url,
        )

    def add_runs(self, facts: Sequence[Fact]) -> None:
        """Add the run of the workflow, and the job of each result."""
        jobs = [self._add_job(fact) for fact in facts]
        controls = [
            self._add(
                f"#control-{fact.path}",
                "ControlAction",
                name=f"orchestrate {_rule(fact)}",
                instrument={"@id": f"{self._workflow.id}#step-{_rule(fact)}"},
                object=job,
            )
            for fact, job in zip(facts, jobs, strict=True)
        ]
        made = {fact.path for fact in facts}
        sources = {path: digest for fact in facts for path, digest in fact.inputs.items() if path not in made}
        times = [time for fact in facts for time in _times(fact)]
        run = self._add_action(
            "#run",
            f"run of {self._settings.title} for {self._section}",
            f"Snakemake {version('snakemake')}, commit {self._commit}",
            self._workflow,
            [self._source(path, digest) for path, digest in sorted(sources.items())],
            [self._file(path) for path in sorted(made)],
            [min(times), max(times)] if times else [],
        )
        engine = self._add(
            SNAKEMAKE, "SoftwareApplication", name="Snakemake", softwareVersion=version("snakemake"), url=SNAKEMAKE
        )
        self._add(
            "#organize",
            "OrganizeAction",
            name="run of Snakemake",
            agent=self._agent,
            instrument=engine,
            object=_one_or_many(controls),
            result=run,
            **{name: run[name] for name in ("startTime", "endTime") if name in run},
        )
        self.crate.root_dataset["mentions"] = [run, *jobs]

    def _add_job(self, fact: Fact) -> ContextEntity:
        return self._add_action(
            f"#made-{fact.path}",
            f"{_rule(fact)}: {fact.path}",
            "; ".join(fact.record.get("params") or []) or "no parameters",
            self._files.get(self._instrument(fact)) or {"@id": self._instrument(fact)},
            [self._source(path, digest) for path, digest in fact.inputs.items()],
            [self._file(fact.path)],
            _times(fact),
        )

    def _add_action(
        self,
        name: str,
        title: str,
        text: str,
        instrument: Any,
        sources: Sequence[Any],
        results: Sequence[Any],
        times: Sequence[datetime],
    ) -> ContextEntity:
        known = dict(
            zip(("startTime", "endTime"), (time.isoformat(timespec="milliseconds") for time in times), strict=False)
        )
        objects = {"object": _one_or_many(sources)} if sources else {}
        return self._add(
            name,
            "CreateAction",
            name=title,
            description=text,
            instrument=instrument,
            result=_one_or_many(results),
            agent=self._agent,
            actionStatus=COMPLETED,
            **objects,
            **known,
        )

    def _instrument(self, fact: Fact) -> str:
        """Return the script of a job, or its rule where it has none."""
        code = str(fact.made.get("code") or "")
        return self._settings.scripts.format(re.split("[ :]", code)[0]) if code else f"{self._url}#rule-{_rule(fact)}"

    def _file(self, path: str) -> dict[str, str]:
        """Return the reference to a file of the crate, whose name may need escapes."""
        return {"@id": self._files[path].id}

    def _source(self, path: str, digest: str) -> dict[str, str]:
        """Return the reference to an input: a file of the crate, or external data named by their digest."""
        if path in self._files:
            return self._file(path)
        name = f"#source-{path}"
        if self.crate.dereference(name) is None:
            self._add(name, "CreativeWork", name=path, sha256=digest)
        return {"@id": name}


def _rule(fact: Fact) -> str:
    return str(fact.record.get("rule"))


def _times(fact: Fact) -> list[datetime]:
    """Return begin and end of a job; nothing where its record does not say."""
    if not {"at", "seconds"} <= fact.made.keys():
        return []
    end = datetime.fromisoformat(str(fact.made["at"]))
    return [end - timedelta(seconds=float(fact.made["seconds"])), end]


def _author(path: str) -> tuple[str, str]:
    """Return name and address of the author of the last commit of a file; of the last commit where it is in none."""
    name, address = (git("log", "-1", _AUTHOR, "--", path) or git("log", "-1", _AUTHOR)).splitlines()
    return name, address


def _web_address() -> str:
    """Return the web address of git's origin without user and password; where it has none, one reserved for examples."""
    origin = git("remote", "get-url", "origin").strip() if git_succeeds("remote", "get-url", "origin") else ""
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "https://example.org/unpublished"
    place = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    return f"https://{place}{parts.path.removesuffix('.git')}"
