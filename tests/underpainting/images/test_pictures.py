"""Pictures are read as a viewer shows them, or refused: against numpy, files written byte by byte, and Chromium."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from underpainting.images import decoding
from underpainting.images.file_checks import PictureError

Array = np.ndarray[Any, Any]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6  # colour types of PNG
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
# what a viewer does with the stored pixels (rows, columns), by the number that EXIF gives
TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


# --- files, byte by byte -------------------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(values: Array, depth: int, kind: int, *extra: bytes) -> bytes:
    """A PNG of samples (height, width, sample), each as large as the depth allows."""
    height, width = values.shape[:2]
    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in values]
    else:
        bits = (values.reshape(height, -1, 1) >> np.arange(depth)[::-1]) & 1
        rows = [np.packbits(row.ravel()).tobytes() for row in bits.astype(np.uint8)]
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + b"".join([chunk(b"IHDR", header), *extra, chunk(b"IDAT", data), chunk(b"IEND", b"")])


def exif(orientation: int) -> bytes:
    """An EXIF block with nothing but an orientation."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def fixed(values: Any) -> bytes:
    return struct.pack(f">{np.size(values)}i", *np.round(np.ravel(values) * 65536).astype(int))


D50 = [0.9642, 1.0, 0.8249]
WHITE = b"XYZ \0\0\0\0" + fixed(D50)
NAME = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)


def with_tags(spaces: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2 from one colour space to another."""
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s", 128 + len(table) + len(body), b"lcms", 0x02100000, b"mntr") + spaces + bytes(12)
    return (header + b"acsp" + bytes(28) + fixed(D50)).ljust(128, b"\0") + table + body


def icc(gamma: float, primaries: Array | None) -> bytes:
    """An ICC profile with a gamma and, unless it is of greys, primaries in XYZ (D50), one in each row."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"desc": NAME, b"cprt": b"text\0\0\0\0none\0", b"wtpt": WHITE}
    if primaries is None:
        return with_tags(b"GRAYXYZ ", tags | {b"kTRC": curve})
    for name, corner in zip("rgb", primaries, strict=True):
        tags |= {f"{name}XYZ".encode(): b"XYZ \0\0\0\0" + fixed(corner), f"{name}TRC".encode(): curve}
    return with_tags(b"RGB XYZ ", tags)


def lab_of(inks: Array) -> Array:
    """The colours of four inks (..., 4) in bytes of Lab, by a law that is linear in each."""
    c, m, y, k = np.moveaxis(inks, -1, 0)
    return np.stack([255 - 25 * (c + m) - 130 * k, 128 - 20 * c + 20 * m, 128 + 20 * y - 10 * c], -1)


def ink_profile() -> bytes:
    """An ICC profile of four inks: their 16 corners in Lab, between which it is linear."""
    steps, unit = bytes(range(256)), struct.pack(">9i", *(np.eye(3).ravel() * 65536).astype(int))
    corners = lab_of(np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), -1)).astype(np.uint8)
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + steps * 4 + corners.tobytes() + steps * 3
    return with_tags(b"CMYKLab ", {b"desc": NAME, b"wtpt": WHITE, b"A2B0": table})


WIDE = np.array([[0.6097, 0.3111, 0.0195], [0.2053, 0.6257, 0.0609], [0.1492, 0.0632, 0.7446]])  # Adobe RGB (1998)
TO_SRGB = np.linalg.inv(np.array([[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7139]]))


def encoded(linear: Array) -> Array:
    """Light in bytes of sRGB."""
    linear = np.clip(linear, 0, 1)
    return np.round(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(seed: int, shape: tuple[int, ...], most: int = 255) -> Array:
    return np.random.default_rng(seed).integers(0, most, shape, endpoint=True)


# --- what a viewer shows, in numpy ----------------------------------------------------------------------------------


def in_bytes(values: Array, depth: int) -> Array:
    return values >> 8 if depth == 16 else values * 255 // (2**depth - 1)


def over(colours: Array, alpha: Array, background: tuple[int, int, int]) -> Array:
    share = alpha[..., None] / 255
    return np.round(colours * share + np.array(background) * (1 - share))


def colours(pixels: Array) -> Array:
    """Pixels (height, width[, 3]) as (height, width, 3)."""
    return np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels


@st.composite
def drawn(draw: st.DrawFn) -> tuple[bytes, Array, Array, tuple[int, int, int] | None]:
    """A PNG, the colours (height, width, 3) and the alpha that it stands for, and a background or none."""
    kind = draw(st.sampled_from(sorted(DEPTHS)))
    depth = draw(st.sampled_from(DEPTHS[kind]))
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)), SAMPLES[kind])
    seed, orientation = draw(st.integers(0, 2**16)), draw(st.sampled_from([None, *TURNED]))
    values = noise(seed, shape, 2**depth - 1)
    extra = [chunk(b"eXIf", exif(orientation))] if orientation else []
    alpha = np.full(shape[:2], 255)
    if kind == PALETTE:
        palette, see_through = noise(seed + 1, (2**depth, 3)), noise(seed + 2, (2**depth,))
        extra.append(chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
        if draw(st.booleans()):
            extra.append(chunk(b"tRNS", see_through.astype(np.uint8).tobytes()))
            alpha = see_through[values[..., 0]]
        shown = palette[values[..., 0]]
    else:
        shown = in_bytes(values, depth)
        if kind in (GREY_ALPHA, RGB_ALPHA):
            if draw(st.booleans()):
                values[..., -1] = 2**depth - 1
            shown = in_bytes(values, depth)
            shown, alpha = shown[..., :-1], shown[..., -1]
        elif (kind, depth) in ((GREY, 1), (GREY, 8), (GREY, 16), (RGB, 8)) and draw(st.booleans()):
            invisible = values[0, 0]
            extra.append(chunk(b"tRNS", invisible.astype(">u2").tobytes()))
            alpha = np.where((values == invisible).all(-1), 0, 255)
        shown = np.broadcast_to(shown, (*shape[:2], 3))
    turn = TURNED[orientation or 1]
    background = draw(st.none() | st.tuples(*[st.integers(0, 255)] * 3) | st.integers(0, 255).map(lambda v: (v,) * 3))
    return png(values, depth, kind, *extra), turn(shown), turn(alpha), background


@settings(max_examples=400)
@given(drawn())
def test_a_png_is_what_a_viewer_shows_or_refused(case: tuple[bytes, Array, Array, Any]) -> None:
    file, shown, alpha, background = case
    if (alpha < 255).any() and background is None:
        with pytest.raises(PictureError, match="not opaque") as error:
            decoding.read_image(file, background)
        assert (error.value.key, "dataset.background" in error.value.remedy) == ("background", True)
        return
    found = decoding.read_image(file, background)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(colours(found), over(shown, alpha, background or (0, 0, 0)))


LOSSLESS = {
    ("TIFF", "1"), ("TIFF", "L"), ("TIFF", "LA"), ("TIFF", "P"), ("TIFF", "RGB"), ("TIFF", "RGBA"), ("TIFF", "I;16"),
    ("TIFF", "I;16B"), ("TIFF", "I"), ("TIFF", "F"), ("TIFF", "CMYK"), ("TIFF", "YCbCr"), ("PNG", "1"), ("PNG", "L"),
    ("PNG", "LA"), ("PNG", "P"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "I;16"), ("WEBP", "RGB"), ("WEBP", "RGBA"),
    ("GIF", "L"), ("GIF", "P"), ("BMP", "L"), ("BMP", "RGB"), ("PPM", "L"), ("PPM", "RGB"), ("PPM", "I;16"),
    ("JPEG2000", "L"), ("JPEG2000", "RGB"), ("JPEG2000", "RGBA"), ("JPEG2000", "I;16"), ("TGA", "RGBA"), ("ICO", "RGBA"),
}  # fmt: skip
DEEP = ("I;16", "I;16B")
OPTIONS: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True, "exact": True}, "JPEG2000": {"irreversible": False}}


def made(mode: str, seed: int, shape: tuple[int, int]) -> tuple[Image.Image, Array, Array]:
    """An image in one of Pillow's modes, its colours and its alpha, by numpy."""
    alpha = np.full(shape, 255)
    if mode in DEEP:
        values = noise(seed, shape, 65535)
        order = ">u2" if mode == "I;16B" else "<u2"
        return Image.frombytes(mode, shape[::-1], values.astype(order).tobytes()), colours(values >> 8), alpha
    if mode in ("I", "F"):
        return Image.fromarray(noise(seed, shape).astype({"I": np.int32, "F": np.float32}[mode])), alpha, alpha
    bands = Image.new(mode, (1, 1)).getbands()
    values = noise(seed, (*shape, len(bands)), 1 if mode == "1" else 255)
    image = Image.fromarray((values[..., 0] * 255).astype(np.uint8)).convert("1") if mode == "1" else None
    image = image or Image.frombytes(mode, shape[::-1], values.astype(np.uint8).tobytes())
    if mode == "P":
        palette = noise(seed + 1, (256, 3))
        image.putpalette(palette.astype(np.uint8).tobytes())
        return image, palette[values[..., 0]], alpha
    if bands[-1] == "A":
        alpha = values[..., -1]
    if mode == "CMYK":
        ink = 255 - values
        return image, np.round(ink[..., :3] * ink[..., 3:] / 255), alpha
    if mode == "YCbCr":
        y, cb, cr = values[..., 0], values[..., 1] - 128.0, values[..., 2] - 128.0
        mixed = [y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb]
        return image, np.clip(np.stack(mixed, -1), 0, 255), alpha
    shown = values[..., : len(bands) - (bands[-1] == "A")] * (255 if mode == "1" else 1)
    return image, np.broadcast_to(shown, (*shape, 3)), alpha


@settings(max_examples=300)
@given(
    case=st.sampled_from(sorted(LOSSLESS)),
    seed=st.integers(0, 2**16),
    shape=st.tuples(st.integers(3, 20), st.integers(3, 20)),
    orientation=st.sampled_from([None, *TURNED]),
    frames=st.integers(1, 2),
    background=st.none() | st.tuples(*[st.integers(0, 255)] * 3),
)
def test_formats_modes_orientations_and_frames(
    case: tuple[str, str], seed: int, shape: tuple[int, int], orientation: int | None, frames: int, background: Any
) -> None:
    kind, mode = case
    shape = (16, 16) if kind == "ICO" else shape  # ICO keeps sizes of its own
    image, shown, alpha = made(mode, seed, shape)
    options = dict(OPTIONS.get(kind, {}))
    oriented = orientation is not None and kind in ("TIFF", "PNG")  # browsers turn no WebP
    if orientation is not None and kind in ("TIFF", "PNG", "WEBP"):
        options |= {"exif": b"Exif\0\0" + exif(orientation or 1)}
    several = frames > 1 and kind in ("TIFF", "PNG", "WEBP", "GIF")
    if several:
        options |= {"save_all": True, "append_images": [made(mode, seed + 7, shape)[0]]}
    file = saved(image, kind, **options)
    reason = (
        "2 frames or pages" if several else "mode [IF], of which it is not known what a viewer shows" if mode in ("I", "F")
        else "not opaque" if background is None and (alpha < 255).any() else None
    )  # fmt: skip
    if reason:
        with pytest.raises(PictureError, match=reason):
            decoding.read_image(file, background)
        return
    turn = TURNED[orientation or 1] if oriented else TURNED[1]
    expected = over(turn(shown), turn(alpha), background or (0, 0, 0))
    found = colours(decoding.read_image(file, background)).astype(float)
    assert found.shape == expected.shape
    assert abs(found - expected).max() <= (1.5 if mode == "YCbCr" else 1 if mode == "CMYK" else 0), case


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_photograph_is_turned_as_exif_says(orientation: int, mode: str) -> None:
    plain = Image.fromarray(noise(3, (6, 9) if mode == "L" else (6, 9, 3)).astype(np.uint8))
    stored = np.asarray(Image.open(io.BytesIO(saved(plain, "JPEG"))))
    turned = saved(plain, "JPEG", exif=b"Exif\0\0" + exif(orientation))
    np.testing.assert_array_equal(decoding.read_image(turned), TURNED[orientation](stored))


def test_the_first_picture_of_an_mpo_is_what_viewers_show() -> None:
    first, second = (Image.fromarray(noise(seed, (8, 8, 3)).astype(np.uint8)) for seed in (1, 2))
    file = saved(first, "MPO", save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(file)).n_frames == 2
    np.testing.assert_array_equal(decoding.read_image(file), np.asarray(Image.open(io.BytesIO(saved(first, "JPEG")))))


def tiff(values: Array, bits: int, photometric: int, sample_format: int = 1) -> bytes:
    """A little-endian TIFF of one grey strip of 16-bit words, or of 12-bit ones packed."""
    height, width = values.shape
    data = values.astype("<u2").tobytes()
    if bits == 12:
        planes = (values[..., None] >> np.arange(12)[::-1]) & 1
        data = b"".join(np.packbits(row.ravel()).tobytes() for row in planes.astype(np.uint8))
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8)]
    tags += [(277, 1), (278, height), (279, len(data)), (339, sample_format)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = 8 + len(data) + len(data) % 2
    return b"II*\0" + struct.pack("<I", start) + data + bytes(len(data) % 2) + directory + bytes(4)


@pytest.mark.parametrize(("bits", "photometric"), [(16, 1), (16, 0), (12, 1)])
def test_deep_tiff_files_are_scaled_by_their_bits(bits: int, photometric: int) -> None:
    values = noise(4, (5, 6), 2**bits - 1)
    shown = values if photometric else 2**bits - 1 - values
    np.testing.assert_array_equal(decoding.read_image(tiff(values, bits, photometric)), shown >> (bits - 8))


def test_16_bits_are_reduced_by_their_high_byte_at_every_level() -> None:
    levels = np.arange(65536).reshape(256, 256, 1)
    expected = np.array([int(level).to_bytes(2, "big")[0] for level in range(65536)]).reshape(256, 256)
    np.testing.assert_array_equal(decoding.read_image(png(levels, 16, GREY)), expected)
    found = decoding.read_image(png(np.repeat(levels, 3, 2), 16, RGB))
    np.testing.assert_array_equal(found, colours(expected))
    grey = b"P5 256 256 65535\n" + levels.astype(">u2").tobytes()
    np.testing.assert_array_equal(decoding.read_image(grey), expected)
    deep = Image.frombytes("I;16", (256, 256), levels.astype("<u2").tobytes())
    np.testing.assert_array_equal(decoding.decode_image(deep), expected)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16", "P"])
def test_an_embedded_profile_is_converted_to_srgb(gamma: float, mode: str) -> None:
    image, shown, alpha = made(mode, 5, (16, 16))
    grey = mode in ("L", "I;16")
    light = (shown / 255) ** gamma
    expected = encoded(light if grey else light @ WIDE @ TO_SRGB)
    file = saved(image, "PNG", icc_profile=icc(gamma, None if grey else WIDE))
    found = colours(decoding.read_image(file, (9, 99, 200))).astype(float)
    assert abs(found - over(expected, alpha, (9, 99, 200))).max() <= 2.5
    assert (found.astype(int) != over(shown, alpha, (9, 99, 200))).any()


def test_inks_have_the_colours_of_their_profile() -> None:
    """Chromium mixes the inks before it applies the profile; here the profile holds, as the ICC has it."""
    inks = noise(7, (16, 16, 4))
    lightness, a, b = np.moveaxis(lab_of(inks / 255) - [0, 128, 128], -1, 0)
    middle = (lightness / 2.55 + 16) / 116
    parts = np.stack([middle + a / 500, middle, middle - b / 200], -1)
    xyz = np.where(parts > 6 / 29, parts**3, 3 * (6 / 29) ** 2 * (parts - 4 / 29)) * D50
    linear = xyz @ TO_SRGB
    inside = ((linear > 0) & (linear < 1)).all(-1)
    assert inside.mean() > 0.8
    image = Image.frombytes("CMYK", (16, 16), inks.astype(np.uint8).tobytes())
    found = decoding.read_image(saved(image, "TIFF", icc_profile=ink_profile())).astype(float)
    assert abs(found - encoded(linear))[inside].max() <= 4


def test_a_profile_of_srgb_changes_no_byte() -> None:
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for image in (Image.fromarray(noise(6, shape).astype(np.uint8)) for shape in ((32, 32, 3), (32, 32))):
        np.testing.assert_array_equal(decoding.read_image(saved(image, "PNG", icc_profile=srgb)), np.asarray(image))


# --- what is refused ------------------------------------------------------------------------------------------------


def gamma(value: int, *more: bytes) -> bytes:
    return png(noise(8, (4, 4, 1)), 8, GREY, chunk(b"gAMA", struct.pack(">I", value)), *more)


PRIMARIES = {"srgb": (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000), "wide": (31270, 32900, 68000, 32000) * 2}
UNKNOWN = {
    "a gamma": gamma(100000),
    "primaries": gamma(45455, chunk(b"cHRM", struct.pack(">8I", *PRIMARIES["wide"]))),
    "a transparent level of 4 bits": png(noise(9, (4, 4, 1), 15), 4, GREY, chunk(b"tRNS", b"\0\3")),
    "a transparent colour of 16 bits": png(noise(9, (4, 4, 3), 65535), 16, RGB, chunk(b"tRNS", b"\0\3\0\3\0\3")),
    "signed levels": tiff(noise(9, (4, 4), 300), 16, 1, 2),
    "a picture of 14,000 x 14,000": png(np.zeros((1, 14000, 1), int), 1, GREY).replace(
        *[(s := struct.pack(">II", 14000, h)) and chunk(b"IHDR", s + b"\1\0\0\0\0") for h in (1, 14000)]
    ),
    "colours in LAB": saved(Image.new("LAB", (4, 4)), "TIFF"),
    "a GIF smaller than its canvas": saved(Image.new("P", (4, 4)), "GIF").replace(
        struct.pack("<HH", 4, 4), struct.pack("<HH", 6, 6), 1
    ),
    "nothing": b"",
    "text": b"no picture",
    "a drawing": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_is_not_known_is_refused_with_a_remedy(case: str) -> None:
    with pytest.raises(PictureError) as error:
        decoding.read_image(UNKNOWN[case])
    assert error.value.remedy
    assert len(error.value.problem) < 300


def test_the_gamma_and_the_primaries_of_srgb_pass() -> None:
    corners = chunk(b"cHRM", struct.pack(">8I", *PRIMARIES["srgb"]))
    for file in (gamma(45455), gamma(45455, corners), gamma(100000, chunk(b"sRGB", b"\0"))):
        np.testing.assert_array_equal(decoding.read_image(file), noise(8, (4, 4)))


def every_kind() -> dict[str, bytes]:
    image = Image.fromarray(noise(10, (24, 24, 3)).astype(np.uint8))
    kinds = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "PPM", "WEBP", "JPEG2000")
    files = {kind: saved(image, kind, **OPTIONS.get(kind, {})) for kind in kinds}
    return files | {"packed TIFF": saved(image, "TIFF", compression="tiff_lzw"), "PNG with profile": saved(
        image, "PNG", icc_profile=icc(1.8, WIDE), exif=b"Exif\0\0" + exif(6))}  # fmt: skip


FILES = every_kind()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")  # it remarks on tags before it refuses the file
@settings(max_examples=400)
@given(kind=st.sampled_from(sorted(FILES)), place=st.floats(0, 1, exclude_max=True), change=st.integers(0, 255))
def test_a_changed_or_missing_byte_never_ends_in_a_raw_exception(kind: str, place: float, change: int) -> None:
    """Change 0 cuts the file there. Of the kinds only PNG has checksums; there no other pixel is let through, either."""
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    file, index = FILES[kind], int(place * len(FILES[kind]))
    broken = file[:index] + bytes([file[index] ^ change]) + file[index + 1 :] if change else file[:index]
    try:
        found = decoding.read_image(broken, (0, 0, 0))
    except PictureError:
        return
    if kind.startswith("PNG"):
        np.testing.assert_array_equal(found, decoding.read_image(file, (0, 0, 0)))


def test_memory_that_is_gone_and_the_persons_stop_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (MemoryError, KeyboardInterrupt):

        def fail(*_: object, error: type[BaseException] = error) -> None:
            raise error

        monkeypatch.setattr(decoding, "decode_image", fail)
        with pytest.raises(error):
            decoding.read_image(FILES["JPEG"])


# --- what Pillow passes over ------------------------------------------------------------------------------------------


def of_rows(rows: int) -> bytes:
    """A PNG of 4 rows whose data, with right checksums, hold only some of them."""
    data = zlib.compress((b"\0" + bytes([200] * 18)) * rows)
    header = struct.pack(">IIBBBBB", 6, 4, 8, RGB, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def planar(kept: int) -> bytes:
    """A TIFF of three planes of 16 bits; `kept` of its strips are listed."""
    data, places = np.full((3, 4, 4), 1000, "<u2").tobytes(), [8 + 32 * plane for plane in range(kept)]
    tags = [(256, 4), (257, 4), (258, 16), (259, 1), (262, 2), (277, 3), (278, 4), (284, 2)]
    start = 8 + len(data)
    entries = [struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags]
    entries.insert(5, struct.pack("<HHII", 273, 4, kept, start))
    entries.insert(8, struct.pack("<HHII", 279, 4, kept, start + 4 * kept))
    lists = struct.pack(f"<{2 * kept}I", *places, *[32] * kept)
    table = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", start + len(lists)) + data + lists + table


def with_space(primaries: int, transfer: int) -> bytes:
    """An AVIF whose colours are said to be of another space."""
    content = saved(made("RGB", 3, (16, 16))[0], "AVIF", quality=100)
    start = content.index(b"nclx") + 4
    return content[:start] + struct.pack(">HH", primaries, transfer) + content[start + 4 :]


SIMPLE = noise(1, (4, 6, 3))
BROKEN_PROFILE = chunk(b"gAMA", struct.pack(">I", 100000)), chunk(b"iCCP", b"x\0\0garbage")
PASSED_OVER = {
    "rows missing": (of_rows(2), "ends before its last row"),
    "planes of 16 bits": (planar(3), "keeps its colours in planes of 16 bits"),
    "cICP of Display P3": (png(SIMPLE, 8, RGB, chunk(b"cICP", bytes([12, 13, 0, 1]))), "another space than sRGB"),
    "AVIF of BT.2020": (with_space(9, 16), "another space than sRGB"),
    "gamma behind a broken profile": (png(SIMPLE, 8, RGB, *BROKEN_PROFILE), "has the gamma 1 "),
    "no picture": (b"garbage", "is no picture of a kind that can be read here"),
}


@pytest.mark.parametrize("case", PASSED_OVER)
def test_what_pillow_passes_over_is_refused(case: str) -> None:
    content, problem = PASSED_OVER[case]
    with pytest.raises(PictureError, match=problem):
        decoding.read_image(content)


@pytest.mark.parametrize(
    "case", [of_rows(4), png(SIMPLE, 8, RGB, chunk(b"cICP", bytes([1, 13, 0, 1]))), with_space(1, 13)]
)
def test_what_is_as_it_should_be_passes(case: bytes) -> None:
    decoding.read_image(case)


# --- Chromium -------------------------------------------------------------------------------------------------------

PAGE = """<body>%s<script>window.onload = () => { const shown = {}; for (const image of document.images) {
const canvas = document.createElement('canvas'); canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
const pen = canvas.getContext('2d'); pen.fillStyle = 'rgb(9, 99, 200)'; pen.fillRect(0, 0, canvas.width, canvas.height);
pen.drawImage(image, 0, 0); const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
shown[image.alt] = [canvas.height, canvas.width, [...data]]; }
document.body.innerText = '@' + '@' + JSON.stringify(shown) + '@' + '@'; }</script></body>"""


def for_viewer() -> dict[str, tuple[str, bytes]]:
    """Files of every kind that a browser shows, by name, with their media type."""
    photo = Image.fromarray(np.kron(noise(11, (3, 4, 3)), np.ones((8, 8, 1), int)).astype(np.uint8))
    files = {f"jpeg {turn}": ("jpeg", saved(photo, "JPEG", exif=b"Exif\0\0" + exif(turn))) for turn in TURNED}
    inks = Image.frombytes("CMYK", (32, 24), np.kron(noise(15, (3, 4, 4)), np.ones((8, 8, 1), int)).astype(np.uint8))
    files["cmyk"] = ("jpeg", saved(inks, "JPEG", quality=100))
    for kind, depths in DEPTHS.items():
        for depth in depths:
            palette = [chunk(b"PLTE", noise(1, (2**depth, 3)).astype(np.uint8).tobytes())] if kind == PALETTE else []
            values = noise(12, (7, 9, SAMPLES[kind]), 2**depth - 1)
            files[f"png {kind} {depth}"] = ("png", png(values, depth, kind, *palette))
    for gamma_, corners in ((1.0, WIDE), (2.2, WIDE), (1.8, None)):
        image = made("L" if corners is None else "RGB", 13, (9, 7))[0]
        files[f"profile {gamma_}"] = ("png", saved(image, "PNG", icc_profile=icc(gamma_, corners)))
    files["grey, profile of colours"] = ("png", saved(made("L", 13, (9, 7))[0], "PNG", icc_profile=icc(1.0, WIDE)))
    files["colours, profile of greys"] = ("png", saved(made("RGB", 13, (9, 7))[0], "PNG", icc_profile=icc(1.0, None)))
    files["grey photograph, profile"] = ("jpeg", saved(photo.convert("L"), "JPEG", icc_profile=icc(1.0, WIDE)))
    files["cmyk, profile of colours"] = ("jpeg", saved(inks, "JPEG", quality=100, icc_profile=icc(1.0, WIDE)))
    transparent = made("RGBA", 14, (9, 7))[0]
    files["webp"] = ("webp", saved(transparent, "WEBP", **OPTIONS["WEBP"]))
    files["webp, exif"] = ("webp", saved(transparent, "WEBP", exif=b"Exif\0\0" + exif(6), **OPTIONS["WEBP"]))
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    files["jpeg, xmp"] = ("jpeg", saved(photo, "JPEG", xmp=xmp))
    files["png, exif"] = ("png", png(noise(12, (7, 9, 3)), 8, RGB, chunk(b"eXIf", exif(6))))
    files["avif, exif"] = ("avif", saved(photo, "AVIF", quality=100, subsampling="4:4:4", exif=exif(6)))
    files["gif"] = ("gif", saved(made("P", 14, (9, 7))[0], "GIF", transparency=3))
    files["mpo"] = ("jpeg", saved(photo, "MPO", save_all=True, append_images=[photo.rotate(180)]))
    return files


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here to show the pictures")
def test_chromium_shows_the_same(tmp_path: Path) -> None:
    files = for_viewer()
    sources = [
        f"<img alt='{name}' src='data:image/{kind};base64,{base64.b64encode(file).decode()}'>"
        for name, (kind, file) in files.items()
    ]
    (tmp_path / "page.html").write_text(PAGE % "".join(sources))
    command = [
        str(BROWSER),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--virtual-time-budget=15000",
    ]
    command += [
        "--force-color-profile=srgb",
        f"--user-data-dir={tmp_path}",
        "--dump-dom",
        (tmp_path / "page.html").as_uri(),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    told = re.search("@@(.*)@@", dom, re.DOTALL)
    assert told
    shown = json.loads(html.unescape(told[1]))
    assert sorted(shown) == sorted(files)
    for name, (height, width, data) in shown.items():
        expected = np.reshape(data, (height, width, 4))[..., :3]
        found = colours(decoding.read_image(files[name][1], (9, 99, 200))).astype(int)
        assert found.shape == expected.shape, name
        assert abs(found - expected).max() <= (4 if "profile" in name else 2), name
