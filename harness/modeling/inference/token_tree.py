"""What sequences of tokens share, and which forward passes read them all with the least work.

Sorted sequences make a radix tree. Each of its branches can be read in three ways: as a row of a batch that holds it
whole, where a token attends to its ancestors alone; as a prefix whose keys and values are kept for the rows of what
follows; or apart, the shared tokens again in each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from harness.modeling.inference.batching import PASS


class Sharing(IntEnum):
    """What a model can share between sequences.

    Attributes:
        NOTHING: Each row is read from its beginning, and is one sequence.
        PREFIXES: Rows go on from kept keys and values.
        TREES: A row can branch as well.
    """

    NOTHING = 0
    PREFIXES = 1
    TREES = 2


@dataclass(frozen=True)
class Segment:
    """Tokens `begin` to `end` of the sequences `first` to `last`, the same in all of them that are so long."""

    first: int
    last: int
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin


@dataclass(frozen=True)
class Row:
    """A branch as the row of a batch: its segments, depth first, and which of them each goes on from (-1: none)."""

    segments: tuple[Segment, ...]
    parents: tuple[int, ...] = (-1,)

    def __len__(self) -> int:
        return sum(map(len, self.segments))

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Row:
        """Rows one after the other, as one that has a beginning for each."""
        if len(rows) == 1:
            return rows[0]
        shifts = np.cumsum([0, *(len(row.segments) for row in rows)]).tolist()
        parents = [
            parent if parent < 0 else parent + shift
            for row, shift in zip(rows, shifts, strict=False)
            for parent in row.parents
        ]
        return cls(tuple(part for row in rows for part in row.segments), tuple(parents))

    @property
    def offsets(self) -> list[int]:
        """The place in the row at which each segment begins."""
        return np.cumsum([0, *map(len, self.segments)])[:-1].tolist()

    def tokens(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """The ids (n,)."""
        return np.concatenate([sequences[part.last - 1][part.begin : part.end] for part in self.segments])

    def positions(self) -> np.ndarray:
        """The position (n,) of each token in its sequence."""
        return np.concatenate([np.arange(part.begin, part.end) for part in self.segments])

    def branches(self) -> tuple[np.ndarray, np.ndarray]:
        """The number (n,) of each token's segment, and that (n,) of the first behind all that go on from it: a token is
        before a later one in its sequence where that one's number is less.
        """
        numbers = np.arange(len(self.segments))
        ends = numbers + 1
        for number in reversed(numbers):
            if self.parents[number] >= 0:
                ends[self.parents[number]] = max(ends[self.parents[number]], ends[number])
        lengths = list(map(len, self.segments))
        return np.repeat(numbers, lengths), np.repeat(ends, lengths)


@dataclass(frozen=True)
class Prefix:
    """Tokens whose keys and values are kept while the rows and the longer prefixes that follow are read; the first of
    all is empty.
    """

    segment: Segment
    rows: list[Row] = field(default_factory=list)
    prefixes: list[Prefix] = field(default_factory=list)

    @property
    def depth(self) -> int:
        return self.segment.end

    @property
    def tokens(self) -> int:
        """How many are read."""
        return sum(len(prefix.segment) + sum(map(len, prefix.rows)) for prefix in self._all())

    @property
    def needs(self) -> Sharing:
        """What a model must be able to share for it."""
        every = self._all()
        if any(len(row.segments) > 1 for prefix in every for row in prefix.rows):
            return Sharing.TREES
        return Sharing.PREFIXES if len(every) > 1 else Sharing.NOTHING

    def _all(self) -> list[Prefix]:
        every = [self]
        for prefix in every:
            every += prefix.prefixes
        return every


@dataclass
class _Node:
    """A branch: sequences `first` to `last` share their tokens to `depth`; so many stand `below`, each once."""

    first: int
    depth: int
    last: int = 0
    below: int = 0
    children: list[_Node] = field(default_factory=list)

    def size(self, begin: int) -> int:
        """Its tokens from a depth on."""
        return self.depth - begin + self.below

    def add(self, child: _Node) -> None:
        self.children.append(child)
        self.below += child.size(self.depth)


def in_order(sequences: Sequence[Sequence[int]]) -> tuple[list[np.ndarray], np.ndarray]:
    """Sequences in order, each once, and the place (n,) of each of the n given among them."""
    keys = [np.asarray(tokens, dtype=">i4").tobytes() for tokens in sequences]
    ordered = sorted(set(keys))
    places = {key: place for place, key in enumerate(ordered)}
    arrays = [np.frombuffer(key, dtype=">i4").astype(np.int64) for key in ordered]
    return arrays, np.asarray([places[key] for key in keys], dtype=np.int64)


def plan(sequences: Sequence[np.ndarray], sharing: Sharing, longest: int, attention: float = 0.0) -> Prefix:
    """The passes that read sequences, which are in order and each once.

    Args:
        sequences: Token ids.
        sharing: What the model can do.
        longest: The most tokens of a row that branches.
        attention: What it costs a token to attend to another, beside what it costs to read it.
    """
    empty = Prefix(Segment(0, len(sequences), 0, 0))
    branches = [(_tree(sequences), empty)] if len(sequences) else []
    while branches:
        node, prefix = branches.pop()
        way = _way(node, prefix.depth, sharing, longest, attention)
        if way == "row":
            prefix.rows.append(_row(node, prefix.depth))
        elif way == "prefix":
            kept = Prefix(Segment(node.first, node.last, prefix.depth, node.depth))
            prefix.prefixes.append(kept)
            branches += [(child, kept) for child in reversed(node.children)]
        else:
            node.children[0].first = node.first  # what ends here is a beginning of what follows
            branches += [(child, prefix) for child in reversed(node.children)]
    return empty


def _way(node: _Node, kept: int, sharing: Sharing, longest: int, attention: float) -> str:
    """The cheapest way to read a branch after so many tokens that are kept, if its children are rows then."""

    def cost(tokens: int, before: int) -> float:
        return tokens * (1 + attention * (before + tokens))

    if not node.children:
        return "row"
    repeated = sum(cost(child.size(kept), kept) for child in node.children)
    ways = [(repeated, "apart")]
    if sharing >= Sharing.PREFIXES and node.depth > kept:
        after = sum(cost(child.size(node.depth), node.depth) for child in node.children)
        ways.append((cost(node.depth - kept, kept) + PASS + after, "prefix"))
    if sharing == Sharing.TREES and node.size(kept) <= longest:
        ways.append((cost(node.size(kept), kept), "row"))
    return min(ways)[1]


def _row(node: _Node, begin: int) -> Row:
    segments, parents = [], []
    branches = [(node, begin, -1)]
    while branches:
        branch, start, parent = branches.pop()
        if branch.depth > start:
            segments.append(Segment(branch.first, branch.last, start, branch.depth))
            parents.append(parent)
            parent = len(segments) - 1
        branches += [(child, branch.depth, parent) for child in reversed(branch.children)]
    return Row(tuple(segments), tuple(parents))


def _tree(sequences: Sequence[np.ndarray]) -> _Node:
    """The radix tree of sequences in order: its root."""
    branch = [_Node(0, 0)]
    for place, tokens in enumerate(sequences):
        shared = _shared(sequences[place - 1], tokens) if place else 0
        _close(branch, shared, place)
        branch.append(_Node(place, len(tokens)))
    _close(branch, 0, len(sequences))
    branch[0].last = len(sequences)
    return branch[0]


def _close(branch: list[_Node], depth: int, last: int) -> None:
    """End what is deeper on the branch that is open, so that the next sequence leaves it there."""
    while branch[-1].depth > depth:
        node = branch.pop()
        node.last = last
        if branch[-1].depth < depth:
            branch.append(_Node(node.first, depth))
        branch[-1].add(node)


def _shared(before: np.ndarray, after: np.ndarray) -> int:
    """With how many equal tokens two sequences begin."""
    length = min(len(before), len(after))
    other = np.flatnonzero(before[:length] != after[:length])
    return int(other[0]) if len(other) else length
