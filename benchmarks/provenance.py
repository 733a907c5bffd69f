"""What exact re-execution costs: judging, restoring and exporting many artifacts, and the digests of code.

The peer is Snakemake's own dry run of the same workflow: `python -m benchmarks.provenance`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import ratio, seconds
from snakemake_provenance import manifest, session
from snakemake_provenance.settings import MEMORY, Settings

ROOT = Path(__file__).resolve().parents[1]
COUNT = 2000
BYTES = 65_536
SCRIPT = """
from pathlib import Path
Path(snakemake.output[0]).write_bytes(bytes(%d))
"""
RULES = """
rule all:
    input: expand("results/study/part_{n}.bin", n=range(%d))

rule part:
    input: "source.txt"
    output: "results/study/part_{n}.bin"
    params: config={"size": %d}
    script: "scripts/part.py"
"""
HOOKS = """
from snakemake_provenance import track
track(workflow)
"""


def snakemake(*arguments: str) -> None:
    """Run Snakemake in the working folder."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet=all", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def prepare() -> None:
    """A workflow of many jobs in the working folder, of which one ran, and the facts of all as if they had."""
    Path("scripts").mkdir()
    Path("scripts/part.py").write_text(SCRIPT % BYTES)
    Path("source.txt").write_text("source")
    Path("Snakefile").write_text(HOOKS + RULES % (COUNT, BYTES))
    Path("Snakefile.plain").write_text(RULES % (COUNT, BYTES))
    snakemake("results/study/part_0.bin")
    file = Settings().manifest("study")
    (fact,) = manifest.read(file).facts["results/study/part_0.bin"]
    for number in range(1, COUNT):
        shutil.copyfile("results/study/part_0.bin", f"results/study/part_{number}.bin")
    facts = [replace(fact, path=f"results/study/part_{number}.bin") for number in range(COUNT)]
    manifest.write(file, facts, {})


def forget_records() -> None:
    """As after a clone: nothing but manifests, files and hashes."""
    shutil.rmtree(".snakemake/metadata")
    (MEMORY / "ledger.jsonl").unlink()


def status() -> None:
    """The command, as typed."""
    code = (
        "from snakemake_provenance import plan, session, status; from snakemake_provenance.settings import Settings; "
    )
    code += "jobs = plan.plan(); print(status.summary(status.status(jobs, session.look(Settings()), {})))"
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == f"{COUNT} fresh", result.stdout


def many() -> list[tuple[str, float]]:
    """Seconds for many artifacts, in a folder of their own."""
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            prepare()
            rows = [("first hashing and restore", seconds(lambda: session.begin(Settings())))]
            time.sleep(0.2)  # files just written are not trusted to stay as they are
            session.begin(Settings())
            forget_records()
            rows.append(("restore, hashes known", seconds(lambda: session.begin(Settings()))))
            rows.append(("status", seconds(status)))
            rows.append(("export", seconds(lambda: session.export(Settings()))))
            plain = ("--dry-run", "--snakefile", "Snakefile.plain")
            both = ratio(
                "a dry run", lambda: snakemake("--dry-run"), "a plain one", lambda: snakemake(*plain), "", pairs=3
            )
            rows += [("snakemake -n with provenance", both.ours), ("snakemake -n without", both.reference)]
        finally:
            os.chdir(home)
    return rows


DIGESTS = """
import json, sys, time
from pathlib import Path
start = time.perf_counter()
from underpainting_workflow import jobs
from snakemake_provenance import code
from snakemake_provenance.settings import PARSED
code.recall(PARSED)
for script in sorted(Path("scripts").glob("*.py")):
    jobs.code_of(script.parent, script.stem)
    jobs.packages_of(script.parent, script.stem)
print(json.dumps(time.perf_counter() - start))
"""


def digests() -> tuple[float, float]:
    """Seconds for the digests and versions of all scripts of this workflow, imports included, and for its dry run."""
    os.chdir(ROOT)
    snakemake("--dry-run", "--config", "studies=digits")
    taken = subprocess.run([sys.executable, "-c", DIGESTS], check=True, capture_output=True, text=True).stdout
    return float(json.loads(taken)), seconds(lambda: snakemake("--dry-run", "--config", "studies=digits"))


def main() -> None:
    """Print the table."""
    print(f"{COUNT} artifacts of {BYTES} bytes")
    for name, taken in many():
        print(f"{name:32} {taken:6.2f} s")
    own, whole = digests()
    print(f"digests of all scripts: {own:.2f} s of {whole:.2f} s, {own / whole:.1%} of `snakemake -n` of digits")


if __name__ == "__main__":
    main()
