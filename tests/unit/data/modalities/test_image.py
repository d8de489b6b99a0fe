"""Images as arrays: colour modes, orientation, and what is refused, with its place."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.items import Item, item_of_bytes
from harness.data.modalities import MODALITIES, Decoded

Image = pytest.importorskip("PIL.Image", reason="images need Pillow")
IMAGE = MODALITIES.get("image")
PLACE = "photos/cat.png"
NOISE = np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)


def item(content: bytes) -> Item:
    return item_of_bytes(content, "cat.png", PLACE)


def file_of(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixel(image: Any, kind: str = "PNG", **options: Any) -> list[int]:
    """The upper left pixel of what is decoded."""
    return IMAGE.decode(item(file_of(image, kind, **options))).values[0, 0].tolist()


def refusal(content: bytes, place: str = PLACE) -> str:
    with pytest.raises(HarnessError) as caught:
        IMAGE.decode(item_of_bytes(content, "x", place))
    message = str(caught.value)
    assert message.startswith(f"{place}: ") and "\n" not in message
    return message


def test_an_image_is_rgb_as_it_was_saved():
    decoded = IMAGE.decode(item(file_of(Image.fromarray(NOISE))))
    assert np.array_equal(decoded.values, NOISE) and decoded.values.dtype == np.uint8
    assert decoded.rate == 0 and IMAGE.amount(decoded) == 1


def test_every_colour_mode_becomes_rgb_on_white():
    assert pixel(Image.new("L", (2, 2), 40)) == [40, 40, 40]
    assert pixel(Image.new("1", (2, 2), 1)) == [255, 255, 255]
    assert pixel(Image.new("RGBA", (2, 2), (255, 0, 0, 0))) == [255, 255, 255]
    assert pixel(Image.new("LA", (2, 2), (0, 128))) == [127, 127, 127]
    assert pixel(Image.new("I;16", (2, 2), 65535)) == [255, 255, 255]
    assert pixel(Image.new("I;16", (2, 2), 257)) == [1, 1, 1]
    assert pixel(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF") == [255, 0, 0]
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([0, 0, 0, 9, 8, 7])
    assert pixel(palette) == [9, 8, 7]
    assert pixel(palette, transparency=1) == [255, 255, 255]
    assert "floating-point" in refusal(file_of(Image.new("F", (2, 2), 0.5), "TIFF"))


def test_an_image_stands_as_its_exif_orientation_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    turned = IMAGE.decode(item(file_of(Image.fromarray(NOISE), exif=exif)))
    assert np.array_equal(turned.values, np.rot90(NOISE, -1))


def test_what_is_no_image_is_told_by_what_it_is():
    assert "is empty" in refusal(b"")
    assert "but text" in refusal(b"ceci n'est pas une image")
    assert "SVG" in refusal(b"\n<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert "a web page" in refusal(b"<!DOCTYPE html><html>404</html>")
    assert "git lfs pull" in refusal(b"version https://git-lfs.github.com/spec/v1\noid sha256:12\n")
    assert "a sound" in refusal(b"fLaC\x00\x00\x00\x22")
    assert "not an image that is read" in refusal(b"\x80\xff\x00\x91" * 50)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_cut_image_is_refused_wherever_it_is_cut(kind: str):
    content = file_of(Image.fromarray(NOISE), kind)
    for size in {1, 9, len(content) // 3, len(content) * 2 // 3, len(content) - 20}:
        refusal(content[:size])


def test_a_changed_byte_of_a_png_is_found_by_its_checksum():
    content = bytearray(file_of(Image.fromarray(NOISE)))
    content[content.index(b"IDAT") + 8] ^= 1
    assert "damaged" in refusal(bytes(content))


def test_cut_images_are_refused_where_another_library_lets_them_pass(monkeypatch: pytest.MonkeyPatch):
    from PIL import ImageFile

    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    refusal(file_of(Image.fromarray(NOISE), "JPEG")[:-80])
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_a_video_and_no_image(kind: str):
    frames = [Image.fromarray(NOISE), Image.fromarray(255 - NOISE), Image.fromarray(NOISE)]
    content = file_of(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, lossless=True)
    assert "3 frames: a video, not an image" in refusal(content)
    decoded = MODALITIES.get("video").decode(item(content))
    assert decoded.values.shape == (3, 12, 9, 3) and decoded.rate == pytest.approx(20)
    assert MODALITIES.get("video").amount(decoded) == 3
    if kind != "GIF":
        assert np.array_equal(decoded.values[1], 255 - NOISE)


def test_pages_are_no_image_and_no_video():
    pages = [Image.fromarray(NOISE)] * 2
    content = file_of(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert "2 pages" in refusal(content)
    with pytest.raises(HarnessError, match=r"photos/cat.png: the pages"):
        MODALITIES.get("video").decode(item(content))


def _png(width: int, height: int) -> bytes:
    """A small file that says it is large."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_pixels_before_it_is_decoded():
    assert "10000 x 9000 is 90000000 pixels" in refusal(_png(10_000, 9_000))
    assert "refused before it is decoded" in refusal(_png(100_000, 100_000))


def test_an_augmented_image_keeps_its_size_sides_and_nearly_its_colours():
    gradient = np.repeat(np.arange(100, dtype=np.uint8)[None, :, None], 60, axis=0).repeat(3, axis=2)
    changed = IMAGE.augment(Decoded(gradient), np.random.default_rng(3)).values
    assert changed.shape == gradient.shape and changed.dtype == np.uint8
    assert not np.array_equal(changed, gradient)
    assert changed[:, :20].mean() < changed[:, -20:].mean()  # not mirrored
    again = IMAGE.augment(Decoded(gradient), np.random.default_rng(3)).values
    assert np.array_equal(changed, again)


def test_a_thumbnail_is_a_small_png_in_a_data_uri():
    shown = IMAGE.show(item(file_of(Image.new("CMYK", (640, 320)), "JPEG")))
    assert (shown.kind, shown.label) == ("img", "cat.png")
    head, _, body = shown.uri.partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(body))).size == (160, 80)


def test_a_video_is_shown_as_a_small_moving_picture():
    frames = [Image.new("RGB", (400, 200), (shade, 0, 0)) for shade in range(0, 250, 10)]
    content = file_of(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=40, lossless=True)
    shown = MODALITIES.get("video").show(item(content))
    image = Image.open(io.BytesIO(base64.b64decode(shown.uri.partition(",")[2])))
    assert shown.kind == "img" and image.size == (96, 48) and image.n_frames == 12
