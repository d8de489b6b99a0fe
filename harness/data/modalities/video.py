"""Videos: animated GIF, WebP, PNG and AVIF files, as frames."""

from __future__ import annotations

import io

import numpy as np

from harness.core.errors import HarnessError
from harness.core.items import Item
from harness.data.modalities.base import Decoded, Modality, Shown
from harness.data.modalities.image import MODALITY as IMAGE
from harness.data.modalities.pictures import MOST_PIXELS, data_uri, frames_in, opened, rgb

THUMBNAIL, SHOWN_FRAMES = 96, 12

STILL = 100
"""Milliseconds that a frame lasts which does not say."""


class VideoModality(Modality):
    """Moving pictures without sound."""

    name = "video"
    endings = (".gif", ".webp", ".apng", ".png", ".avif")
    unit = "frames"
    read_by = "image"
    in_frames = True
    package = "PIL"
    extra = "image"

    def decode(self, item: Item) -> Decoded:
        """All frames, each complete; a picture that does not move is a video of one frame."""
        with opened(item) as image:
            if image.format == "TIFF":
                raise HarnessError(f"{item.place}: the pages of a TIFF file are no video; save it as GIF or WebP")
            count = frames_in(image)
            if (pixels := count * image.width * image.height) > MOST_PIXELS:
                raise HarnessError(
                    f"{item.place}: {count} frames of {image.width} x {image.height} are {pixels} pixels, more than "
                    f"the {MOST_PIXELS} that are decoded: make it shorter or smaller"
                )
            frames, lasting = [], 0.0
            for number in range(count):
                image.seek(number)
                frames.append(rgb(image, item.place))
                lasting += float(image.info.get("duration") or STILL)
            return Decoded(np.stack(frames), 1000 * count / lasting)

    def amount(self, decoded: Decoded) -> float:
        return float(len(decoded.values))

    def augment(self, decoded: Decoded, random: np.random.Generator) -> Decoded:
        """All frames moved and lit alike, as an image is."""
        seed = int(random.integers(2**31))
        frames = [IMAGE.augment(Decoded(frame), np.random.default_rng(seed)).values for frame in decoded.values]
        return Decoded(np.stack(frames), decoded.rate)

    def show(self, item: Item) -> Shown:
        """Some of its frames, small, as a moving picture."""
        decoded = self.decode(item)
        from PIL import Image

        count = len(decoded.values)
        chosen = np.unique(np.linspace(0, count - 1, min(count, SHOWN_FRAMES)).round().astype(int))
        images = [Image.fromarray(decoded.values[index]) for index in chosen]
        for image in images:
            image.thumbnail((THUMBNAIL, THUMBNAIL))
        lasting = int(1000 * count / decoded.rate / len(images))
        buffer = io.BytesIO()
        images[0].save(buffer, "WEBP", save_all=True, append_images=images[1:], duration=lasting, loop=0)
        return Shown("img", data_uri("image/webp", buffer.getvalue()), item.label)


MODALITY = VideoModality()
