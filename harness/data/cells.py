"""Columns of parquet files and of `datasets`, read when they are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.columns import LazyCells
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from datasets import Dataset

AT_ONCE = 64
"""Cells that a pass holds."""


class ParquetCells(LazyCells):
    """A column of a parquet file; the row group that was read last is kept."""

    def __init__(self, path: Path, name: str, starts: Sequence[int], at_once: int = AT_ONCE) -> None:
        self._path, self._name, self._starts, self._at_once = path, name, starts, at_once
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
            for batch in self._file().iter_batches(self._at_once, columns=[self._name], use_threads=False):
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
