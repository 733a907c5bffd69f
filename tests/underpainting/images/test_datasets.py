"""Sources of images: what they yield, and what they refuse before any job starts."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from scripts import prepare_dataset
from underpainting.images import datasets, decoding
from underpainting.images.file_checks import PictureError
from underpainting.images.files import image_files
from underpainting.io import artifacts
from underpainting.io.errors import InputError
from underpainting_workflow import preflight
from underpainting_workflow.studies import Study, data, find_studies

ROOT = Path(__file__).resolve().parents[3]
DATA = os.environ.get("UNDERPAINTING_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="UNDERPAINTING_DATA names no folder with MNIST and CIFAR-10")


def parse(**content: Any) -> data.DatasetBase:
    dataset: data.DatasetBase = TypeAdapter(data.Dataset).validate_python({"image_size": 8, "channels": 1, **content})
    return dataset


def picture(seed: int, size: tuple[int, int] = (8, 8), mode: str = "L") -> Image.Image:
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def write_folder(folder: Path, count: int = 6, classes: int = 2) -> Path:
    for index in range(count):
        place = folder / f"class{index % classes}" if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        picture(index).save(place / f"{index}.png")
    return folder


def collect(config: data.DatasetBase) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    parts = list(datasets.read_batches(config.open(), config.format, 4, config.limit))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def test_digits_are_all_there_in_bytes() -> None:
    images, labels = collect(parse(source="sklearn"))
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert sorted(set(labels)) == list(range(10))


def test_a_folder_is_read_in_sorted_order_with_subfolders_as_classes(tmp_path: Path) -> None:
    images, labels = collect(parse(source="folder", path=str(write_folder(tmp_path / "images"))))
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(images[0, 0], np.asarray(picture(0)))
    np.testing.assert_array_equal(images[3, 0], np.asarray(picture(1)))


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    _, labels = collect(parse(source="folder", path=str(write_folder(tmp_path / "images", classes=0))))
    assert set(labels.tolist()) == {-1}


def test_hidden_files_and_other_files_are_passed_over(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", classes=0)
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_bytes(b"no image")
    assert len(parse(source="folder", path=str(folder)).open()) == 6


def test_grey_becomes_colour_and_colour_grey(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", classes=0)
    picture(9, mode="RGB").save(folder / "9.png")
    colour, _ = collect(parse(source="folder", path=str(folder), channels=3))
    grey, _ = collect(parse(source="folder", path=str(folder), channels=1))
    assert colour.shape == (7, 3, 8, 8)
    np.testing.assert_array_equal(colour[0, 0], colour[0, 2])
    np.testing.assert_array_equal(grey[6, 0], np.asarray(picture(9, mode="RGB").convert("L")))


@pytest.mark.parametrize(("resize", "given"), [("crop", (12, 10)), ("crop", (5, 7)), ("pad", (6, 4))])
def test_other_sizes_are_brought_to_the_studys(tmp_path: Path, resize: str, given: tuple[int, int]) -> None:
    tmp_path.joinpath("images").mkdir()
    picture(1, given).save(tmp_path / "images" / "1.png")
    images, _ = collect(parse(source="folder", path=str(tmp_path / "images"), resize=resize))
    assert images.shape == (1, 1, 8, 8)


def test_padding_keeps_the_pixels_in_the_middle(tmp_path: Path) -> None:
    tmp_path.joinpath("images").mkdir()
    picture(1, (6, 4)).save(tmp_path / "images" / "1.png")
    images, _ = collect(parse(source="folder", path=str(tmp_path / "images"), resize="pad"))
    np.testing.assert_array_equal(images[0, 0, 2:6, 1:7], np.asarray(picture(1, (6, 4))))
    assert images[0, 0].sum() == np.asarray(picture(1, (6, 4))).sum()


def test_npz_floats_are_rescaled_from_their_range(tmp_path: Path) -> None:
    values = np.linspace(-2, 2, 64).reshape(1, 8, 8)
    np.savez(tmp_path / "a.npz", images=values, labels=np.array([0]))
    config = parse(source="npz", path=str(tmp_path / "a.npz"), labels_key="labels", value_range=[-2, 2])
    images, labels = collect(config)
    np.testing.assert_array_equal(images[0, 0].ravel(), np.round(np.linspace(0, 255, 64)))
    assert labels.tolist() == [0]


def test_a_limit_takes_the_first_images() -> None:
    images, _ = collect(parse(source="sklearn", limit=11))
    np.testing.assert_array_equal(images, collect(parse(source="sklearn"))[0][:11])


def write_mnist(root: Path) -> np.ndarray[Any, Any]:
    """The four original files, packed and unpacked, with five images each."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    for split in ("train", "t10k"):
        header = (2051).to_bytes(4, "big") + b"".join(number.to_bytes(4, "big") for number in images.shape)
        raw.joinpath(f"{split}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        label = (2049).to_bytes(4, "big") + (5).to_bytes(4, "big") + bytes(range(5))
        raw.joinpath(f"{split}-labels-idx1-ubyte").write_bytes(label)
    for file in list(raw.iterdir()):
        raw.joinpath(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    return images


@pytest.mark.parametrize("download", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_torchvision_reads_original_mnist_files(
    packed: bool, download: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import mnist

    monkeypatch.setattr(mnist, "download_and_extract_archive", lambda *_, **__: pytest.fail("nothing is missing"))
    images = write_mnist(tmp_path)
    raw = tmp_path / "MNIST" / "raw"
    for file in raw.glob("*-ubyte" if packed else "*.gz"):
        file.unlink()
    before = sorted(raw.iterdir())
    found, labels = collect(
        parse(source="torchvision", name="MNIST", root=str(tmp_path), image_size=28, download=download)
    )
    np.testing.assert_array_equal(found[:, 0], images)
    assert labels.tolist() == [0, 1, 2, 3, 4]
    assert sorted(raw.iterdir()) == before, "nothing is written beside the originals"


@pytest.mark.parametrize("present", [["train-images-idx3-ubyte", "train-labels-idx1-ubyte"], []])
def test_only_what_is_missing_is_downloaded(
    present: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The download itself is torchvision's; here its address is a folder with all the files."""
    from torchvision.datasets import mnist, utils

    images = write_mnist(tmp_path / "mirror")
    mirror, root = tmp_path / "mirror/MNIST/raw", tmp_path / "root"
    (root / "MNIST/raw").mkdir(parents=True)
    for name in present:
        shutil.copy(mirror / f"{name}.gz", root / "MNIST/raw")
    sums = {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in mirror.glob("*.gz")}
    asked: list[str] = []

    def retrieve(url: str, filename: Path, *_: object) -> None:
        asked.append(Path(url).name)
        shutil.copy(mirror / Path(url).name, filename)

    monkeypatch.setattr(mnist.MNIST, "resources", list(sums.items()))
    monkeypatch.setattr(utils, "_urlretrieve", retrieve)
    monkeypatch.setattr(utils, "_get_redirect_url", lambda url, **_: url)
    config = parse(source="torchvision", name="MNIST", root=str(root), image_size=28, download=True)
    np.testing.assert_array_equal(collect(config)[0][:, 0], images)
    assert sorted(asked) == sorted(name for name in sums if name.removesuffix(".gz") not in present)


def test_a_download_that_fails_is_told_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import mnist

    def fail(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(mnist, "download_and_extract_archive", fail)
    config = parse(source="torchvision", name="MNIST", root=str(tmp_path), image_size=28, download=True)
    with pytest.raises(
        datasets.DataError, match=r"dataset\.root: torchvision cannot download what is missing of MNIST"
    ):
        config.open()


def test_huggingface_reads_a_local_snapshot(tmp_path: Path) -> None:
    hub = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    features = hub.Features({"image": hub.Image(), "label": hub.ClassLabel(names=["zero", "one"])})
    content = {"image": [picture(index) for index in range(4)], "label": [0, 1, 0, 1]}
    (tmp_path / "set" / "data").mkdir(parents=True)
    hub.Dataset.from_dict(content, features=features).to_parquet(tmp_path / "set" / "data" / "train-0.parquet")
    config = parse(source="huggingface", repository=str(tmp_path / "set"), revision="0" * 40, label_column="label")
    images, labels = collect(config)
    np.testing.assert_array_equal(images[2, 0], np.asarray(picture(2)))
    assert labels.tolist() == [0, 1, 0, 1]


@needs_data
def test_real_mnist_and_cifar_are_read() -> None:
    mnist = parse(source="torchvision", name="MNIST", root=DATA, image_size=32, resize="pad", limit=100)
    cifar = parse(
        source="npz", path=f"{DATA}/cifar10-25k.npz", labels_key="labels", image_size=32, channels=3, limit=100
    )
    assert collect(mnist)[0].shape == (100, 1, 32, 32)
    assert collect(cifar)[0].shape == (100, 3, 32, 32)
    assert cifar.open().class_names[0] == "airplane"


def test_fashion_mnist_as_it_is_published_is_read(tmp_path: Path) -> None:
    """Its npz has labels of uint8 and no names of classes."""
    pixels, classes = (
        np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8),
        (np.arange(40) % 10).astype(np.uint8),
    )
    np.savez(tmp_path / "fashion.npz", x_train=pixels, y_train=classes, x_test=pixels[:5], y_test=classes[:5])
    config = parse(
        source="npz", path=str(tmp_path / "fashion.npz"), images_key="x_train", labels_key="y_train", image_size=28
    )
    images, labels = collect(config)
    np.testing.assert_array_equal(images[:, 0], pixels)
    assert labels.tolist() == classes.tolist()
    assert config.open().class_names == tuple("0123456789")


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["u1", "i1", "u2", "i2", "<u4", ">u4", "i4", "u8", ">i8"]),
    labels=st.lists(st.integers(-2, 2**64 - 1) | st.integers(0, 5), min_size=1, max_size=6),
    named=st.integers(0, 7),
)
def test_labels_of_any_integer_type_are_kept_or_refused(
    tmp_path: Path, kind: str, labels: list[int], named: int
) -> None:
    labels = [label for label in labels if np.iinfo(kind).min <= label <= np.iinfo(kind).max] or [0]
    arrays = {"images": np.zeros((len(labels), 8, 8), np.uint8), "labels": np.array(labels, kind)}
    np.savez(tmp_path / "a.npz", **arrays, **({"class_names": np.array(["x"] * named)} if named else {}))
    config = parse(source="npz", path=str(tmp_path / "a.npz"), labels_key="labels")
    if min(labels) < 0 or max(labels) >= (named or len(labels)):
        with pytest.raises(datasets.DataError, match=r"labels_key: (a label is negative|the label \d+ is none)"):
            config.open()
        return
    assert collect(config)[1].tolist() == labels
    assert len(config.open().class_names) == (named or max(labels) + 1)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_a_damaged_npz_is_refused_by_name_and_never_gives_another_number(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "a.npz"
    rng = np.random.default_rng(0)
    write(path, images=rng.integers(0, 256, (2, 3, 3), np.uint8), labels=np.array([1, 0], np.uint8))
    config = parse(source="npz", path=str(path), labels_key="labels", image_size=3)
    expected, labels = collect(config)
    whole = path.read_bytes()
    flipped = [
        whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :]
        for place in range(len(whole))
        for change in (1, 128)
    ]
    refused = 0
    for broken in [*flipped, *(whole[:end] for end in range(0, len(whole), 3))]:
        path.write_bytes(broken)
        try:
            found = collect(config)
        except datasets.DataError as error:
            refused += 1
            (found,) = error.problems
            assert "a.npz" in found.problem or found.key in ("dataset.images_key", "dataset.labels_key")
            continue
        np.testing.assert_array_equal(found[0], expected)
        assert found[1].tolist() == labels.tolist()
    assert refused > len(whole) / 2


def test_an_npz_that_claims_more_than_memory_holds_is_refused_in_one_line(tmp_path: Path) -> None:
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 2**10, 2**10)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", member.getvalue())
    with pytest.raises(datasets.DataError, match=r"a\.npz does not fit into memory"):
        parse(source="npz", path=str(tmp_path / "a.npz")).open()


# --- the range that is read -----------------------------------------------------------------------------------------

FOUND = {
    "bytes of 0 and 1": (np.arange(64, dtype=np.uint8).reshape(1, 8, 8) % 2, None, (0, 1)),
    "bytes of 0 to 15": (np.arange(64, dtype=np.uint8).reshape(1, 8, 8) % 16, None, (0, 15)),
    "floats of 0 to 1 read as 0 to 255": (np.linspace(0, 1, 64).reshape(1, 8, 8), [0, 255], (0, 1)),
    "floats of 0 to 1 read as -1 to 1": (np.linspace(0, 1, 64).reshape(1, 8, 8), [-1, 1], (0, 1)),
    "12 bits read as 16": (np.arange(64, dtype=np.uint16).reshape(1, 8, 8) * 65, [0, 65535], (0, 4095)),
    "bytes": (np.arange(64, dtype=np.uint8).reshape(1, 8, 8) * 4, None, None),
    "floats": (np.linspace(-1, 1, 64).reshape(1, 8, 8), [-1, 1], None),
}


@pytest.mark.parametrize("case", FOUND)
def test_values_that_fill_half_of_their_range_at_most_are_remarked(tmp_path: Path, case: str) -> None:
    images, value_range, found = FOUND[case]
    np.savez(tmp_path / "a.npz", images=images)
    source = parse(source="npz", path=str(tmp_path / "a.npz"), value_range=value_range).open()
    assert source.values is not None
    remark = source.values.remark()
    if found is None:
        assert remark is None
    else:
        low, high = value_range or [0, 255]
        assert remark is not None
        assert remark.startswith(
            f"the values found, {found[0]} to {found[1]}, span at most half of {low} to {high}, which"
        )
        assert (source.values.least, source.values.most) == found


def test_dark_pictures_are_remarked_once_before_any_job_and_once_in_the_job(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    for index in range(20):
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(tmp_path / "images" / f"{index}.png")
    study = yaml.safe_load((ROOT / "tests/studies/tiny.yaml").read_text())
    study |= {"moments": {"per_class": False}, "mixture": {"fit": "kmeans", "modes": 2}}
    study["dataset"] = {"source": "folder", "path": str(tmp_path / "images"), "image_size": 8, "channels": 1}
    study["teleport"] |= {
        "kid_subset_size": 8,
        "extractor": {"name": "classifier", "labels": "mixture", "features": 8},
    }
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING):
        preflight.check_all({"dark": (dark := Study.model_validate(study))}, "config/studies")
        prepare_dataset.main("d.zarr.zip", "dark", dark.dataset.settings(), str(tmp_path / "images"))
    remark = "the values found, 0 to 19"
    assert [record.getMessage().partition(", span")[0] for record in caplog.records] == [
        f"config/studies/dark.yaml: dataset: {remark}",
        remark,
    ]


def test_the_artifact_says_which_range_was_read_and_found(tmp_path: Path) -> None:
    images = np.linspace(0, 1, 3000 * 64).reshape(3000, 8, 8)
    np.savez(tmp_path / "a.npz", images=images)
    settings = parse(source="npz", path="a.npz", value_range=[-1, 4]).settings()
    prepare_dataset.main(str(tmp_path / "d.zarr.zip"), "s", settings, str(tmp_path / "a.npz"))
    attributes = artifacts.load(tmp_path / "d.zarr.zip").attrs
    assert attributes["value_range"] == [-1, 4]
    assert attributes["values_found"] == [0, 1]
    (tmp_path / "images").mkdir()
    for index in range(1100):  # two parts; the brightest value stands in the second
        Image.new("L", (2, 2), 90 if index < 1050 else 91).save(tmp_path / "images" / f"{index:04}.png")
    settings = parse(source="folder", path="images", image_size=2).settings()
    prepare_dataset.main(str(tmp_path / "e.zarr.zip"), "s", settings, str(tmp_path / "images"))
    assert artifacts.load(tmp_path / "e.zarr.zip").attrs["values_found"] == [90, 91]


def test_digits_have_the_attributes_that_they_had(tmp_path: Path) -> None:
    prepare_dataset.main(str(tmp_path / "d.zarr.zip"), "s", parse(source="sklearn").settings(), "")
    assert set(artifacts.load(tmp_path / "d.zarr.zip").attrs) == {"class_names", "provenance"}


def test_an_unset_background_leaves_the_settings_of_a_data_set_as_they_were() -> None:
    assert "background" not in parse(source="folder", path="images").settings()
    for given_, kept in ((0, [0, 0, 0]), ([1, 2, 3], [1, 2, 3])):
        assert parse(source="folder", path="images", background=given_).settings()["background"] == kept
    for wrong in (256, -1, True, [1, 2], "white"):
        with pytest.raises(ValidationError):
            parse(source="folder", path="images", background=wrong)


# --- pictures of every source follow the same rule ------------------------------------------------------------------


def pictures_of_all_kinds() -> dict[str, bytes]:
    """Files of one 8 x 8 picture: deep, turned, with alpha, of two frames."""
    rng, files = np.random.default_rng(0), {}
    levels = rng.integers(0, 65536, (8, 8)).astype("<u2")
    turned = Image.Exif()
    turned[0x0112] = 3
    clear = Image.fromarray(rng.integers(0, 256, (8, 8, 4), np.uint8))
    for name, image, options in (
        ("deep", Image.frombytes("I;16", (8, 8), levels.tobytes()), {}),
        ("turned", picture(1), {"exif": turned}),
        ("clear", clear, {}),
        ("frames", picture(2), {"save_all": True, "append_images": [picture(3)]}),
    ):
        file = io.BytesIO()
        image.save(file, "PNG", **options)
        files[name] = file.getvalue()
    return files


def as_folder(place: Path, file: bytes) -> dict[str, Any]:
    (place / "images").mkdir()
    (place / "images" / "a.png").write_bytes(file)
    return {"source": "folder", "path": str(place / "images")}


def as_hub(place: Path, file: bytes) -> dict[str, Any]:
    hub = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    (place / "set" / "data").mkdir(parents=True)
    features = hub.Features({"image": hub.Image(decode=False), "kind": hub.Value("string")})
    rows = {"image": [{"bytes": file, "path": None}], "kind": ["cat"]}
    hub.Dataset.from_dict(rows, features=features).cast_column("image", hub.Image()).to_parquet(
        place / "set" / "data" / "train-0.parquet"
    )
    return {"source": "huggingface", "repository": str(place / "set"), "revision": "0" * 40}


@pytest.mark.parametrize("place", [as_folder, as_hub])
@pytest.mark.parametrize("kind", ["deep", "turned", "clear", "frames"])
def test_pictures_of_a_folder_and_of_the_hub_are_what_a_viewer_shows(tmp_path: Path, place: Any, kind: str) -> None:
    file = pictures_of_all_kinds()[kind]
    content = {**place(tmp_path, file), "channels": 3}
    where = "a.png" if place is as_folder else r"set\[0\]"
    refused = {
        "frames": f"path: the image .*{where} has 2 frames",
        "clear": f"background: the image .*{where} is not opaque",
    }
    for background in (None, 7):
        config = parse(**content, background=background)
        if kind == "frames" or (kind == "clear" and background is None):
            with pytest.raises(datasets.DataError, match=refused[kind].replace("path", r"(path|repository)")):
                collect(config)
            continue
        shown = decoding.read_image(file, background and (background,) * 3)
        expected = shown.transpose(2, 0, 1) if shown.ndim == 3 else np.stack([shown] * 3)
        np.testing.assert_array_equal(collect(config)[0][0], expected)


def test_columns_of_the_hub_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    place = as_hub(tmp_path, pictures_of_all_kinds()["deep"])
    with pytest.raises(datasets.DataError, match=r"image_column: 'kind' holds no images"):
        parse(**place, image_column="kind").open()
    with pytest.raises(datasets.DataError, match=r"label_column: the label of .*\[0\] is no whole number"):
        collect(parse(**place, label_column="kind"))


@pytest.mark.parametrize("ending", [".gz", ""])
def test_damaged_files_of_torchvision_are_refused(tmp_path: Path, ending: str) -> None:
    for cut in (0, 3, 100, 900):
        root = tmp_path / str(cut)
        write_mnist(root)
        raw = root / "MNIST" / "raw"
        for file in raw.glob("*-ubyte" if ending else "*.gz"):
            file.unlink()
        broken = raw / f"train-images-idx3-ubyte{ending}"
        broken.write_bytes(broken.read_bytes()[:cut])
        with pytest.raises(datasets.DataError, match=r"dataset\.root: .*MNIST") as error:
            parse(source="torchvision", name="MNIST", root=str(root), image_size=28).open()
        assert not ending or not cut or "train-images-idx3-ubyte.gz is damaged" in str(error.value)


# --- what is refused -----------------------------------------------------------------------------------------------

Break = Callable[[Path, dict[str, Any]], None]


def folder(change: Callable[[Path], None] | None = None, classes: int = 2) -> Break:
    def prepare(place: Path, study: dict[str, Any]) -> None:
        write_folder(place / "images", 24, classes)
        if change:
            change(place / "images")
        study["dataset"] = {"source": "folder", "path": "images", "image_size": 8, "channels": 1}

    return prepare


def npz(**arrays: Any) -> Break:
    def prepare(place: Path, study: dict[str, Any]) -> None:
        content = {key: value for key, value in arrays.items() if key != "options"}
        np.savez(place / "a.npz", **content)
        labels = {"labels_key": "labels"} if "labels" in content else {}
        base = {"source": "npz", "path": "a.npz", "image_size": 8, "channels": 1}
        study["dataset"] = {**base, **labels, **arrays.get("options", {})}

    return prepare


def with_nan() -> np.ndarray[Any, Any]:
    images = np.zeros((24, 8, 8), np.float32)
    images[17, 3, 3] = np.nan
    return images


def corrupt(images: Path) -> None:
    good = (images / "class1" / "3.png").read_bytes()
    (images / "class1" / "3.png").write_bytes(good[: len(good) // 2])


def empty(place: Path, study: dict[str, Any]) -> None:
    (place / "images").mkdir()
    study["dataset"] = {"source": "folder", "path": "images", "image_size": 8, "channels": 1}


def missing(place: Path, study: dict[str, Any]) -> None:  # noqa: ARG001  the same form as the others
    study["dataset"] = {"source": "folder", "path": "images", "image_size": 8, "channels": 1}


BYTES, LABELS = np.zeros((24, 8, 8), np.uint8), np.arange(24) % 10
EMPTY_CLASS = np.where(LABELS == 3, 4, LABELS)
ONE_OF_A_CLASS = np.where(np.arange(24) == 13, 4, LABELS)[:20]


def setting(section: str, **values: Any) -> Break:
    return lambda _, study: study.setdefault(section, {}).update(values)


def both(*breaks: Break) -> Break:
    def prepare(place: Path, study: dict[str, Any]) -> None:
        for one in breaks:
            one(place, study)

    return prepare


def foreign(images: Path) -> None:
    (images / "class0" / "x.heic").write_bytes(b"\0\0\0\x18ftypheic")


REFUSED: dict[str, tuple[Break, str, str]] = {
    "a picture of a kind that is not read": (
        folder(foreign),
        "dataset.path",
        "class0/x.heic is no picture of a kind that can be read here",
    ),
    "a picture that is not opaque": (
        folder(lambda images: Image.new("LA", (8, 8), (9, 128)).save(images / "class0" / "x.png")),
        "dataset.background",
        "class0/x.png is not opaque: 100.0%",
    ),
    "a picture of several frames": (
        folder(lambda images: picture(1).save(images / "class0" / "x.gif", save_all=True, append_images=[picture(2)])),
        "dataset.path",
        "class0/x.gif has 2 frames",
    ),
    "a picture of floats": (
        folder(lambda images: Image.new("F", (8, 8)).save(images / "class0" / "x.tif")),
        "dataset.path",
        "class0/x.tif has values of the mode F",
    ),
    "labels of complex numbers": (npz(images=BYTES, labels=LABELS * 1j), "dataset.labels_key", "complex128 labels"),
    "complex images": (npz(images=BYTES * 1j, labels=LABELS), "dataset.images_key", "holds complex128 values"),
    "images without pixels": (npz(images=BYTES[:, :0], labels=LABELS), "dataset.images_key", "shape (24, 0, 8)"),
    "one huge label": (
        npz(images=BYTES, labels=np.where(LABELS == 3, 10**9, LABELS)),
        "dataset.labels_key",
        "the label 1000000000",
    ),
    "an empty class": (
        npz(images=BYTES, labels=EMPTY_CLASS),
        "moments.per_class",
        "each class needs two images, to have a covariance, but these have fewer: '3' (0)",
    ),
    "a class without covariance": (
        npz(images=BYTES[:20], labels=ONE_OF_A_CLASS),
        "moments.per_class",
        "these have fewer: '3' (1)",
    ),
    "an empty class that is no mode": (
        both(npz(images=BYTES, labels=EMPTY_CLASS), setting("mixture", fit="kmeans")),
        "moments.per_class",
        "each class needs an image, but these have fewer: '3' (0)",
    ),
    "an empty class beyond the limit": (
        both(npz(images=BYTES, labels=np.arange(24) // 3), setting("dataset", limit=20)),
        "moments.per_class",
        "'7' (0)",
    ),
    "fewer images than classes": (setting("dataset", limit=7), "moments.per_class", "7 images cannot fill 10 classes"),
    "a label beyond the class names": (
        npz(images=BYTES, labels=LABELS, class_names=np.array(["a", "b"])),
        "dataset.labels_key",
        "the label 9 is none of the 2 classes",
    ),
    "fewer images than clusters": (
        both(setting("dataset", limit=22), setting("mixture", fit="kmeans", modes=23)),
        "mixture.modes",
        "22 images cannot fill 23 clusters",
    ),
    "a rank above the number of images": (
        both(setting("dataset", limit=30), setting("eigenbasis", rank=30)),
        "eigenbasis.rank",
        "30 is not possible: 30 images of 64 values have rank 29 at most",
    ),
    "a rank above the number of pixels": (
        setting("eigenbasis", method="dense", rank=65),
        "eigenbasis.rank",
        "65 is not possible: 200 images of 64 values have rank 64 at most",
    ),
    "missing folder": (missing, "dataset.path", "there is no folder images"),
    "empty folder": (empty, "dataset.path", "holds no image"),
    "images of different sizes": (
        folder(lambda images: picture(3, (9, 9)).save(images / "class1" / "3.png")),
        "dataset.image_size",
        "3.png has 9 x 9 pixels",
    ),
    "corrupt image": (folder(corrupt), "dataset.path", "class1/3.png is corrupt"),
    "not an image": (
        folder(lambda images: (images / "class0" / "x.png").write_text("no image") and None),
        "dataset.path",
        "class0/x.png is no picture of a kind that can be read here",
    ),
    "labels missing": (folder(classes=0), "dataset.source", "needs labels"),
    "NaN": (
        npz(images=with_nan(), labels=LABELS, options={"value_range": [0, 1]}),
        "dataset.path",
        "image 17 of a.npz holds NaN",
    ),
    "floats without a range": (npz(images=with_nan() * 0, labels=LABELS), "dataset.value_range", "range is not known"),
    "values outside the range": (
        npz(images=np.full((24, 8, 8), 9.0), labels=LABELS, options={"value_range": [0, 1]}),
        "dataset.value_range",
        "outside [0.0, 1.0]",
    ),
    "missing array": (npz(pictures=BYTES, labels=LABELS), "dataset.images_key", "no array 'images'"),
    "labels of another length": (npz(images=BYTES, labels=LABELS[:5]), "dataset.labels_key", "do not fit 24 images"),
    "negative labels": (npz(images=BYTES, labels=LABELS - 1), "dataset.labels_key", "negative"),
    "wrong shape": (npz(images=np.zeros((24, 8), np.uint8), labels=LABELS), "dataset.images_key", "shape (24, 8)"),
    "missing npz": (
        lambda _, study: study.update(dataset={"source": "npz", "path": "b.npz", "image_size": 8, "channels": 1}),
        "dataset.path",
        "no file b.npz",
    ),
    "no npz": (
        lambda place, study: (
            (place / "b.npz").write_text("text"),
            study.update(dataset={"source": "npz", "path": "b.npz", "image_size": 8, "channels": 1}),
        )[1],
        "dataset.path",
        "no readable npz",
    ),
    "missing torchvision root": (
        lambda _, study: study.update(
            dataset={"source": "torchvision", "name": "MNIST", "root": "nowhere", "image_size": 28, "channels": 1}
        ),
        "dataset.root",
        "no folder nowhere",
    ),
    "too few images for KID": (
        lambda _, study: study["dataset"].update(limit=10),
        "teleport.kid_subset_size",
        "exceeds the 10 images",
    ),
    "missing Inception weights": (
        lambda _, study: [
            study["teleport"].update(
                extractor={"name": "inception-v3-compat", "weights": "no.pth"}, seeds=2049, null_seeds=2049
            ),
            study["low_nfe"].update(seeds=2049),
            study["early_checkpoints"].update(seeds=2049),
        ],
        "teleport.extractor.weights",
        "not at no.pth",
    ),
    "missing network": (
        lambda _, study: study.update(denoiser={"source": "path", "path": "nowhere"}),
        "denoiser.path",
        "no folder nowhere",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unusable_data_are_refused_with_file_key_and_remedy(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, key, problem = REFUSED[case]
    study = yaml.safe_load((ROOT / "tests/studies/tiny.yaml").read_text())
    study["teleport"]["extractor"]["features"] = 4
    prepare(tmp_path, study)
    (tmp_path / "config/studies").mkdir(parents=True)
    (tmp_path / "config/studies/tiny.yaml").write_text(yaml.safe_dump(study))
    monkeypatch.chdir(tmp_path)
    studies = find_studies("tiny", "config/studies", "config/config.yaml")
    with pytest.raises(InputError) as error:
        preflight.check_all(studies, "config/studies")
    message = str(error.value)
    assert message.startswith(f"config/studies/tiny.yaml: {key}: ")
    assert problem in message
    assert "Remedy: " in message
    assert not message.rstrip(".").endswith("Remedy:")


@pytest.mark.parametrize(
    "dataset",
    [
        {"source": "npz", "path": "{data}/a.npz"},
        {"source": "folder", "path": "{data}/images"},
        {"source": "torchvision", "name": "MNIST", "root": "{data}"},
    ],
)
def test_how_to_get_missing_data_is_told(tmp_path: Path, dataset: dict[str, Any]) -> None:
    study = yaml.safe_load((ROOT / "tests/studies/tiny.yaml").read_text())
    for obtain, remedy in (
        ("ask the museum", "ask the museum"),
        ("", "{data} is the folder that --config data=FOLDER"),
    ):
        study["dataset"] = {**dataset, "image_size": 8, "channels": 1, "obtain": obtain}
        (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(study))
        studies = find_studies("tiny", tmp_path, "config.yaml", data=str(tmp_path / "nowhere"))
        with pytest.raises(InputError, match=r"there is no (file|folder) .*nowhere") as error:
            preflight.check_all(studies, tmp_path)
        assert remedy in error.value.problems[0].remedy


def test_classes_are_not_counted_where_nothing_needs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = yaml.safe_load((ROOT / "tests/studies/tiny.yaml").read_text())
    study["teleport"]["extractor"]["features"] = 4
    npz(images=BYTES, labels=EMPTY_CLASS)(tmp_path, study)
    study |= {"moments": {"per_class": False}, "mixture": {"fit": "kmeans"}}
    monkeypatch.chdir(tmp_path)
    preflight.check_all({"tiny": Study.model_validate(study)}, "config/studies")
    del study["dataset"]["labels_key"]
    study["teleport"]["extractor"]["labels"] = "mixture"
    preflight.check_all({"tiny": Study.model_validate(study)}, "config/studies")


def test_good_data_pass_and_are_not_read_again_once_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study.model_validate(yaml.safe_load((ROOT / "tests/studies/tiny.yaml").read_text()))
    monkeypatch.chdir(tmp_path)
    preflight.check_all({"tiny": study}, "config/studies")


def test_a_network_of_another_size_is_refused() -> None:
    study = Study.model_validate(yaml.safe_load((ROOT / "tests/studies/tiny.yaml").read_text()))
    with pytest.raises(InputError, match=r"dataset\.image_size: 8 pixels do not fit a network for images of 32"):
        preflight.check_shape(study, {"sample_size": 32, "in_channels": 1})
    with pytest.raises(InputError, match=r"dataset\.channels: 1 channels do not fit"):
        preflight.check_shape(study, {"sample_size": 8, "in_channels": 3})


def test_links_to_pictures_and_to_their_folders_are_followed(tmp_path: Path) -> None:
    (tmp_path / "images/cat").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for place in ("images/cat/1.png", "elsewhere/2.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / place)
    (tmp_path / "images/dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images/cat/again").symlink_to(tmp_path / "images")
    assert [file.name for file in image_files(tmp_path / "images")] == ["1.png", "2.png"]
    (tmp_path / "images/cat/3.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(PictureError, match="FileNotFoundError"):
        decoding.read_image(image_files(tmp_path / "images")[1])
