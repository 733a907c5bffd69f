"""Archive a finished section as an RO-Crate: its results, the workflow, and how each result was made, in one zip file.

Follows the profile Process Run Crate: one CreateAction per output, with its inputs, its script and its parameters.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from snakemake_provenance.facts import Fact
from snakemake_provenance.messages import ProvenanceError
from snakemake_provenance.settings import Settings
from snakemake_provenance.tools import git

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"


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
    crate = ROCrate()
    crate.name = section
    crate.description = (
        f"Results of the {settings.word} {section!r}, made by {settings.title}, with the provenance of each file."
    )
    crate.root_dataset["conformsTo"] = crate.add(
        ContextEntity(crate, PROFILE, {"@type": "CreativeWork", "name": "Process Run Crate"})
    )
    with tempfile.TemporaryDirectory(dir=target.parent or Path()) as folder:
        code = Path(folder) / "code"
        _export_code(code)
        for file in sorted(path for path in code.rglob("*") if path.is_file()):
            crate.add_file(file, file.relative_to(code).as_posix())
        if (code / "Snakefile").is_file():
            crate.add_workflow(code / "Snakefile", "Snakefile", main=True, lang="snakemake")
        extra = [settings.manifest(section), *(Path(name.format(section)) for name in settings.section_files)]
        for path in extra:
            if path.is_file():
                crate.add_file(path, path.as_posix())
        for fact in facts:
            crate.add_file(fact.path, fact.path, properties={"sha256": fact.sha256, "contentSize": fact.size})
        for fact in facts:
            _add_action(crate, fact, settings)
        scratch = Path(folder) / "crate.zip"
        crate.write_zip(scratch)
        scratch.replace(target)
    return len(facts)


def _export_code(folder: Path) -> None:
    """Write the committed files of the workflow into a folder."""
    folder.mkdir()
    packed = folder.with_suffix(".tar")
    git("archive", "--format=tar", f"--output={packed}", "HEAD")
    subprocess.run(["tar", "--extract", "--file", str(packed), "--directory", str(folder)], check=True)


def _add_action(crate: ROCrate, fact: Fact, settings: Settings) -> None:
    end = datetime.fromisoformat(str(fact.made["at"]))
    start = end - timedelta(seconds=float(fact.made["seconds"]))
    action = ContextEntity(
        crate,
        f"#made-{fact.path}",
        {
            "@type": "CreateAction",
            "name": f"{fact.record.get('rule')}: {fact.path}",
            "startTime": start.isoformat(),
            "endTime": end.isoformat(),
            "object": [_source(crate, path, digest) for path, digest in fact.inputs.items()],
            "result": {"@id": fact.path},
            "instrument": {"@id": _instrument(fact, settings)},
            "description": "; ".join(fact.record.get("params") or []),
        },
    )
    crate.add(action)
    crate.root_dataset.append_to("mentions", action)


def _instrument(fact: Fact, settings: Settings) -> str:
    """Return the script of a job, or its rule where it has none."""
    code = str(fact.made.get("code") or "")
    return settings.scripts.format(re.split("[ :]", code)[0]) if code else f"#rule-{fact.record.get('rule')}"


def _source(crate: ROCrate, path: str, digest: str) -> dict[str, str]:
    """Return the reference to an input: a file of the crate, or external data named by their digest."""
    if crate.dereference(path) is None:
        name = f"#source-{path}"
        if crate.dereference(name) is None:
            crate.add(ContextEntity(crate, name, {"@type": "CreativeWork", "name": path, "sha256": digest}))
        return {"@id": name}
    return {"@id": path}
