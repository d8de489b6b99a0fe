"""Images: files that Pillow opens, as RGB."""

from __future__ import annotations

import io

import numpy as np

from harness.core.errors import HarnessError
from harness.core.items import Item
from harness.data.modalities.base import Decoded, Modality, Shown
from harness.data.modalities.pictures import data_uri, frames_in, opened, rgb

THUMBNAIL = 160
"""Pixels of the longer side on a page."""

SHIFT = 0.08
"""How far an image is moved at most, as a part of its sides."""

LIGHT = 0.15
"""How much lighter or darker it becomes at most."""


class ImageModality(Modality):
    """Pictures of any size."""

    name = "image"
    endings = (
        ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".avif", ".jp2",
        ".ico", ".tga",
    )  # fmt: skip
    unit = "images"
    package = "PIL"
    extra = "image"

    def decode(self, item: Item) -> Decoded:
        """The image as RGB, upright, on white where it is transparent; see `pictures.rgb`."""
        with opened(item) as image:
            if (frames := frames_in(image)) > 1:
                what = "pages; keep one" if image.format == "TIFF" else "frames: a video, not an image"
                raise HarnessError(f"{item.place}: it has {frames} {what}")
            return Decoded(rgb(image, item.place))

    def amount(self, decoded: Decoded) -> float:
        return 1.0

    def augment(self, decoded: Decoded, random: np.random.Generator) -> Decoded:
        """Moved a little, its border repeated, and a little lighter or darker. It is not mirrored, turned or dyed:
        captions speak of left and right and of colours.
        """
        height, width = decoded.values.shape[:2]
        down, right = (int(random.integers(-int(SHIFT * size), int(SHIFT * size) + 1)) for size in (height, width))
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        moved = decoded.values[rows[:, None], columns[None, :]].astype(np.float32)
        lit = moved * float(random.uniform(1 - LIGHT, 1 + LIGHT))
        return Decoded(np.clip(lit + 0.5, 0, 255).astype(np.uint8))

    def show(self, item: Item) -> Shown:
        """A thumbnail; what is smaller stays as it is."""
        values = self.decode(item).values
        from PIL import Image

        image = Image.fromarray(values)
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=True)
        return Shown("img", data_uri("image/png", buffer.getvalue()), item.label)


MODALITY = ImageModality()
