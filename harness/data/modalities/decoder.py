"""Decoding many items: what cannot be read is told together, not one file a run."""

from __future__ import annotations

from harness.core.errors import HarnessError
from harness.core.items import Item
from harness.data.modalities.base import Decoded, Modality

NAMED = 4
"""Items that a message names beside the first."""


class Decoder:
    """Decodes items of a modality and goes on past those that cannot be read."""

    def __init__(self, modality: Modality) -> None:
        self._modality = modality
        self._items = 0
        self._reason = ""
        self._places: list[str] = []

    def __call__(self, item: Item) -> Decoded | None:
        """The item as an array; None where it cannot be read, or another one before could not: `finish` says so.

        Raises:
            HarnessError: nothing can be read, as where a package is missing.
        """
        self._items += 1
        try:
            decoded = self._modality.decode(item)
        except HarnessError as error:
            if not str(error).startswith(item.place):
                raise
            self._reason = self._reason or str(error)
            self._places.append(item.place)
        return None if self._places else decoded

    def finish(self) -> None:
        """Raises HarnessError where an item could not be read: why, which others, and how many."""
        if not self._places:
            return
        _, *others = self._places
        more = ""
        if others:
            listed = ", ".join(others[:NAMED]) + (", …" if len(others) > NAMED else "")
            more = f"; {len(others)} more of {self._items} cannot be read either: {listed}"
        raise HarnessError(f"{self._reason}{more}")
