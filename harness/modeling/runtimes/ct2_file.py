"""The weights of a CTranslate2 model as they lie in its file: read to be counted, without loading them."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import numpy as np

FILE = "model.bin"
"""CTranslate2's own format, no pickle: names, shapes, types and numbers."""
TYPES = ("F32", "I8", "I16", "I32", "F16", "BF16")
"""As safetensors calls them, in the order of CTranslate2's numbers."""
WIDTHS = (4, 1, 2, 4, 2, 2)
BESIDE = ("_scale", "_zero", "bias_compensation", "_compensation")
"""How the names end of what stands beside quantized weights."""
VERSION = 6


def variables(file: Path) -> Iterator[tuple[str, tuple[int, ...], str, np.ndarray]]:
    """The name, the shape, the type and the bytes (n,) of each variable, mapped and not loaded; those that stand for
    another are left out.

    Raises:
        HarnessError: a damaged file.
    """
    import numpy as np

    try:
        size = file.stat().st_size
        with file.open("rb") as source:
            (version,) = _numbers(source, "<I")
            if version > VERSION:
                raise ValueError("a newer version")
            _text(source)
            (_, count) = _numbers(source, "<II")
            for _ in range(count):
                name = _text(source)
                shape = _numbers(source, f"<{_numbers(source, '<B')[0]}I")
                kind, wide = _numbers(source, "<BI")
                start = source.tell()
                if kind >= len(TYPES) or wide != WIDTHS[kind] * math.prod(shape) or start + wide > size:
                    raise ValueError(name)
                data = np.memmap(file, mode="r", offset=start, shape=(wide,)) if wide else np.empty(0, "u1")
                yield name, shape, TYPES[kind], data
                source.seek(start + wide)
    except (OSError, ValueError, struct.error):
        raise HarnessError(f"{file} is damaged: not a whole CTranslate2 model") from None


def weights(file: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """The name, the type and the bytes of each variable that is a weight: no scale, and no setting of one number."""
    for name, shape, kind, data in variables(file):
        if shape and not name.endswith(BESIDE):
            yield name, kind, data


def products(file: Path) -> dict[str, str]:
    """The types of the matrices that are multiplied with, by name; embeddings are looked up instead, unless they are
    the output layer as well.
    """
    return {
        name: kind
        for name, shape, kind, _ in variables(file)
        if len(shape) == 2 and name.endswith("/weight") and "/embeddings" not in name
    }


def _numbers(source: IO[bytes], form: str) -> tuple[int, ...]:
    return struct.unpack(form, source.read(struct.calcsize(form)))


def _text(source: IO[bytes]) -> str:
    return source.read(_numbers(source, "<H")[0]).rstrip(b"\0").decode("utf-8")
