"""Artifacts: what is written is read, byte for byte the same, complete or not at all."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as EventType
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import ZipStore

from snakemake_provenance import locks
from tests.helpers import arrays
from tests.helpers.arrays import dataset_of, images_of, parts_of
from tests.helpers.networks import small_unet
from underpainting import denoisers
from underpainting.io import artifacts, writing
from underpainting.io.artifacts import ArtifactError
from underpainting.training import checkpoints

FORKING = multiprocessing.get_context("fork")  # what this file has imported, a child need not import again


def as_bytes(dataset: xr.Dataset) -> xr.Dataset:
    """Images to be stored as one byte per pixel, by the CF conventions."""
    dataset["image"].encoding = {"dtype": "uint8", "scale_factor": 2 / 255, "add_offset": -1.0}
    return dataset


# --- round trip ------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "shard.zarr.zip"
    artifacts.save(dataset_of(), path, {"study": "digits", "seeds": [0, 10]})
    found = artifacts.load(path)
    xr.testing.assert_equal(found.load(), dataset_of())
    assert found["image"].dtype == np.float32
    assert found["image"].attrs == {"units": "1", "range": [-1.0, 1.0], "long_name": "final images"}
    assert artifacts.provenance(found) == {"study": "digits", "seeds": [0, 10]}


def test_a_dataset_without_provenance_says_so(tmp_path: Path) -> None:
    artifacts.save(dataset_of(), tmp_path / "a.zarr.zip")
    assert artifacts.provenance(artifacts.load(tmp_path / "a.zarr.zip")) == {}


def test_an_artifact_is_one_file_and_nothing_beside_it(tmp_path: Path) -> None:
    artifacts.save(dataset_of(), tmp_path / "a.zarr.zip")
    assert [file.name for file in tmp_path.iterdir()] == ["a.zarr.zip"]
    with zipfile.ZipFile(tmp_path / "a.zarr.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert len(names) == len(set(names))


@pytest.mark.parametrize("sizes", [[10], [4, 4, 2], [5, 5], [1] * 10], ids=str)
def test_a_stream_reads_as_the_whole(tmp_path: Path, sizes: list[int]) -> None:
    artifacts.save_stream(parts_of(sizes), tmp_path / "a.zarr.zip", "sample", {"study": "digits"})
    found = artifacts.load(tmp_path / "a.zarr.zip")
    xr.testing.assert_equal(found.load(), dataset_of().drop_vars("alpha"))
    assert artifacts.provenance(found) == {"study": "digits"}


@pytest.mark.parametrize("size", [1, 3, 10, 99])
def test_batches_cover_an_array_in_order(tmp_path: Path, size: int) -> None:
    artifacts.save(dataset_of(), tmp_path / "a.zarr.zip")
    batches = list(artifacts.batches(artifacts.load(tmp_path / "a.zarr.zip")["image"], size))
    assert max(len(batch) for batch in batches) == min(size, 10)
    np.testing.assert_array_equal(np.concatenate(batches), images_of(10))


@pytest.mark.filterwarnings("ignore:saving variable None with floating point data")
def test_images_of_one_byte_per_pixel_come_back_in_the_range(tmp_path: Path) -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    images = artifacts.image_array((pixels * (2 / 255) - 1).astype(np.float32), arrays.DIMS, "images")
    artifacts.save(as_bytes(xr.Dataset({"image": images})), tmp_path / "a.zarr.zip")
    store = ZipStore(tmp_path / "a.zarr.zip", mode="r")
    stored = xr.open_dataset(store, engine="zarr", consolidated=False, decode_cf=False)["image"]  # type: ignore[arg-type]
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored.values, pixels)
    found = artifacts.require_range(artifacts.load(tmp_path / "a.zarr.zip")["image"], "a")
    np.testing.assert_allclose(found.values, images.values, atol=1e-6)
    assert (found.values.min(), found.values.max()) == pytest.approx((-1.0, 1.0), abs=1e-6)


@pytest.mark.filterwarnings("ignore:saving variable None with floating point data")
def test_images_of_one_byte_per_pixel_stream_too(tmp_path: Path) -> None:
    parts = [as_bytes(part) for part in parts_of([4, 4, 2])]
    artifacts.save_stream(parts, tmp_path / "a.zarr.zip", "sample")
    found = artifacts.load(tmp_path / "a.zarr.zip")["image"]
    assert found.encoding["dtype"] == np.uint8
    np.testing.assert_allclose(found.values, images_of(10), atol=1.01 / 255)


CANNOT = "values that uint8 cannot store"
NOT_FINITE = "numbers that are not finite, 1 of 160; nothing was written"


@pytest.mark.parametrize(
    ("value", "fault"), [(1.3, CANNOT), (-1.3, CANNOT), (np.nan, NOT_FINITE), (np.inf, NOT_FINITE)]
)
def test_values_that_bytes_cannot_hold_are_refused(tmp_path: Path, value: float, fault: str) -> None:
    """They would wrap around: 1.3 would come back as -0.7."""
    dataset = as_bytes(dataset_of())
    dataset["image"].values[3, 0, 2, 1] = value
    with pytest.raises(ArtifactError, match=rf"a\.zarr\.zip: the array 'image' holds {fault}"):
        artifacts.save(dataset, tmp_path / "a.zarr.zip")
    assert list(tmp_path.iterdir()) == []


# --- reproducible ----------------------------------------------------------------------------------------------------


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        artifacts.save(dataset_of(), tmp_path / name / "a.zarr.zip", {"b": 1, "a": 2})
    artifacts.save(dataset_of(), tmp_path / "one" / "b.zarr.zip", {"a": 2, "b": 1})
    digests = {artifacts.digest(path) for path in tmp_path.rglob("*.zarr.zip")}
    assert len(digests) == 1


def test_another_content_gives_other_bytes(tmp_path: Path) -> None:
    artifacts.save(dataset_of(), tmp_path / "a.zarr.zip")
    artifacts.save(dataset_of(first=1), tmp_path / "b.zarr.zip")
    assert artifacts.digest(tmp_path / "a.zarr.zip") != artifacts.digest(tmp_path / "b.zarr.zip")


def test_a_stream_gives_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in "ab":
        artifacts.save_stream(parts_of([4, 4, 2]), tmp_path / f"{name}.zarr.zip", "sample")
    assert (tmp_path / "a.zarr.zip").read_bytes() == (tmp_path / "b.zarr.zip").read_bytes()


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_process(tmp_path: Path) -> None:
    """Nor on its random hashes, its clock, its time zone or its umask."""
    artifacts.save(dataset_of(), tmp_path / "a.zarr.zip", {"study": "digits"})
    code = f"""
        import os
        os.umask(0o077)
        from tests.helpers.arrays import artifacts, dataset_of
        artifacts.save(dataset_of(), {str(tmp_path / "b.zarr.zip")!r}, {{"study": "digits"}})
    """
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=root, check=True, env=environment)
    assert (tmp_path / "a.zarr.zip").read_bytes() == (tmp_path / "b.zarr.zip").read_bytes()


def test_a_digest_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert artifacts.digest(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# --- complete or not at all ------------------------------------------------------------------------------------------


def broken_stream() -> Iterator[xr.Dataset]:
    yield from parts_of([4])
    raise RuntimeError("out of luck")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of luck"):
        artifacts.save_stream(broken_stream(), tmp_path / "a.zarr.zip", "sample")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_previous_artifact(tmp_path: Path) -> None:
    artifacts.save(dataset_of(), tmp_path / "a.zarr.zip")
    before = (tmp_path / "a.zarr.zip").read_bytes()
    with pytest.raises(RuntimeError, match="out of luck"):
        artifacts.save_stream(broken_stream(), tmp_path / "a.zarr.zip", "sample")
    assert (tmp_path / "a.zarr.zip").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.zarr.zip"]


def test_a_write_that_fails_while_renaming_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no space left"):
        artifacts.save(dataset_of(), tmp_path / "a.zarr.zip")
    assert list(tmp_path.iterdir()) == []


def write_and_wait(path: Path, moment: str, reached: EventType) -> None:
    """Write an artifact up to a moment, say that it is reached, and wait there to be killed."""

    def wait(*_: object) -> None:
        reached.set()
        time.sleep(600)

    def stream() -> Iterator[xr.Dataset]:
        yield from parts_of([4, 4])
        if moment == "while streaming":
            wait()

    if moment == "before renaming":
        os.fsync = wait
    artifacts.save_stream(stream(), path, "sample")


@pytest.mark.parametrize("moment", ["while streaming", "before renaming"])
def test_a_killed_writer_leaves_no_partial_artifact(tmp_path: Path, moment: str) -> None:
    new, old = tmp_path / "new.zarr.zip", tmp_path / "old.zarr.zip"
    artifacts.save(dataset_of(), old)
    before = old.read_bytes()
    for path in (new, old):
        reached = FORKING.Event()
        writer = FORKING.Process(target=write_and_wait, args=(path, moment, reached))
        writer.start()
        assert reached.wait(60)
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
    assert not new.exists()
    assert old.read_bytes() == before
    artifacts.save(dataset_of(3), new)
    assert artifacts.load(new).sizes["sample"] == 3


def write_to_a_full_disk(path: Path, message: Connection) -> None:
    """Write an artifact that is larger than a file may be, and send the error."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    values = artifacts.array(np.random.default_rng(0).random((64, 1000)), ("sample", "pixel"), "values")
    try:
        artifacts.save(xr.Dataset({"values": values}), path)
    except OSError as error:
        message.send(error.strerror)


def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path) -> None:
    receiver, sender = FORKING.Pipe(duplex=False)
    writer = FORKING.Process(target=write_to_a_full_disk, args=(tmp_path / "a.zarr.zip", sender))
    writer.start()
    writer.join(60)
    assert writer.exitcode == 0 and receiver.poll()
    assert receiver.recv() == "File too large"
    assert not list(tmp_path.iterdir())


def test_text_and_json_are_written_complete_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    writing.write_json({"b": 1.5, "a": ["é"]}, path)
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": ["é"], "b": 1.5}
    assert path.read_text(encoding="utf-8").index('"a"') < path.read_text(encoding="utf-8").index('"b"')
    with pytest.raises(ValueError, match="not JSON compliant"):
        writing.write_json({"a": float("nan")}, path)
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]
    assert json.loads(path.read_text(encoding="utf-8"))["b"] == 1.5


# --- refusals --------------------------------------------------------------------------------------------------------


def test_an_array_without_units_is_refused(tmp_path: Path) -> None:
    dataset = dataset_of()
    del dataset["seed"].attrs["units"]
    with pytest.raises(ArtifactError, match=r"a\.zarr\.zip: the array 'seed' has no units"):
        artifacts.save(dataset, tmp_path / "a.zarr.zip")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_stream_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"a\.zarr\.zip: nothing to write"):
        artifacts.save_stream([], tmp_path / "a.zarr.zip", "sample")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("declared", [[0.0, 1.0], [0, 255], None], ids=str)
def test_images_of_another_range_or_none_are_refused(tmp_path: Path, declared: list[float] | None) -> None:
    path, dataset = tmp_path / "a.zarr.zip", dataset_of()
    del dataset["image"].attrs["range"]
    if declared:
        dataset["image"].attrs["range"] = declared
    artifacts.save(dataset, path)
    with pytest.raises(
        ArtifactError, match=r"a\.zarr\.zip: the array 'image' declares the range .*\[-1.0, 1.0\] is needed"
    ):
        artifacts.require_range(artifacts.load(path)["image"], path)


def test_images_of_the_expected_range_pass(tmp_path: Path) -> None:
    artifacts.save(dataset_of(), tmp_path / "a.zarr.zip")
    image = artifacts.load(tmp_path / "a.zarr.zip")["image"]
    assert artifacts.require_range(image, "a") is image


def test_a_missing_artifact_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"a\.zarr\.zip: no such artifact; build it with snakemake, or .* dvc pull"):
        artifacts.load(tmp_path / "a.zarr.zip")


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", [truncated, lambda _: b"", lambda _: b"no zip"], ids=["truncated", "empty", "text"])
def test_a_corrupt_artifact_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.zarr.zip"
    artifacts.save(dataset_of(), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ArtifactError, match=r"a\.zarr\.zip: not a readable artifact"):
        artifacts.load(path)


def test_a_zip_of_something_else_is_no_artifact(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ArtifactError, match=r"a\.zarr\.zip: not a readable artifact"):
        artifacts.load(path)


def test_a_flipped_bit_in_the_values_is_not_read_over(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr.zip"
    artifacts.save(dataset_of(), path)
    with zipfile.ZipFile(path) as archive:
        entry = next(entry for entry in archive.infolist() if entry.filename.startswith("image/c/"))
    content = bytearray(path.read_bytes())
    content[entry.header_offset + 30 + len(entry.filename) + entry.file_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises((ArtifactError, zipfile.BadZipFile)):
        artifacts.load(path).load()


def test_large_images_are_held_in_smaller_numbers() -> None:
    assert artifacts.at_once(64) == 1024
    assert artifacts.at_once(64, most=10) == 10
    assert artifacts.at_once(196_608) * 196_608 <= 2**25
    assert artifacts.at_once(2**26) == 1


# --- damage ----------------------------------------------------------------------------------------------------------


def all_kinds() -> xr.Dataset:
    """Arrays as artifacts have them: numbers, texts, one value, none, zeros alone, NaN that is declared."""
    return dataset_of(6).assign(
        zeros=artifacts.array(np.zeros((3, 2)), ("row", "column"), "what a chunk that is absent would be read as"),
        name=artifacts.array(np.array(["none", "gaussian", "mixture"]), "row", "names"),
        nothing=artifacts.array(np.zeros(0), "never", "no values"),
        gap=artifacts.array(np.array([np.nan, 1.0, 2.0]), "row", "gain", missing="before the perturbation"),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "a.zarr.zip"
    artifacts.save(all_kinds(), path, {"study": "digits"})
    return path.read_bytes()


def refused_or_the_same(content: bytes, path: Path) -> bool:
    """Whether it is refused; if it is read, every number and every attribute is as it was written."""
    path.write_bytes(content)
    try:
        found = artifacts.load(path).load()
    except ArtifactError as error:
        told = str(error)
    else:
        told = ""
    if told:
        assert str(path) in told
        assert "delete it and run snakemake again" in told
        return True
    xr.testing.assert_identical(found.drop_attrs(deep=False), all_kinds())
    assert artifacts.provenance(found) == {"study": "digits"}
    return False


@settings(max_examples=400)
@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_changed_byte_never_gives_another_number(
    whole: bytes, place: float, bits: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = bytearray(whole)
    changed[int(place * len(whole))] ^= bits
    refused_or_the_same(bytes(changed), tmp_path_factory.getbasetemp() / "changed.zarr.zip")


@given(place=st.floats(0, 1, exclude_max=True))
def test_a_part_of_an_artifact_is_refused(whole: bytes, place: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert refused_or_the_same(whole[: int(place * len(whole))], tmp_path_factory.getbasetemp() / "cut.zarr.zip")


@pytest.mark.parametrize(
    "without", ["zeros/c/0/0", "zeros/zarr.json", "nothing/zarr.json", "image/c/0/0/0/0", "alpha/c"]
)
def test_an_entry_that_is_not_there_is_no_fill_value(whole: bytes, without: str, tmp_path: Path) -> None:
    (tmp_path / "whole.zarr.zip").write_bytes(whole)
    with (
        zipfile.ZipFile(tmp_path / "whole.zarr.zip") as source,
        zipfile.ZipFile(tmp_path / "a.zarr.zip", "w") as target,
    ):
        assert without in source.namelist()
        for name in source.namelist():
            if name != without:
                target.writestr(name, source.read(name))
    if without == "nothing/zarr.json":  # an array without values that is not there leaves no trace, and no number
        assert "nothing" not in artifacts.load(tmp_path / "a.zarr.zip")
        return
    with pytest.raises(ArtifactError, match="entries are not those that its metadata promise"):
        artifacts.load(tmp_path / "a.zarr.zip")


def test_nan_needs_a_meaning_and_infinity_has_none(tmp_path: Path) -> None:
    for values, missing in (([np.nan], ""), ([np.inf], ""), ([-np.inf], "never"), ([np.nan, np.inf], "never")):
        dataset = xr.Dataset({"gain": artifacts.array(np.array(values), "step", "gain", missing=missing)})
        with pytest.raises(ArtifactError, match="'gain' holds numbers that are not finite"):
            artifacts.save(dataset, tmp_path / "a.zarr.zip")
    assert not list(tmp_path.iterdir())


# --- a job that outlives its run -------------------------------------------------------------------------------------


@pytest.fixture
def guarded() -> Iterator[None]:
    """As in a job: results are published by the newest run alone."""
    writing.guard_with(locks.newest_run)
    yield
    writing.guard_with(nullcontext)


@pytest.mark.usefixtures("guarded")
def test_only_the_newest_run_publishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(locks.RUN, "")
    locks.supersede(tmp_path)
    artifacts.save(dataset_of(), tmp_path / "out" / "a.zarr.zip")
    former = os.environ[locks.RUN]
    locks.supersede(tmp_path)
    artifacts.save(dataset_of(5), tmp_path / "out" / "a.zarr.zip")
    newest = (tmp_path / "out" / "a.zarr.zip").read_bytes()

    monkeypatch.setenv(locks.RUN, former)
    for write in (
        lambda: artifacts.save(dataset_of(), tmp_path / "out" / "a.zarr.zip"),
        lambda: writing.write_text("x", tmp_path / "out" / "b.txt"),
        lambda: checkpoints.write(tmp_path / "out" / "c.safetensors", {}, "run"),
        lambda: denoisers.save_pipeline(small_unet(), DDIMScheduler(), tmp_path / "out"),
    ):
        with pytest.raises(locks.SupersededError, match="another run has begun"):
            write()
    assert [file.name for file in (tmp_path / "out").rglob("*") if file.is_file()] == ["a.zarr.zip"]
    assert (tmp_path / "out" / "a.zarr.zip").read_bytes() == newest

    locks.join(tmp_path)
    writing.write_text("x", tmp_path / "out" / "b.txt")


def test_a_run_begins_once_the_last_job_has_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(locks.RUN, "")
    locks.supersede(tmp_path)
    with (tmp_path / "snakemake_provenance.run").open() as held:
        fcntl.flock(held, fcntl.LOCK_SH)  # as a job that publishes just now
        other = threading.Thread(target=locks.supersede, args=(tmp_path,))
        other.start()
        other.join(0.2)
        assert other.is_alive()
    other.join(10)
    assert not other.is_alive()


@pytest.mark.usefixtures("guarded")
def test_a_job_of_a_former_run_leaves_the_newest_ones_work_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(locks.RUN, "")
    locks.supersede(tmp_path)
    former = os.environ[locks.RUN]
    locks.supersede(tmp_path)
    for scratch in (".a.zarr.zip.1.x.tmp", ".model_index.json.1.x.tmp"):
        (tmp_path / scratch / "store").mkdir(parents=True)
    monkeypatch.setenv(locks.RUN, former)
    for write in (
        lambda: artifacts.save(dataset_of(), tmp_path / "a.zarr.zip"),
        lambda: denoisers.save_pipeline(small_unet(), DDIMScheduler(), tmp_path),
    ):
        with pytest.raises(locks.SupersededError):
            write()
    assert len(list(tmp_path.glob(".*.tmp/store"))) == 2


@pytest.mark.parametrize("gone", ["image", "seed", "zarr.json"])
def test_a_store_that_was_tampered_with_is_never_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """As when somebody clears away what is still being written."""

    def pack(store: Path, path: Path, names: set[str]) -> None:
        shutil.rmtree(store / gone) if (store / gone).is_dir() else (store / gone).unlink()
        original(store, path, names)

    original = artifacts._pack
    monkeypatch.setattr(artifacts, "_pack", pack)
    with pytest.raises(ArtifactError):
        artifacts.save(dataset_of(), tmp_path / "a.zarr.zip")
    assert not list(tmp_path.iterdir())
