"""Files of the product's own, damaged in every way: a start never ends in a traceback, and takes nothing damaged for fresh."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snakemake.exceptions import WorkflowError

from snakemake_provenance import code, locks, manifest, session
from snakemake_provenance.freshness import State
from snakemake_provenance.job_records import recording
from snakemake_provenance.records import Records
from snakemake_provenance.refusal import refusing
from snakemake_provenance.settings import PARSED, SNAKEMAKE, Settings
from tests.provenance.test_facts import fact

SETTINGS = Settings(manifests="workflow/provenance", places={"{data}": "data"})
OUTPUT, LATER, SOURCE = "results/study/out", "results/study/later", "data/source"
MANIFEST = Path("workflow/provenance/study.jsonl")


def job(source: str, output: str) -> None:
    with recording([source], [output], {"code": "script 12"}):
        Path(output).write_text(f"made from {source}")
    Records().write(output, {"rule": "r", "params": ["'p'"]}, [source], Path(output).stat().st_mtime)


def start() -> dict[str, State]:
    """What every start does; only what is refused in one line may end it."""
    with refusing(OSError):
        locks.hold(SNAKEMAKE)
        session.look_first(SETTINGS)
        report = session.take_over(SETTINGS, {"script 12": {"script.py": "ab"}})
        code.recall(PARSED)
        code.remember(PARSED)
    return {status.path: status.state for status in report.statuses}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two results, all of whose memory is on disk, and a job record that waits to be gathered."""
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("results/study", "data", "scripts"):
            Path(name).mkdir(parents=True)
        Path(SOURCE).write_text("source")
        job(SOURCE, OUTPUT)
        session.export(SETTINGS)
        for file in (OUTPUT, SOURCE):
            os.utime(file, (1e9, 1e9))
        start()
        job(OUTPUT, LATER)
        assert start() == {OUTPUT: State.FRESH, LATER: State.FRESH}
        session.export(SETTINGS)
        job(OUTPUT, LATER)
    return folder


def flipped(file: Path, place: float) -> None:
    content = bytearray(file.read_bytes() or b"\0")
    content[int(place * len(content))] ^= 1 << int(place * 1000) % 8
    file.write_bytes(content)


def cut(file: Path, place: float) -> None:
    file.write_bytes(file.read_bytes()[: int(place * file.stat().st_size)])


def written(content: bytes) -> Callable[[Path, float], None]:
    return lambda file, _: file.write_bytes(content) and None


def folder_instead(file: Path, _: float) -> None:
    file.unlink()
    (file / "inside").mkdir(parents=True)


def endless(file: Path, _: float) -> None:
    file.unlink()
    file.symlink_to(file.name)


TEXTS = (b"garbage", b"[]", b"null", b"{}", b"7", b'"x"', b"\xff\xfe\x00", b"[" * 5000, b'{"check": 1, "content": 2}')
DAMAGES = (flipped, flipped, flipped, cut, *map(written, TEXTS), folder_instead, endless)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), place=st.floats(0, 1, exclude_max=True), damage=st.sampled_from(DAMAGES))
def test_whatever_is_damaged_a_start_ends_in_statuses_or_one_line(
    built: Path,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    place: float,
    damage: Callable[..., None],
) -> None:
    folder = tmp_path_factory.mktemp("damaged") / "project"
    shutil.copytree(built, folder)
    files = sorted(
        file.relative_to(folder)
        for part in (".snakemake", "workflow/provenance", "results")
        for file in (folder / part).rglob("*")
        if file.is_file()
    )
    file = data.draw(st.sampled_from(files))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        damage(file, place)
        try:
            found = start()
            session.look(SETTINGS)
            again = start()
        except WorkflowError as error:
            message = str(error)
        else:
            message = ""
        if message:
            assert len(message.splitlines()) == 1
            assert "Remedy: " in message
            assert any(part in message for part in (str(file), file.name)), "it names the file"
        else:
            assert again == found, "a start sets right what it can"
            intact = {name: (built / name).read_bytes() for name in (OUTPUT, LATER)}
            for name, state in found.items():
                same = Path(name).is_file() and Path(name).read_bytes() == intact.get(name)
                assert same or state is not State.FRESH, f"{name} is damaged"
    shutil.rmtree(folder)


def test_memory_alone_is_never_missed(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file of memory at once; the manifest is truth."""
    shutil.copytree(built, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    session.export(SETTINGS)
    for file in Path(".snakemake").rglob("*"):
        if file.is_file():
            file.write_text("[]")
    assert start() == {OUTPUT: State.FRESH, LATER: State.FRESH}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/hostname",
        "../outside",
        "results/../../outside",
        "results/study/../../../outside",
        "results//outside",
        "results",
        "data/source",
        "results/leads/outside",
        "results/study/a\\..\\b",
    ],
)
def test_a_manifest_names_nothing_outside_the_results(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project/results/study").mkdir(parents=True)
    (tmp_path / "project/data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    Path("results/leads").symlink_to(tmp_path / "elsewhere")
    for file in (tmp_path / "outside", tmp_path / "elsewhere/outside", Path(SOURCE)):
        file.write_text("theirs")
        os.utime(file, (1e9, 1e9))
    content = "1" * 64 if path == "results" else sha256(b"theirs").hexdigest()
    Path("scripts").mkdir()
    Path("scripts/new.py").write_text("")
    MANIFEST.parent.mkdir(parents=True)
    MANIFEST.write_text(fact(path, "x").line().replace("x" * 64, content) + "\n")
    line = json.loads(MANIFEST.read_text())
    del line["check"]
    MANIFEST.write_text(manifest.Fact(**line).line() + "\n")
    report = session.take_over(SETTINGS)
    assert not report.statuses
    (problem,) = report.problems
    assert problem.startswith(f"{MANIFEST}: ")
    for file in (tmp_path / "outside", tmp_path / "elsewhere/outside", Path(SOURCE)):
        assert file.stat().st_mtime == 1e9
