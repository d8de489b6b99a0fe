"""Items with captions: each caption with the item that it describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.items import Item


@dataclass(frozen=True)
class Pair:
    """An item and one of its captions; empty where the source has none."""

    item: Item
    caption: str


@dataclass(frozen=True)
class PairCorpus:
    """Items of one modality with captions, in an order that stays the same.

    Attributes:
        source: The name of the data source; `files` of paths.
        location: Where it is, for people.
        modality: What the items are: `image`, `audio`, `video`.
        read: Starts a pass over the pairs.
        pin: What determines them, with `files`: JSON that changes whenever they could. None: nothing does.
        files: The files that are read.
    """

    source: str
    location: str
    modality: str
    read: Callable[[], Iterator[Pair]] = field(repr=False)
    pin: object = field(repr=False)
    files: tuple[Path, ...] = field(default=(), repr=False)

    def documents(self) -> Iterator[str]:
        """The captions: what a tokenizer is trained on."""
        return (pair.caption for pair in self.read() if pair.caption)
