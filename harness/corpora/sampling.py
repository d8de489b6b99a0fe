"""A sample of a stream by content: equal documents are in it together or not at all, so that duplicates stay visible."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from harness.data.document import Document


@dataclass
class Sampled:
    """A document of a sample, and how often its text stood in the stream."""

    document: Document
    copies: int = 1


@dataclass
class ContentSample:
    """The `size` distinct texts with the least hashes (bottom-k; Cohen and Kaplan 2007), with their copies.

    The seed chooses other hashes. A corpus that has fewer distinct texts is in it whole.
    """

    size: int
    seed: int = 0
    _kept: dict[int, Sampled] = field(default_factory=dict)
    _heap: list[int] = field(default_factory=list)

    def add(self, document: Document) -> None:
        """Take the next document into account."""
        key = -int.from_bytes(
            blake2b(document.text.encode(), digest_size=8, salt=self.seed.to_bytes(8, "big")).digest(), "big"
        )
        if (kept := self._kept.get(key)) is not None:
            kept.copies += 1
        elif len(self._heap) < self.size:
            heapq.heappush(self._heap, key)
            self._kept[key] = Sampled(document)
        elif key > self._heap[0]:
            del self._kept[heapq.heappushpop(self._heap, key)]
            self._kept[key] = Sampled(document)

    def add_all(self, documents: Iterable[Document]) -> ContentSample:
        """Take all documents into account."""
        for document in documents:
            self.add(document)
        return self

    @property
    def items(self) -> list[Sampled]:
        """The sample, in the order of its hashes, which is that of the corpus in nothing."""
        return [self._kept[key] for key in sorted(self._kept, reverse=True)]
