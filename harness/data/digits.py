"""The source `sklearn-digits`: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels (a part of UCI's optical
recognition of handwritten digits, Alpaydin and Kaynak 1998), with captions. It comes with scikit-learn.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache, partial
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError, TaskAbsentError
from harness.core.items import Item
from harness.core.packages import require_packages
from harness.core.specs import TaskSpec
from harness.data.assemble import Reading
from harness.data.pair_corpus import Pair, PairCorpus
from harness.data.source import Source, refuse_rest
from harness.data.table import table_of

if TYPE_CHECKING:
    import numpy as np

NAME = "sklearn-digits"

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

TRAIN = 1437
"""The first so many are to train on, four fifths. The rest were written by others: the data lists one writer after
another."""

WHITE = 16
"""The brightest value of a pixel."""


class Digits(Source):
    """Images, what they show in words, and the same as captions."""

    askable = False

    def read(self, task: TaskSpec, rest: str, splits: Sequence[str], limit: int | None) -> Reading:
        """Columns `image`, `label` and `text`; splits `train` and `test`."""
        refuse_rest(NAME, rest)
        if task.sources.of(NAME) is None:
            raise TaskAbsentError(f"task '{task.name}' is not of scikit-learn's digits (its sources do not name them)")
        rows = {"train": range(TRAIN), "test": range(TRAIN, len(_digits()[1]))}
        if missing := [split for split in splits if split not in rows]:
            raise HarnessError(f"task '{task.name}': {NAME} has no split '{missing[0]}'; it has train, test")
        tables = {split: table_of(_columns(rows[split]), f"{NAME} ({split})") for split in splits}
        return Reading(NAME, tables, task.fields, id="id")

    def state(self, task: TaskSpec, rest: str) -> object | None:
        refuse_rest(NAME, rest)
        if task.sources.of(NAME) is None:
            raise TaskAbsentError(f"task '{task.name}' is not of scikit-learn's digits (its sources do not name them)")
        return [NAME, version("scikit-learn")]

    def pairs(self, rest: str, modality: str, size: int) -> PairCorpus:
        """The images to train on with a caption each."""
        refuse_rest(NAME, rest)
        if modality != "image":
            raise HarnessError(f"{NAME} has images, and no {modality}")
        return PairCorpus(NAME, f"{NAME} (train)", modality, _pairs, [NAME, version("scikit-learn"), TRAIN])


SOURCE = Digits()


def caption_of(name: str) -> str:
    """What is said of an image of a digit."""
    return f"a handwritten {name}"


def _pairs() -> Iterator[Pair]:
    columns = _columns(range(TRAIN))
    return (Pair(item, text) for item, text in zip(columns["image"], columns["text"], strict=True))


def _columns(rows: Sequence[int]) -> dict[str, list[Any]]:
    images, digits = _digits()
    names = [NAMES[digits[row]] for row in rows]
    return {
        "id": [f"digit-{row}" for row in rows],
        "image": [_item(row, images[row], name) for row, name in zip(rows, names, strict=True)],
        "label": names,
        "text": [caption_of(name) for name in names],
    }


@cache
def _digits() -> tuple[np.ndarray, list[int]]:
    """Pixels (1797, 8, 8) in 0..16, and the digits."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return loaded.images.astype("uint8"), [int(digit) for digit in loaded.target]


def _item(row: int, pixels: np.ndarray, name: str) -> Item:
    identity = f"digit:v1:{sha256(pixels.tobytes()).hexdigest()}"
    return Item(identity, f"{name} ({row})", f"{NAME}, row {row}", partial(_png, pixels))


def _png(pixels: np.ndarray) -> bytes:
    require_packages("PIL", extra="image")
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray((pixels.astype("uint16") * 255 // WHITE).astype("uint8")).save(buffer, "PNG")
    return buffer.getvalue()
