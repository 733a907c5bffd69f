r"""Decodes a picture file to the bytes that a viewer shows, or refuses it with the reason.

    frames         one; of an MPO the first, since the others are previews, depth maps or further views
    orientation    as in browsers: by EXIF in JPEG, PNG and AVIF, by the tag of TIFF, not by XMP, nor by EXIF in WebP
    depth          8 bits; of 16 bits the high byte, as in browsers; other ranges are refused
    colours        sRGB; an embedded ICC profile is converted to it (relative colorimetric), CMYK without one by (1 - c)(1 - k);
                   a PNG of another gamma or of other primaries without a profile is refused
    transparency   alpha c + (1 - alpha) background; without a background the picture must be opaque

Checked against Chromium in `tests/underpainting/images/test_pictures.py`.
"""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from underpainting.images.file_checks import PictureError, orientation, require_supported
from underpainting.io.messages import describe_error

Bytes = NDArray[np.uint8]
Colour = tuple[int, int, int]

GREY = ("1", "L", "LA", "La")
COLOURED = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")
SHALLOW = "save it in grey or RGB with 8 or 16 bits, or the images in an npz file with dataset.value_range"
SRGB_GAMMA, SRGB_CORNERS = 1 / 2.2, (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SAME_COLOUR = 2  # levels of 255: sRGB profiles of different vendors differ by as much
PHOTOMETRIC, BITS_PER_SAMPLE, SAMPLE_FORMAT = 262, 258, 339  # tags of TIFF
UNSIGNED, WHITE_IS_ZERO = 1, 0


def read_image(source: Path | bytes, background: Colour | None = None) -> Bytes:
    """Read the pixels of an image file, shape (height, width) if it is grey, else (height, width, 3).

    Args:
        source: a file, or its content.
        background: colour behind transparent pixels.

    Raises:
        PictureError: the file is damaged, or it is unknown how a viewer shows it.
    """
    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            _require_one_frame(picture)
            require_supported(content, picture)
            if picture.format != "PNG":
                return decode_image(picture, background)
            picture.verify()  # compares checksums, which decoding ignores; the picture cannot be used afterwards
        with Image.open(io.BytesIO(content)) as picture:
            return decode_image(picture, background)
    except (PictureError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise PictureError(
            "is no picture of a kind that can be read here, or it is damaged", "save it as PNG"
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"is too large ({describe_error(error)})", "scale it down") from error
    except Exception as error:  # decoders raise errors of many kinds; all mean that the file cannot be read
        raise PictureError(f"is corrupt ({describe_error(error)})", "repair or remove that file") from error


def decode_image(picture: Image.Image, background: Colour | None = None) -> Bytes:
    """Decode an opened image as `read_image` does, without the checks of `require_supported`."""
    _require_one_frame(picture)
    _require_srgb(picture)
    bits, inverted, key = _bits(picture), _inverted(picture), _transparent_level(picture)
    if (turn := TURNS.get(orientation(picture))) is not None:
        picture = picture.transpose(turn)
    profile = picture.info.get("icc_profile") or b""
    if picture.mode == "CMYK" and _transform(profile, "CMYK") is None:
        profile = b""
    plain, alpha = _reduced(picture, bits, inverted, key) if bits > 8 else _split(picture, profile)
    colours = _in_srgb(plain, profile)
    return colours if alpha is None or (alpha == 255).all() else _composed(colours, alpha, background)


def _require_one_frame(picture: Image.Image) -> None:
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":
        raise PictureError(f"has {frames} frames or pages", "save the one to use, or each, as a file of its own")
    if picture.format == "GIF" and picture.tile[0][1] != (0, 0, *picture.size):  # type: ignore[attr-defined]
        raise PictureError("fills only a part of its canvas", "save it as PNG, with what is to lie around it")


def _bits(picture: Image.Image) -> int:
    """Return the bits of a grey level: 9 to 16, or 8 where Pillow has scaled to bytes."""
    if picture.mode in GREY + COLOURED:
        return 8
    bits = 16 if picture.mode.startswith("I;16") or (picture.format, picture.mode) == ("PPM", "I") else 0
    if picture.format == "TIFF":
        tags: Any = picture.tag_v2  # type: ignore[attr-defined]
        bits = tags[BITS_PER_SAMPLE][0] if tags.get(SAMPLE_FORMAT, (UNSIGNED,))[0] == UNSIGNED else 0
    if not 8 < bits <= 16:
        raise PictureError(
            f"has values of the mode {picture.mode}, of which it is not known what a viewer shows", SHALLOW
        )
    return bits


def _inverted(picture: Image.Image) -> bool:
    """Return whether 0 is white in a TIFF; Pillow inverts such levels only if they have 8 bits."""
    return picture.format == "TIFF" and picture.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO  # type: ignore[attr-defined]


def _transparent_level(picture: Image.Image) -> int:
    """Return the transparent one of 16-bit grey levels; -1 if there is none.

    Raises:
        PictureError: a transparent colour is given in other units than those of Pillow's pixels.
    """
    raw = picture.tile[0][3] if picture.format == "PNG" else ""  # type: ignore[attr-defined]
    if raw in ("L;2", "L;4", "RGB;16B") and "transparency" in picture.info:
        problem = "makes a colour transparent that is not one of 8 bits"
        raise PictureError(problem, "save it with an alpha channel, or with 8 bits per channel")
    return int(picture.info.get("transparency", -1)) if picture.mode.startswith("I") else -1


def _require_srgb(picture: Image.Image) -> None:
    """Check that a PNG has the gamma and primaries of sRGB; Pillow does not apply others given as numbers."""
    info = picture.info
    if "gamma" not in info or "srgb" in info or info.get("icc_profile"):
        return
    corners = info.get("chromaticity", SRGB_CORNERS)
    if abs(info["gamma"] / SRGB_GAMMA - 1) > 0.05 or not np.allclose(corners, SRGB_CORNERS, atol=0.01):
        raise PictureError(f"has the gamma {info['gamma']:.5g} or primaries other than sRGB's", "convert it to sRGB")


def _reduced(picture: Image.Image, bits: int, inverted: bool, key: int) -> tuple[Image.Image, Bytes]:
    """Reduce a grey picture of more than 8 bits to its highest 8; return it with its alpha."""
    levels = np.asarray(picture).astype(np.int64)
    alpha = np.where(levels == key, 0, 255).astype(np.uint8)
    levels = 2**bits - 1 - levels if inverted else levels
    return Image.fromarray((levels >> (bits - 8)).astype(np.uint8)), alpha


def _split(picture: Image.Image, profile: bytes) -> tuple[Image.Image, Bytes | None]:
    """Separate a picture of 8 bits into grey, RGB or, if it has a profile, CMYK, and its alpha, if any."""
    mode, alpha = "L" if picture.mode in GREY else "RGB", None
    if picture.has_transparency_data:
        picture = picture.convert("LA" if mode == "L" else "RGBA")
        alpha = np.asarray(picture.getchannel("A"))
    return picture if picture.mode == "CMYK" and profile else picture.convert(mode), alpha


def _in_srgb(picture: Image.Image, profile: bytes) -> Bytes:
    """Convert pixels to sRGB by the embedded profile; a grey picture may have an RGB profile."""
    for mode in (picture.mode, "RGB") if picture.mode == "L" else (picture.mode,):
        if (transform := _transform(profile, mode)) is not None:
            shown = np.asarray(transform.apply(picture.convert(mode)))
            return np.ascontiguousarray(shown[..., 0]) if mode == "L" else shown
    return np.asarray(picture)


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> Any:
    """Build the transform from a profile to sRGB; None if it changes no colour, or the profile is for another mode."""
    if not profile:
        return None
    from PIL import ImageCms

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if source.profile.xcolor_space.strip() != {"L": "GRAY"}.get(mode, mode):
        return None
    # the optimized table of 33 greys loses dark ones
    flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
    target, intent = ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC
    transform = ImageCms.buildTransform(source, target, mode, "RGB", intent, flags)
    if mode == "CMYK":
        return transform
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    probe = np.stack(np.meshgrid(*[steps] * 3), -1).reshape(1, -1, 3) if mode == "RGB" else steps[None]
    shown = np.asarray(transform.apply(Image.fromarray(probe))).astype(int)
    moved = abs(shown - (probe if mode == "RGB" else probe[..., None])).max()
    return transform if moved > SAME_COLOUR else None


def _composed(colours: Bytes, alpha: Bytes, background: Colour | None) -> Bytes:
    """Compose colours over a background, rounded; grey over grey stays grey."""
    if background is None:
        problem = f"is not opaque: {np.mean(alpha < 255):.1%} of its pixels let something through"
        remedy = "set dataset.background to what lies behind them: a grey level, or red, green and blue"
        raise PictureError(problem, remedy, "background")
    if colours.ndim == 2 and len(set(background)) > 1:
        colours = np.repeat(colours[..., None], 3, 2)
    below, share = np.array(background, np.int64), alpha.astype(np.int64)
    if colours.ndim == 2:
        below = below[0]
    else:
        share = share[..., None]
    return ((colours * share + below * (255 - share) + 127) // 255).astype(np.uint8)
