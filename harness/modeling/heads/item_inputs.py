"""What heads for images and sounds read of a split."""

from __future__ import annotations

from harness.core.families import Family
from harness.core.items import Item
from harness.data.frame import Split

AT_ONCE = {"cpu": 32, "cuda": 256}
"""Items or texts that go through a model together, by the kind of its device."""


def items_in(family: Family, split: Split) -> tuple[list[Item], str]:
    """The items of a split's n examples in their order, and their modality."""
    assert family.item_field is not None
    items = [item for item in split.fields[family.item_field] if isinstance(item, Item)]
    assert len(items) == len(split), "a field of items holds something else"
    return items, family.modality
