"""Columns that are too large to hold: cells are read when they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from datasets import Dataset

AT_ONCE = 64
"""Cells that a pass holds."""


class LazyCells(Sequence[Any]):
    """Cells of a column. A pass over them holds few; one that is asked for is read again."""

    @abstractmethod
    def at(self, index: int) -> Any:
        """The cell at an index that is there."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ChosenCells(self, range(len(self))[index])
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.at(index)

    def __iter__(self) -> Iterator[Any]:
        return (self.at(index) for index in range(len(self)))


class ChosenCells(LazyCells):
    """Some cells of a column, in an order of their own."""

    def __init__(self, cells: Sequence[Any], indices: Sequence[int]) -> None:
        self._cells, self._indices = cells, indices

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


class ParquetCells(LazyCells):
    """A column of a parquet file; the row group that was read last is kept."""

    def __init__(self, path: Path, name: str, starts: Sequence[int]) -> None:
        self._path, self._name, self._starts = path, name, starts
        self._kept: tuple[int, Any] | None = None

    def __len__(self) -> int:
        return self._starts[-1]

    def at(self, index: int) -> Any:
        import pyarrow

        group = bisect_right(self._starts, index) - 1
        if self._kept is None or self._kept[0] != group:
            try:
                self._kept = group, self._file().read_row_group(group, columns=[self._name]).column(0)
            except (OSError, ValueError, pyarrow.ArrowException) as error:
                raise self._unreadable(error) from None
        return self._kept[1][index - self._starts[group]].as_py()

    def __iter__(self) -> Iterator[Any]:
        import pyarrow

        try:
            for batch in self._file().iter_batches(AT_ONCE, columns=[self._name], use_threads=False):
                yield from batch.column(0).to_pylist()
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            raise self._unreadable(error) from None

    def _file(self) -> Any:
        import pyarrow.parquet

        return pyarrow.parquet.ParquetFile(self._path)

    def _unreadable(self, error: Exception) -> HarnessError:
        return HarnessError(f"{self._path}: column '{self._name}': {' '.join(str(error).split())}")


class DatasetCells(LazyCells):
    """A column of a `datasets.Dataset`, which is read from its files."""

    def __init__(self, dataset: Dataset, name: str) -> None:
        self._dataset, self._name = dataset.select_columns([name]), name

    def __len__(self) -> int:
        return len(self._dataset)

    def at(self, index: int) -> Any:
        return self._dataset[index][self._name]

    def __iter__(self) -> Iterator[Any]:
        return (cell for batch in self._dataset.iter(AT_ONCE) for cell in batch[self._name])


def chosen(values: Sequence[Any], indices: Sequence[int]) -> Sequence[Any]:
    """The values at some indices."""
    return ChosenCells(values, indices) if isinstance(values, LazyCells) else [values[index] for index in indices]


def joined(columns: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """The values of several columns, one after another."""
    if any(isinstance(column, LazyCells) for column in columns):
        return JoinedCells(columns)
    return [value for column in columns for value in column]
