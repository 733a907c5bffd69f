"""Hashes that are remembered, and what does not fool them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from snakemake_provenance import hashes
from snakemake_provenance.hashes import Hashes


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"content")
    time.sleep(0.15)
    return tmp_path


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    real = hashes.content
    monkeypatch.setattr(hashes, "content", lambda path: (seen.append(str(path)), real(path))[1])
    return seen


def test_a_file_is_read_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(monkeypatch)
    first = Hashes(place / "memory").of("file")
    assert Hashes(place / "memory").of("file") == first
    assert seen == ["file"]


def test_a_change_that_keeps_size_and_time_is_seen(place: Path) -> None:
    first, before = Hashes(place / "memory").of("file"), (place / "file").stat()
    (place / "file").write_bytes(b"CONTENT")
    os.utime(place / "file", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Hashes(place / "memory").of("file") != first


def test_a_file_just_written_is_not_trusted_to_stay(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(monkeypatch)
    (place / "file").write_bytes(b"new")
    Hashes(place / "memory").of("file")
    Hashes(place / "memory").of("file")
    assert seen == ["file", "file"]


def test_a_new_time_alone_can_be_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Hashes(place / "memory")
    digest = known.of("file")
    os.utime(place / "file")
    known.keep("file", str(digest))
    seen = reads(monkeypatch)
    assert Hashes(place / "memory").of("file") == digest
    assert not seen


def test_what_is_missing_has_none_and_a_broken_memory_is_no_harm(place: Path) -> None:
    known = Hashes(place / "memory")
    assert known.of("nothing") is None
    digest = known.of("file")
    for file in (place / "memory").rglob("*"):
        if file.is_file():
            file.write_text("{")
    assert Hashes(place / "memory").of("file") == digest


def test_a_folder_is_its_files_names_and_contents(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place / "images" / "deep"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / name).write_text(name)
    time.sleep(0.15)
    first = Hashes(place / "memory").of("images")
    with monkeypatch.context() as patch:
        seen = reads(patch)
        assert Hashes(place / "memory").of("images") == first
        assert not seen
    (folder / ".hidden").write_text("scratch")
    assert Hashes(place / "memory").of("images") == first
    (folder / "b").rename(folder / "c")
    renamed = Hashes(place / "memory").of("images")
    (folder / "c").write_text("B")
    changed = Hashes(place / "memory").of("images")
    (folder / "c").unlink()
    removed = Hashes(place / "memory").of("images")
    assert len({first, renamed, changed, removed}) == 4
