r"""Reads and writes artifacts: one xarray dataset as one file, `name.zarr.zip`.

An artifact is Zarr, written to a temporary store and then packed: entries sorted, without second compression, dated
1980, under a temporary name that is renamed at the end. So it is complete or absent at any moment, and its bytes
depend on its content alone. (Writing through zarr's own ZipStore leaves duplicate entries and different bytes each
time.)

Every chunk listed by the metadata must exist, and its checksum (CRC-32, of the archive) is compared when it is read:
a damaged file is refused, and a missing chunk is never read as the fill value. Every number is finite, except NaN in
an array whose attribute `missing` gives its meaning.

Images carry the attributes `units` and `range`, and a reader refuses a range that it does not expect: statistics
taken in [0, 1] and used in [-1, 1] would be wrong without any error.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from zarr.storage import ZipStore

from underpainting.io import archives
from underpainting.io.conventions import IMAGE_DIMS as IMAGE_DIMS
from underpainting.io.conventions import IMAGE_RANGE as IMAGE_RANGE
from underpainting.io.messages import describe_error
from underpainting.io.writing import remove_leftovers, replacing

_CHUNK_BYTES = 64 * 2**20


class ArtifactError(ValueError):
    """Error for an artifact that is missing, damaged or of another kind; the message names the file."""


class Archive(ZipStore):
    """A packed Zarr store that is refused if it is damaged.

    Raises:
        ArtifactError: the store is damaged; when it is opened or read.
    """

    def __init__(self, path: Path) -> None:
        with _reporting_damage(path):
            super().__init__(path, mode="r")
            self._sync_open()
            promised = sorted({archives.METADATA, *archives.expected_entries(self._zf)})
            if (found := sorted(self._zf.namelist())) != promised:
                wrong = sorted(set(found) ^ set(promised)) or found
                raise ValueError(f"its entries are not those that its metadata promise: {', '.join(wrong[:3])}")

    def _get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        with _reporting_damage(self.path):
            return super()._get(key, prototype, byte_range)


@contextmanager
def _reporting_damage(path: str | Path) -> Iterator[None]:
    try:
        yield
    except ArtifactError:
        raise
    except archives.DAMAGE as error:
        problem = describe_error(error)
        raise ArtifactError(
            f"{path}: not a readable artifact ({problem}); delete it and run snakemake again"
        ) from error


def digest(path: str | Path) -> str:
    """Compute the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pack(folder: Path, path: Path, names: set[str]) -> None:
    """Pack a store into one file, after a check that it holds all arrays of `names` with all of their chunks."""
    files = sorted(
        ((file.relative_to(folder).as_posix(), file) for file in folder.rglob("*") if file.is_file()),
        key=lambda entry: (not entry[0].endswith("zarr.json"), entry[0]),
    )
    with replacing(path) as scratch, zipfile.ZipFile(scratch, "w", zipfile.ZIP_STORED) as archive:
        for name, file in files:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.file_size = file.stat().st_size
            with file.open("rb") as source, archive.open(entry, "w") as target:
                while block := source.read(1 << 22):
                    target.write(block)
        archive.close()
        reopened = Archive(scratch)
        found = {
            entry.rpartition("/")[0] for entry in reopened._zf.namelist() if entry.endswith(f"/{archives.METADATA}")
        }
        reopened.close()
        if found != names:
            raise ArtifactError(
                f"{path}: {', '.join(sorted(names - found)[:3])} vanished while it was written; run it again"
            )


def _encoding(dataset: xr.Dataset, dim: str) -> dict[str, dict[str, Any]]:
    """Choose chunks along the first axis: one part of a stream along `dim`, else at most 64 MiB."""
    encoding: dict[str, dict[str, Any]] = {}
    for name, array in dataset.variables.items():
        kept = {key: array.encoding[key] for key in ("dtype", "scale_factor", "add_offset") if key in array.encoding}
        if array.ndim and array.size:
            row = max(array.dtype.itemsize * array.size // array.shape[0], 1)
            fitting = max(1, min(array.shape[0], _CHUNK_BYTES // row))
            kept["chunks"] = (array.shape[0] if array.dims[0] == dim else fitting, *array.shape[1:])
        encoding[str(name)] = kept
    return encoding


def _storable(array: xr.DataArray) -> bool:
    """Return whether the integers of an array's encoding can hold its values; xarray would let them wrap around."""
    kind = np.dtype(array.encoding.get("dtype", array.dtype))
    if array.dtype.kind != "f" or kind.kind not in "iu" or not array.size:
        return True
    scale, offset = array.encoding.get("scale_factor", 1.0), array.encoding.get("add_offset", 0.0)
    if not np.isfinite(array.values).all():
        return False  # integers have no NaN
    packed = [np.round((float(value) - offset) / scale) for value in (array.values.min(), array.values.max())]
    return all(np.iinfo(kind).min <= value <= np.iinfo(kind).max for value in packed)


def _not_finite(array: xr.DataArray) -> str:
    """Describe the numbers of an array that are not finite, except NaN where the attribute `missing` is set."""
    if array.dtype.kind not in "fc" or (finite := np.isfinite(array.values)).all():
        return ""
    if "missing" in array.attrs and not np.isinf(array.values).any():
        return ""
    return f"numbers that are not finite, {(~finite).sum()} of {finite.size}"


def _checked(dataset: xr.Dataset, path: Path) -> xr.Dataset:
    for name, array in dataset.data_vars.items():
        if "units" not in array.attrs:
            raise ArtifactError(f"{path}: the array {name!r} has no units; set attrs['units'] ('1' if dimensionless)")
        if fault := _not_finite(array):
            raise ArtifactError(f"{path}: the array {name!r} holds {fault}; nothing was written")
        if not _storable(array):
            raise ArtifactError(
                f"{path}: the array {name!r} holds values that {array.encoding['dtype']} cannot store; clip them, or store floats"
            )
    return dataset


def _write(part: xr.Dataset, store: Path, **options: Any) -> None:
    """Write a dataset that is `_checked`, so without the warning that integers have no NaN."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "saving variable .* as an integer dtype", xr.SerializationWarning)
        part.to_zarr(store, consolidated=False, write_empty_chunks=True, **options)


def save(dataset: xr.Dataset, path: str | Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a dataset atomically as one reproducible file.

    Args:
        dataset: every data variable has the attribute `units`.
        path: `*.zarr.zip`.
        provenance: its origin (study, seeds, digests, versions); kept as JSON in the attribute `provenance`.

    Raises:
        ArtifactError: an array has no units, or numbers that are not finite.
    """
    save_stream([dataset], path, "", provenance)


def save_stream(
    parts: Iterable[xr.Dataset], path: str | Path, dim: str, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write datasets one after the other along `dim` into one file; memory holds one part at a time.

    Args:
        parts: datasets of equal size along `dim`; the last one may be shorter.
        path: `*.zarr.zip`.
        dim: the axis along which they are concatenated; the first axis of every array that has it.
        provenance: as in `save`.

    Raises:
        ArtifactError: an array has no units or numbers that are not finite, or there are no parts.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    attributes = {"provenance": json.dumps(dict(provenance), sort_keys=True)} if provenance else {}
    remove_leftovers(path)
    scratch = f".{path.name}.{os.getpid()}."
    with tempfile.TemporaryDirectory(prefix=scratch, suffix=".tmp", dir=path.parent) as folder:
        store = Path(folder) / "store"
        written, names = 0, set[Any]()
        for part in parts:
            part = _checked(part.assign_attrs(attributes), path)
            names |= set(part.variables)
            if written == 0:
                encoding = _encoding(part, dim)
                _write(part, store, mode="w", zarr_format=3, encoding=encoding)
            else:
                _write(part, store, append_dim=dim)
            written += 1
        if not written:
            raise ArtifactError(f"{path}: nothing to write")
        _pack(store, path, {str(name) for name in names})


def load(path: str | Path) -> xr.Dataset:
    """Open an artifact; arrays are read, and damage to them is reported, when they are used.

    Raises:
        ArtifactError: the file is missing, damaged or no artifact.
    """
    path = Path(path)
    if not path.is_file():
        raise ArtifactError(f"{path}: no such artifact; build it with snakemake, or fetch it with dvc pull")
    with _reporting_damage(path):
        return xr.open_dataset(Archive(path), engine="zarr", consolidated=False)  # type: ignore[arg-type]


def provenance(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the origin of a dataset, as given to `save`."""
    content: dict[str, Any] = json.loads(dataset.attrs.get("provenance", "{}"))
    return content


def image_array(values: np.ndarray[Any, Any], dims: Sequence[str], long_name: str) -> xr.DataArray:
    """Label an array of images in the library's range."""
    attributes = {"units": "1", "range": list(IMAGE_RANGE), "long_name": long_name}
    return xr.DataArray(values, dims=tuple(dims), attrs=attributes)


def array(values: Any, dims: Sequence[str] | str, long_name: str, units: str = "1", missing: str = "") -> xr.DataArray:
    """Label an array with axes, a name and units.

    Args:
        values: finite numbers; NaN, too, if `missing` is given.
        units: '1' if dimensionless.
        missing: meaning of NaN.
    """
    dims = (dims,) if isinstance(dims, str) else tuple(dims)
    meaning = {"missing": missing} if missing else {}
    return xr.DataArray(values, dims=dims, attrs={"units": units, "long_name": long_name, **meaning})


def require_range(array: xr.DataArray, path: str | Path, expected: tuple[float, float] = IMAGE_RANGE) -> xr.DataArray:
    """Return the array after a check that it declares the expected range.

    Raises:
        ArtifactError: the array declares another range, or none.
    """
    declared = array.attrs.get("range")
    if declared is None or not np.allclose(np.asarray(declared, float), expected):
        raise ArtifactError(
            f"{path}: the array {array.name!r} declares the range {declared}, but {list(expected)} is needed; "
            "rescale it and set attrs['range']"
        )
    return array


def at_once(pixels: int, most: int = 1024) -> int:
    """Return how many images to hold in memory: at most `most`, and at most 2^25 values (256 MiB in float64)."""
    return min(most, max(1, 2**25 // max(pixels, 1)))


def batches(array: xr.DataArray, size: int) -> Iterator[np.ndarray[Any, Any]]:
    """Read an array along its first axis, `size` entries at a time."""
    for start in range(0, array.shape[0], size):
        yield array[start : start + size].values
