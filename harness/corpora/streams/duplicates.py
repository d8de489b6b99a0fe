"""Duplicates among documents that do not fit in memory: keys and signatures are on disk until all are there.

Memory is that of one partition of the keys and of one number a document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from harness.corpora.text.minhash import Banding, band_keys, similarity

PARTITIONS = 64
BUFFERED = 1 << 13
"""Keys that are held before they are written."""
COMPARED = 1024
"""Documents of a band's group, no two of them with equal signatures, that each further one is compared with."""
KEY = np.dtype([("key", "<u8"), ("document", "<u4")])


def digest(text: str) -> int:
    """64 bits of a text; white space and letters' case do not count."""
    return int.from_bytes(blake2b(" ".join(text.split()).lower().encode(), digest_size=8).digest(), "little")


class KeysOnDisk:
    """Pairs of a key and a document, in as many files as there are partitions."""

    def __init__(self, folder: Path, name: str) -> None:
        self._paths = [folder / f"{name}-{number}" for number in range(PARTITIONS)]
        self._held: list[NDArray[np.void]] = []
        self._count = 0

    def add(self, keys: NDArray[np.uint64], documents: NDArray[np.uint32]) -> None:
        """Add pairs, documents in rising order."""
        pairs = np.empty(len(keys), dtype=KEY)
        pairs["key"], pairs["document"] = keys, documents
        self._held.append(pairs)
        self._count += len(pairs)
        if self._count >= BUFFERED:
            self._write()

    def groups(self) -> Iterator[NDArray[np.uint32]]:
        """The documents of each key that several have, in the order in which they were added."""
        self._write()
        for path in self._paths:
            if not path.exists():
                continue
            pairs = np.fromfile(path, dtype=KEY)
            path.unlink()
            pairs = pairs[np.argsort(pairs["key"], kind="stable")]
            ends = np.flatnonzero(np.diff(pairs["key"])) + 1
            starts, ends = np.concatenate(([0], ends)), np.concatenate((ends, [len(pairs)]))
            for index in np.flatnonzero(ends - starts > 1):
                yield pairs["document"][starts[index] : ends[index]]

    def _write(self) -> None:
        if not self._held:
            return
        pairs = np.concatenate(self._held)
        self._held, self._count = [], 0
        places = (pairs["key"] >> np.uint64(58)).astype(np.int64)
        for place in np.unique(places):
            with self._paths[place].open("ab") as file:
                pairs[places == place].tofile(file)


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes:
        kept_for: Of each document the one that is kept for it, itself where it is no duplicate.
        exact: Documents whose text is that of an earlier one.
        near: Documents that resemble an earlier one.
        similarities: Of each near duplicate the estimated similarity to the one by which it was found.
    """

    kept_for: NDArray[np.uint32]
    exact: frozenset[int]
    near: frozenset[int]
    similarities: dict[int, float]

    def clusters(self) -> dict[int, int]:
        """The size of each group of duplicates, by the document that is kept for it."""
        kept, counts = np.unique(self.kept_for, return_counts=True)
        return {int(member): int(count) for member, count in zip(kept, counts, strict=True) if count > 1}


class DuplicateFinder:
    """Takes documents in order, and finds the duplicates among them once all are there.

    Args:
        folder: For what does not fit in memory; its owner removes it.
        exact: Find equal texts.
        banding: How near duplicates are found. None: they are not.
    """

    def __init__(self, folder: Path, exact: bool, banding: Banding | None) -> None:
        self._exact = KeysOnDisk(folder, "exact") if exact else None
        self._bands = KeysOnDisk(folder, "bands") if banding else None
        self._banding = banding
        self._path = folder / "signatures"
        self._signatures = self._path.open("wb") if banding else None
        self._count = 0

    def add(self, digests: Sequence[int], signatures: NDArray[np.uint32] | None) -> None:
        """Add the next documents, by their digests and signatures."""
        numbers = np.arange(self._count, self._count + len(digests), dtype=np.uint32)
        self._count += len(digests)
        if self._exact is not None:
            self._exact.add(np.array(digests, dtype=np.uint64), numbers)
        if self._banding is not None and signatures is not None and self._bands is not None:
            assert self._signatures is not None
            signatures.tofile(self._signatures)
            keys = band_keys(signatures, self._banding)
            self._bands.add(keys.ravel(), np.repeat(numbers, self._banding.bands))

    def find(self) -> Duplicates:
        """Find them. Of those that are alike the first is kept."""
        parents = np.arange(self._count, dtype=np.uint32)
        exact: set[int] = set()
        if self._exact is not None:
            for group in self._exact.groups():
                exact.update(int(member) for member in group[1:])
                for member in group[1:]:
                    _join(parents, int(group[0]), int(member))
        similarities: dict[int, float] = {}
        if self._bands is not None and self._banding is not None:
            self._near(parents, exact, similarities)
        kept = np.array([_root(parents, number) for number in range(self._count)], dtype=np.uint32)
        return Duplicates(kept, frozenset(exact), frozenset(similarities), similarities)

    def _near(self, parents: NDArray[np.uint32], exact: set[int], similarities: dict[int, float]) -> None:
        assert self._bands is not None and self._signatures is not None
        self._signatures.close()
        with self._path.open("rb") as stored:
            for group in self._bands.groups():
                members = [member for member in map(int, group) if member not in exact]
                if len({_root(parents, member) for member in members}) > 1:
                    self._compare(members, stored, parents, similarities)

    def _compare(
        self, members: list[int], stored: BinaryIO, parents: NDArray[np.uint32], similarities: dict[int, float]
    ) -> None:
        """Compare the documents of one band's group, each with those before it."""
        assert self._banding is not None
        size = self._banding.size
        before: list[int] = []
        signatures = np.empty((min(len(members), COMPARED), size), dtype=np.uint32)
        for member in members:
            stored.seek(4 * size * member)
            signature = np.fromfile(stored, dtype=np.uint32, count=size)
            alike = similarity(signatures[: len(before)], signature)
            for at in np.flatnonzero(alike >= self._banding.similarity):
                roots = sorted((_root(parents, before[at]), _root(parents, member)))
                if roots[0] != roots[1]:
                    similarities[roots[1]] = float(alike[at])
                    parents[roots[1]] = roots[0]
            if len(before) < COMPARED and not np.any(alike == 1.0):
                signatures[len(before)] = signature
                before.append(member)


def _root(parents: NDArray[np.uint32], member: int) -> int:
    while (parent := int(parents[member])) != member:
        parents[member] = parents[parent]
        member = parent
    return member


def _join(parents: NDArray[np.uint32], member: int, other: int) -> None:
    """The earlier of two roots becomes the root of both."""
    first, second = sorted((_root(parents, member), _root(parents, other)))
    parents[second] = first
