"""Files of pictures through Pillow: what opens them, what is refused, and how their pixels become RGB."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.items import Item
from harness.core.packages import require_packages
from harness.core.text import clipped

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO", "TGA")
"""Pillow's names of what is opened. Left out is what starts another program, such as EPS."""

MOST_PIXELS = 89_478_485
"""Of all frames: a file of kilobytes may hold gigabytes. Pillow warns beyond so many in one."""

OTHER_KINDS: dict[bytes, str] = {
    b"<svg": "an SVG drawing, which has no pixels; save it as PNG",
    b"<?xml": "XML, perhaps an SVG drawing, which has no pixels; save it as PNG",
    b"<!doctype": "a web page; its download may have failed",
    b"<html": "a web page; its download may have failed",
    b"version https://git-lfs": "a pointer of Git LFS; get the file itself with git lfs pull",
    b"%pdf": "a PDF; save its pages as PNG",
    b"%!ps": "PostScript, which is not read; save it as PNG",
    b"riff": "a sound or a video",
    b"id3": "a sound",
    b"flac": "a sound",
    b"oggs": "a sound",
    b"pk\x03\x04": "an archive; unpack it",
    b"\x1f\x8b": "an archive; unpack it",
}
"""What else is found under an image's name, by how it begins, lower case."""


@contextmanager
def opened(item: Item) -> Iterator[Image.Image]:
    """The picture of an item, its size checked, not a pixel decoded yet. What Pillow says of it becomes a
    `HarnessError`, also while the caller reads it.
    """
    require_packages("PIL", extra="image")
    from PIL import Image, ImageFile

    content = item.content()
    if not content:
        raise HarnessError(f"{item.place}: the file is empty")
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]
    lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=formats) as image:
                _check_size(image, item)
                image.verify()
            with Image.open(io.BytesIO(content), formats=formats) as image:
                yield image
    except (HarnessError, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        raise HarnessError(f"{item.place}: {_instead(content)}") from None
    except Image.DecompressionBombError as error:
        raise HarnessError(f"{item.place}: refused before it is decoded: {_line(error)}") from None
    except Exception as error:  # a damaged file makes Pillow's decoders raise anything
        raise HarnessError(f"{item.place}: the image is damaged or cut off ({_line(error)})") from None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def _check_size(image: Image.Image, item: Item) -> None:
    if (pixels := image.width * image.height) > MOST_PIXELS:
        raise HarnessError(
            f"{item.place}: {image.width} x {image.height} is {pixels} pixels, more than the {MOST_PIXELS} that are "
            "decoded: make it smaller"
        )


def _line(error: BaseException) -> str:
    return clipped(" ".join(str(error).split()), 160) or type(error).__name__


def _instead(content: bytes) -> str:
    beginning = content[:400].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for mark, kind in OTHER_KINDS.items():
        if beginning.startswith(mark):
            return f"no image, but {kind}"
    if content[4:8] == b"ftyp":
        return "no image that is read, but HEIC or a video; save it as JPEG or PNG"
    try:
        content[:400].decode()
    except UnicodeDecodeError:
        return f"not an image that is read, or its beginning is damaged; it takes {', '.join(FORMATS)}"
    return "no image, but text"


def frames_in(image: Image.Image) -> int:
    """How many frames a file has that is shown as a moving picture, or how many pages; 1 where it is one picture.

    A camera's further views of one scene (MPO) and an icon's further sizes are no frames.
    """
    return int(getattr(image, "n_frames", 1)) if image.format in ("GIF", "WEBP", "PNG", "AVIF", "TIFF") else 1


def rgb(image: Image.Image, place: str) -> np.ndarray:
    """The pixels (h, w, 3) uint8: upright by its EXIF orientation, what is transparent on white, 16 bits scaled to 8.

    Raises:
        HarnessError: what its numbers mean is not known.
    """
    import numpy as np
    from PIL import Image, ImageOps

    image.load()
    upright: Any = ImageOps.exif_transpose(image)
    mode = upright.mode
    if mode == "F":
        raise HarnessError(f"{place}: its pixels are floating-point numbers; save it with 8 bits a colour")
    if mode.startswith("I"):
        return _of_sixteen_bits(np.asarray(upright), place)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        ground.alpha_composite(layer)
        upright = ground
    return np.array(upright.convert("RGB"), dtype=np.uint8)


def _of_sixteen_bits(values: np.ndarray, place: str) -> np.ndarray:
    import numpy as np

    if values.min() < 0 or values.max() > 65535:
        raise HarnessError(f"{place}: its pixels have 32 bits; save it with 8 or 16")
    grey = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def data_uri(kind: str, content: bytes) -> str:
    """Bytes as a part of a page; `kind` is their media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
