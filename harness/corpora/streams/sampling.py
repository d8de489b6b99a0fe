"""Samples of a stream: of its distinct texts, and of its documents with what is a copy among them."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from harness.data.document import Document


@dataclass
class ContentSample:
    """The documents of the `size` distinct texts with the least hashes (bottom-k; Cohen and Kaplan 2007).

    The seed chooses other hashes. A corpus that has fewer distinct texts is in it whole.
    """

    size: int
    seed: int = 0
    _kept: dict[int, Document] = field(default_factory=dict)
    _heap: list[int] = field(default_factory=list)

    def add(self, document: Document) -> None:
        """Take the next document into account."""
        hashed = blake2b(document.text.encode(), digest_size=8, salt=self.seed.to_bytes(8, "big"))
        key = -int.from_bytes(hashed.digest(), "big")
        if key in self._kept:
            return
        if len(self._heap) < self.size:
            heapq.heappush(self._heap, key)
            self._kept[key] = document
        elif key > self._heap[0]:
            del self._kept[heapq.heappushpop(self._heap, key)]
            self._kept[key] = document

    @property
    def items(self) -> list[Document]:
        """The sample, in the order of its hashes, which is that of the corpus in nothing."""
        return [self._kept[key] for key in sorted(self._kept, reverse=True)]


@dataclass(frozen=True)
class Sampled:
    """A document of a sample.

    Attributes:
        number: Of the document in the stream, from 0.
        document: The document.
        again: Whether its text stood before.
    """

    number: int
    document: Document
    again: bool


class Reservoir:
    """`size` documents of a stream, each with the same probability (Vitter 1985, algorithm R), and of each whether its
    text stood before. Of very long streams some are taken for copies that are none: one in a million of 5 million
    documents, one in a hundred of 25 million (a Bloom filter of 32 MiB).
    """

    BITS = 28
    HASHES = 4

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.count = 0
        self.items: list[Sampled] = []
        self._random = random.Random(seed)
        self._seen = np.zeros(1 << (self.BITS - 3), dtype=np.uint8)

    def add(self, document: Document, digest: int) -> None:
        """Take the next document into account; `digest` are 64 bits of its text."""
        item = Sampled(self.count, document, self._stood_before(digest))
        self.count += 1
        if len(self.items) < self.size:
            self.items.append(item)
        elif (at := self._random.randrange(self.count)) < self.size:
            self.items[at] = item

    def _stood_before(self, digest: int) -> bool:
        first, step = digest & 0xFFFFFFFF, (digest >> 32) | 1
        before = True
        for number in range(self.HASHES):
            at = (first + number * step) & ((1 << self.BITS) - 1)
            bit = 1 << (at & 7)
            if not self._seen[at >> 3] & bit:
                before = False
                self._seen[at >> 3] |= bit
        return before
