"""What a generated item shows and what a caption says of it, in keys without a language, and whether the two fit.

An item shows one or two groups of things. A group has a kind (a circle, a beep), a quality (a colour, a pitch), a
manner (a size; how long or how fast) and a number; two groups stand in a relation. A caption may leave things unsaid,
but names every group: "a red circle" is no caption of a red circle beside a square.
"""

from __future__ import annotations

from typing import NamedTuple

UNSAID = ""
INVERSE = {"left": "right", "right": "left", "above": "below", "below": "above", "before": "after", "after": "before"}


class Group(NamedTuple):
    """Things of a kind; of a caption, any key may be unsaid."""

    number: int
    kind: str
    quality: str
    manner: str


class Meaning(NamedTuple):
    """One or two groups, and the relation of the first to the second; unsaid where there is none."""

    groups: tuple[Group, ...]
    relation: str = UNSAID

    def turned(self) -> Meaning:
        """The same, told from the second group."""
        return Meaning(self.groups[::-1], INVERSE.get(self.relation, UNSAID))


def fits(caption: Meaning, item: Meaning) -> bool:
    """Whether a caption is true of an item and names all that it shows."""
    return _fits(caption, item) or (len(item.groups) > 1 and _fits(caption.turned(), item))


def _fits(caption: Meaning, item: Meaning) -> bool:
    return (
        len(caption.groups) == len(item.groups)
        and caption.relation in (UNSAID, item.relation)
        and all(
            number == true_number and all(key in (UNSAID, true) for key, true in zip(keys, true_keys, strict=True))
            for (number, *keys), (true_number, *true_keys) in zip(caption.groups, item.groups, strict=True)
        )
    )
