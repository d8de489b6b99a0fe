"""Rows of token ids as one flat array: a tenth of what lists of Python's numbers take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import numpy as np


class TokenRows(Sequence["np.ndarray"]):
    """n rows of numbers of any length.

    Attributes:
        values: All numbers, one row after the other (int32, unless they do not fit).
        starts: Where each row starts, and where the last ends (n + 1,).
    """

    def __init__(self, values: np.ndarray, starts: np.ndarray) -> None:
        self.values = values
        self.starts = starts

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | np.ndarray]) -> TokenRows:
        """Those of rows that are lists or arrays; an iterator is taken row by row."""
        import numpy as np

        parts, lengths = [], [0]
        for row in rows:
            parts.append(np.asarray(row, dtype=np.int32))
            lengths.append(len(row))
        values = np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)
        return cls(values, np.cumsum(lengths))

    @classmethod
    def joined(cls, parts: Sequence[TokenRows]) -> TokenRows:
        """The rows of one after those of another."""
        import numpy as np

        lengths = np.concatenate([np.zeros(1, dtype=np.int64), *(part.lengths for part in parts)])
        values = [part.values for part in parts] or [np.empty(0, dtype=np.int32)]
        return cls(np.concatenate(values), np.cumsum(lengths))

    @property
    def lengths(self) -> np.ndarray:
        """How many numbers each row has (n,)."""
        return self.starts[1:] - self.starts[:-1]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> TokenRows: ...

    def __getitem__(self, index: int | slice) -> np.ndarray | TokenRows:
        if isinstance(index, slice):
            return TokenRows.of([self[at] for at in range(*index.indices(len(self)))])
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(index)
        return self.values[self.starts[at] : self.starts[at + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """As lists of the same rows are equal."""
        if not isinstance(other, Sequence) or len(other) != len(self):
            return NotImplemented
        return all(list(mine) == list(theirs) for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
