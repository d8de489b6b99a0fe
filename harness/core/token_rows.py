"""Rows of token ids as one flat array, a tenth of what lists of Python's numbers take; many of them in a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from harness.core.columns import mapped_file, no_room

if TYPE_CHECKING:
    import numpy as np

IN_MEMORY = 2**20
"""Numbers of a column that are held, 4 MiB; more are in a file. What is freed in parts of that size stays with the
process, as the allocator keeps it.
"""


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

    @classmethod
    def gathered(cls, parts: Iterable[Mapping[str, TokenRows]], kinds: Mapping[str, Any]) -> dict[str, TokenRows]:
        """The rows of several columns, part by part; from `IN_MEMORY` numbers on in a file that is memory-mapped.

        Args:
            parts: Of each column some rows more.
            kinds: Of columns whose numbers fit one, the smaller type that they have in a file.

        Returns:
            All rows of each column.

        Raises:
            HarnessError: the folder for temporary files has no room.
        """
        import numpy as np

        writers: dict[str, _Writer] = {}
        for part in parts:
            for name, rows in part.items():
                writers.setdefault(name, _Writer(np.dtype(kinds.get(name, np.int32)))).add(rows)
        columns: dict[str, TokenRows] = {}
        for name, writer in writers.items():
            columns[name] = writer.finish()
            same = next(rows.starts for rows in columns.values() if np.array_equal(rows.starts, columns[name].starts))
            columns[name].starts = same  # columns of one tokenizer have rows of one length: kept once
        return columns

    @property
    def lengths(self) -> np.ndarray:
        """How many numbers each row has (n,)."""
        return self.starts[1:] - self.starts[:-1]

    def count_of(self, number: int) -> int:
        """How often a number stands in the rows."""
        starts = range(0, len(self.values), IN_MEMORY)
        return sum(int((self.values[start : start + IN_MEMORY] == number).sum()) for start in starts)

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


class _Writer:
    """Rows that arrive part by part."""

    def __init__(self, kind: np.dtype[Any]) -> None:
        self._kind = kind
        self._parts: list[TokenRows] = []
        self._lengths: list[np.ndarray] = []
        self._size = 0
        self._file: Any = None

    def add(self, rows: TokenRows) -> None:
        import numpy as np

        self._size += len(rows.values)
        self._parts.append(rows)
        if self._file is None and self._size < IN_MEMORY:
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `finish`
            for part in self._parts:
                values = part.values.astype(self._kind)
                assert np.array_equal(values, part.values)
                self._file.write(values.tobytes())
                self._lengths.append(part.lengths.astype(np.int32))
        except OSError as error:
            raise no_room(error) from None
        self._parts.clear()

    def finish(self) -> TokenRows:
        import numpy as np

        if self._file is None:
            return TokenRows.joined(self._parts)
        try:
            with self._file as file:
                file.flush()
                values = np.frombuffer(mapped_file(file), dtype=self._kind)
        except OSError as error:
            raise no_room(error) from None
        starts = np.zeros(sum(map(len, self._lengths)) + 1, dtype=np.int64)
        np.cumsum(np.concatenate(self._lengths), out=starts[1:])
        return TokenRows(values, starts)
