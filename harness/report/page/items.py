"""Images and sounds of examples, small enough for a page: some of each split, and no more than so many bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.items import Item
from harness.core.text import clipped, without_paths
from harness.data.modalities import MODALITIES, Shown

ELEMENTS = ("img", "audio")
ITEMS_OF_VIEW = 100
"""Different items of a task and split that are shown."""
BYTES_OF_VIEW, BYTES_OF_PAGE = 3_000_000, 12_000_000
"""Of the data URIs of what is shown."""
LONGEST_REASON = 160
NO_ROOM = "the page has room for so many"


@dataclass(frozen=True)
class Showing:
    """The items of some examples.

    Attributes:
        rows: For each example what is shown of each field: None where it is text or its item is left out. Empty where
            no field has items.
        reason: How many items are left out, and why; empty where none is.
    """

    rows: Sequence[Sequence[Shown | None]] = ()
    reason: str = ""


class Gallery:
    """Makes items small for one page. What tables share is made, and counted, once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, Item], Shown | str] = {}
        self._room = BYTES_OF_PAGE

    def show(self, family: str, fields: Mapping[str, Sequence[str]], indices: Sequence[int]) -> Showing:
        """The items of the examples at `indices`.

        Args:
            family: The family of their task, which says of what modality a field is.
            fields: All examples of the split, by field.
            indices: Of the examples, in the order of interest: where room ends, the last are left out.
        """
        if not any(column and isinstance(column[0], Item) for column in fields.values()):
            return Showing()
        modalities = {name: FAMILIES.get(family).modality_of(name) for name in fields}
        in_small = {name: bool(MODALITIES.get(modality).element) for name, modality in modalities.items()}
        view: dict[tuple[str, Item], Shown | str] = {}
        room = BYTES_OF_VIEW
        rows: list[list[Shown | None]] = []
        for index in indices:
            row: list[Shown | None] = []
            for name, column in fields.items():
                if not in_small[name]:
                    row.append(None)
                    continue
                key = modalities[name], cast(Item, column[index])
                if key not in view:
                    view[key] = self._shown(*key, room) if len(view) < ITEMS_OF_VIEW else NO_ROOM
                    room = 0 if view[key] == NO_ROOM else room - _size(view[key])
                shown = view[key]
                row.append(shown if isinstance(shown, Shown) else None)
            rows.append(row)
        return Showing(rows, _left_out(list(view.values())))

    def _shown(self, modality: str, item: Item, room: int) -> Shown | str:
        """The item in small, or why it is not shown."""
        key = modality, item
        if key in self._made:
            made = self._made[key]
            return made if _size(made) <= room else NO_ROOM
        if min(room, self._room) <= 0:
            return NO_ROOM
        made = _in_small(modality, item)
        if _size(made) > min(room, self._room):
            return NO_ROOM
        self._made[key] = made
        self._room -= _size(made)
        return made


def _in_small(modality: str, item: Item) -> Shown | str:
    try:
        shown = MODALITIES.get(modality).show(item)
    except HarnessError as error:
        return clipped(without_paths(str(error)), LONGEST_REASON)
    if shown.kind not in ELEMENTS or not shown.uri.startswith("data:"):
        return f"the modality {modality} shows it by no data URI of {' or '.join(ELEMENTS)}"
    return shown


def _size(shown: Shown | str) -> int:
    return len(shown.uri) if isinstance(shown, Shown) else 0


def _left_out(items: Sequence[Shown | str]) -> str:
    reasons = Counter(item for item in items if isinstance(item, str))
    if not reasons:
        return ""
    ((reason, times),) = reasons.most_common(1)
    others = reasons.total() - times
    more = f"; {others} for other reasons" if others else ""
    return f"{reasons.total()} of {len(items)} items here are named alone ({reason}{more})"
