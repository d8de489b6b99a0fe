"""Columns that are too large to hold: cells are read when they are asked for, texts from a memory-mapped file."""

from __future__ import annotations

import mmap
import tempfile
from abc import abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import pyarrow as pa

MANY = 2**17
"""From so many rows on a split's columns stay in files."""
BATCH = 4096
"""Texts that a pass over a memory-mapped column makes at once."""


class LazyCells(Sequence[Any]):
    """Cells of a column. A pass over them holds few; one that is asked for is read again."""

    @abstractmethod
    def at(self, index: int) -> Any:
        """The cell at an index that is there."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ChosenCells(self, range(len(self))[index])
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self.at(place)

    def __iter__(self) -> Iterator[Any]:
        return (self.at(index) for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """As lists of the same cells are equal."""
        if not isinstance(other, Sequence) or isinstance(other, str) or len(other) != len(self):
            return NotImplemented
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


class ChosenCells(LazyCells):
    """Some cells of a column, in an order of their own."""

    def __init__(self, cells: Sequence[Any], indices: Sequence[int]) -> None:
        self._cells = cells
        self._indices = indices if isinstance(indices, range) else array("q", indices)

    def __len__(self) -> int:
        return len(self._indices)

    def at(self, index: int) -> Any:
        return self._cells[self._indices[index]]


class JoinedCells(LazyCells):
    """The cells of several columns, one after another."""

    def __init__(self, columns: Sequence[Sequence[Any]]) -> None:
        self._columns = columns
        self._starts = list(accumulate(map(len, columns), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    def at(self, index: int) -> Any:
        which = bisect_right(self._starts, index) - 1
        return self._columns[which][index - self._starts[which]]

    def __iter__(self) -> Iterator[Any]:
        return (cell for column in self._columns for cell in column)


class NumberedCells(LazyCells):
    """Names made of a prefix and numbers, such as the ids of rows that have none of their own."""

    def __init__(self, prefix: str, numbers: Sequence[int]) -> None:
        self._prefix, self._numbers = prefix, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def at(self, index: int) -> str:
        return f"{self._prefix}{self._numbers[index]}"


class MappedTexts(LazyCells):
    """Texts in a memory-mapped Arrow file without a name, which is gone with the last that reads it."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def at(self, index: int) -> Any:
        return self._column[index].as_py()

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return MappedTexts(self._column.slice(start, max(0, stop - start)))
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[Any]:
        for chunk in self._column.iterchunks():
            yield from chunk.to_numpy(zero_copy_only=False).tolist()


def mapped_columns(width: int, rows: Iterable[Sequence[str]]) -> list[MappedTexts]:
    """Rows of so many texts each as columns in a file, of which no more than a batch is held.

    Args:
        width: How many columns.
        rows: The rows; each is taken once.

    Returns:
        The columns.

    Raises:
        HarnessError: the folder for temporary files has no room.
    """
    import pyarrow as pa

    schema = pa.schema([(str(number), pa.string()) for number in range(width)])
    remaining = iter(rows)
    try:
        with tempfile.TemporaryFile() as file:
            with pa.ipc.new_file(pa.PythonFile(file, mode="w"), schema) as writer:
                while batch := list(islice(remaining, BATCH)):
                    columns = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
                    writer.write_batch(pa.record_batch(columns, schema=schema))
            file.flush()
            table = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped_file(file)))).read_all()
    except OSError as error:
        raise no_room(error) from None
    return [MappedTexts(table.column(number)) for number in range(width)]


def mapped_texts(texts: Iterable[str]) -> MappedTexts:
    """One column of texts in a file, as `mapped_columns` makes them."""
    return mapped_columns(1, ((text,) for text in texts))[0]


def mapped_file(file: Any) -> mmap.mmap:
    """What was written to a file, as memory that is read from it. It outlives the file's name."""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def no_room(error: OSError) -> HarnessError:
    """What to say where a file for columns cannot be written."""
    return HarnessError(
        f"cannot write the columns of a large split to {tempfile.gettempdir()}: {error.strerror or error}; "
        "name a folder with more room in TMPDIR"
    )


def are_many(rows: int) -> bool:
    """Whether the columns of so many rows stay in files."""
    return rows >= MANY


def chosen(values: Sequence[Any], indices: Sequence[int]) -> Sequence[Any]:
    """The values at some indices."""
    if not isinstance(values, LazyCells):
        return [values[index] for index in indices]
    if isinstance(indices, range) and indices.step == 1 and indices.start >= 0:
        return values[indices.start : indices.stop]
    return ChosenCells(values, indices)


def joined(columns: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """The values of several columns, one after another."""
    if any(isinstance(column, LazyCells) for column in columns):
        return JoinedCells(columns)
    return [value for column in columns for value in column]
