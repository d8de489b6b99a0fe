"""Whatever bytes stand under the name of an image or a sound, they become an array or one line."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.items import Item, item_of_bytes
from harness.data.modalities import MODALITIES, Decoded

Image = pytest.importorskip("PIL.Image", reason="images need Pillow")
soundfile = pytest.importorskip("soundfile", reason="sounds need soundfile")
RANDOM = np.random.default_rng(5)


def image(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RANDOM.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def sound(kind: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, RANDOM.uniform(-1, 1, 600).astype(np.float32), 16_000, format=kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "ICO", "WAV", "FLAC", "OGG", "AIFF"])
def test_changed_bytes_make_no_other_end(kind: str):
    modality = "audio" if kind in ("WAV", "FLAC", "OGG", "AIFF") else "image"
    content = (sound if modality == "audio" else image)(kind)
    decode = MODALITIES.get(modality).decode
    for _ in range(60):
        changed = bytearray(content)
        for place in RANDOM.integers(len(changed), size=int(RANDOM.integers(1, 6))):
            changed[min(int(place), int(RANDOM.integers(len(changed))))] = int(RANDOM.integers(256))
        message = outcome(decode, bytes(changed))
        assert message.startswith("here/x: ") and "\n" not in message and len(message) < 400


def outcome(decode: Callable[[Item], Decoded], content: bytes) -> str:
    """What is said of an item, or that it was decoded."""
    try:
        values = decode(item_of_bytes(content, "x", "here/x")).values
    except HarnessError as error:
        return str(error)
    assert values.size and np.isfinite(values).all()
    return "here/x: decoded"
