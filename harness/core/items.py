"""Raw items that are no text: an image, a sound, a video. They stand in a split's fields where a text would."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from harness.core.errors import HarnessError


class Item(str):
    """A string that identifies the content of a raw item, wherever it lies, and the way to its bytes.

    Two items are equal where their contents are; a split's fingerprint is of these strings.

    Attributes:
        label: What people call it: a file's name, or what a generated item shows.
        place: Where it is, for messages.
    """

    label: str
    place: str
    _read: Callable[[], bytes]

    def __new__(cls, identity: str, label: str, place: str, read: Callable[[], bytes]) -> Item:
        item = super().__new__(cls, identity)
        item.label, item.place, item._read = label, place, read
        return item

    def content(self) -> bytes:
        """Its bytes, in a format that its modality decodes. Raises HarnessError where they cannot be read."""
        try:
            return self._read()
        except OSError as error:
            raise HarnessError(f"{self.place}: cannot be read: {error.strerror or error}") from None


def in_words(value: str) -> str:
    """A field's value for readers: a text as it is, an item by what it is called."""
    return value.label if isinstance(value, Item) else value


def identity_of(content: bytes) -> str:
    """What identifies an item by its bytes."""
    return f"sha256:{sha256(content).hexdigest()}"


def item_of_file(path: Path) -> Item:
    """A file as an item. Raises HarnessError where it cannot be read."""
    if not path.is_file():
        raise HarnessError(f"{path}: no such file")
    try:
        return Item(identity_of(path.read_bytes()), path.name, str(path), path.read_bytes)
    except OSError as error:
        raise HarnessError(f"{path}: cannot be read: {error.strerror}") from None


def item_of_bytes(content: bytes, label: str, place: str) -> Item:
    """Bytes in memory, such as those in a column of a dataset, as an item."""
    return Item(identity_of(content), label, place, lambda: content)
