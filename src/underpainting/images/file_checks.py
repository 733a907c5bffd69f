"""Checks properties of picture files that Pillow ignores, and refuses files that it would decode wrongly.

PNG    data that end before the last row; another colour space than sRGB (cICP)
TIFF   rows that are missing; signed or floating samples; planes of more than 8 bits; subsampled colours without compression
WebP   a single frame that fills a part of its canvas
BMP, JPEG 2000, AVIF   colour spaces and profiles that Pillow does not report
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

from PIL import Image

PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
SRGB_IN_CICP, SRGB_IN_AVIF = bytes([1, 13]), ((1, 2), (1, 2, 13))  # primaries and transfer; 2 means unspecified
JPEG2000_SPACES = (16, 17, 18)  # sRGB, grey, and luma with chroma of sRGB
BITS, PHOTOMETRIC, COMPRESSION, SAMPLE_FORMAT, PLANES, SUBSAMPLING = 258, 262, 259, 339, 284, 530  # tags of TIFF
INTERLEAVE = "save it with interleaved colours, or as PNG"


class PictureError(ValueError):
    """Error for a picture that cannot be used: problem, remedy and, if one decides, the key of `dataset`."""

    def __init__(self, problem: str, remedy: str, key: str | None = None) -> None:
        self.problem, self.remedy, self.key = problem, remedy, key
        super().__init__(f"{problem}. Remedy: {remedy}.")


def require_supported(content: bytes, picture: Image.Image) -> None:
    """Check that Pillow decodes a file to the pixels that a viewer shows.

    Args:
        content: of the file.
        picture: opened, not yet decoded.

    Raises:
        PictureError: it does not.
    """
    check = {"PNG": _png, "TIFF": _tiff, "WEBP": _webp, "BMP": _bmp, "JPEG2000": _jpeg2000, "AVIF": _avif}
    if picture.format in check:
        check[picture.format](content, picture)


def orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation of a JPEG, PNG or AVIF picture, else 1; Pillow applies that of TIFF itself."""
    found = picture.info.get("exif", b"") if picture.format in ("JPEG", "MPO", "PNG", "AVIF") else b""
    if not found:
        return 1
    exif = Image.Exif()
    exif.load(found)
    return int(exif.get(274, 1))


def _other_space(what: str) -> PictureError:
    return PictureError(f"has colours of another space than sRGB ({what})", "convert it to sRGB")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place + 8 <= len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        place += size + 12


def _png(content: bytes, _: Image.Image) -> None:
    chunks = list(_chunks(content))
    named = dict(reversed(chunks))
    if (space := named.get(b"cICP")) and space[:2] != SRGB_IN_CICP:
        raise _other_space("cICP")
    expected = _png_bytes(*struct.unpack(">IIBBBBB", named[b"IHDR"]))
    data = b"".join(body for name, body in chunks if name == b"IDAT")
    if (found := len(zlib.decompressobj().decompress(data, expected))) < expected:
        raise PictureError(
            f"is corrupt (it ends before its last row: {found:,} of {expected:,} bytes)", "get the file again"
        )


def _png_bytes(width: int, height: int, depth: int, colour: int, _: int, __: int, interlaced: int) -> int:
    """Return the number of bytes in all rows of a PNG, with one more per row for its filter."""
    bits, total = depth * PNG_SAMPLES[colour], 0
    for left, top, right, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // right), -((top - height) // down)
        total += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    return total


def _tags(picture: Image.Image) -> Any:
    return picture.tag_v2  # type: ignore[attr-defined]


def _all(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _tiff(_: bytes, picture: Image.Image) -> None:
    tags = _tags(picture)
    bits, planes = max(_all(tags.get(BITS)), default=1), tags.get(PLANES, 1)
    if not set(_all(tags.get(SAMPLE_FORMAT, 1))) <= {1, 4}:  # unsigned, or undefined
        problem = f"has values of the mode {picture.mode}, of which it is not known what a viewer shows"
        raise PictureError(problem, "save it in grey or RGB with 8 or 16 bits")
    if planes == 2 and bits > 8:
        raise PictureError(f"keeps its colours in planes of {bits} bits", INTERLEAVE)
    if (tags.get(PHOTOMETRIC), tags.get(COMPRESSION, 1)) == (6, 1) and tags.get(SUBSAMPLING, (2, 2)) != (1, 1):
        raise PictureError("has subsampled colours without compression", INTERLEAVE)
    _require_all_rows(picture, len(_all(tags.get(BITS))) if planes == 2 else 1)


def _require_all_rows(picture: Image.Image, planes: int) -> None:
    """Check that a TIFF lists all of its strips or tiles; Pillow leaves missing ones black."""
    tags = _tags(picture)
    width, height = tags[256], tags[257]  # as stored; Pillow's size is that of the picture turned
    tiled = 324 in tags
    places, sizes = (_all(tags.get(number)) for number in ((324, 325) if tiled else (273, 279)))
    across, down = (tags[322], tags[323]) if tiled else (width, min(tags.get(278, height), height))
    count = -(-width // across) * -(-height // down) * planes
    if len(places) < count or 0 in places[:count] or 0 in sizes[:count]:
        raise PictureError("is corrupt (it does not hold all of its rows)", "get the file again")


def _webp(content: bytes, picture: Image.Image) -> None:
    if (start := content.find(b"ANMF", 0, 2**16)) >= 0:
        width, height = (int.from_bytes(content[start + place : start + place + 3], "little") + 1 for place in (14, 17))
        if (width, height) != picture.size:
            raise PictureError("fills only a part of its canvas", "save it as PNG, with what is to lie around it")


def _bmp(content: bytes, _: Image.Image) -> None:
    if content[14:18] == struct.pack("<I", 124) and content[70:74] in (b"DEBM", b"KNIL"):  # embedded, linked
        raise _other_space("a profile in a BMP file")


def _jpeg2000(content: bytes, _: Image.Image) -> None:
    if (start := content.find(b"colr", 0, 2**16)) >= 0:
        method, space = content[start + 4], int.from_bytes(content[start + 7 : start + 11], "big")
        if method != 1 or space not in JPEG2000_SPACES:
            raise _other_space("a profile in a JPEG 2000 file" if method != 1 else f"number {space}")


def _avif(content: bytes, _: Image.Image) -> None:
    if (start := content.find(b"colrnclx", 0, 2**16)) >= 0:
        primaries, transfer = struct.unpack(">HH", content[start + 8 : start + 12])
        if primaries not in SRGB_IN_AVIF[0] or transfer not in SRGB_IN_AVIF[1]:
            raise _other_space(f"primaries {primaries}, transfer {transfer}")
