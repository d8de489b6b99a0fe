"""Columns of raw items: cells that name a file, hold its bytes, or are items already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.core.columns import LazyCells
from harness.core.errors import HarnessError
from harness.core.items import Item, identity_of, item_of_bytes
from harness.core.known_items import hashes_of
from harness.core.text import clipped
from harness.data.table import Table

MOST_FOLDERS = 1000
"""Folders that are looked through for the files that a table names."""


def read_items(table: Table, column: str, modality: str) -> tuple[Item, ...]:
    """The cells of a column as items.

    A cell is a path, absolute or from the folder of the file that names it (or from one folder there that holds it),
    bytes, a mapping of `bytes` and `path` as `datasets` has them, or an item.

    Raises:
        HarnessError: a cell is empty or of another kind, or its file is missing; with the row.
    """
    cells = table.read_column(column)
    paths = _paths(table, column, cells, modality)
    _refuse_missing(table, column, paths)
    named = [path for path in paths if path is not None]
    try:
        hashes = iter(hashes_of(named, folder_of(table)))
    except OSError as error:
        raise HarnessError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return tuple(
        _item_in(cells, index, cell, table) if path is None else _item_at(path, next(hashes), table, index)
        for index, (cell, path) in enumerate(zip(cells, paths, strict=True))
    )


def files_of(table: Table, column: str, modality: str) -> list[Path]:
    """The files that the cells of a column name, without those that are missing."""
    paths = _paths(table, column, table.read_column(column), modality)
    return [path for path in paths if path is not None and path.is_file()]


def with_their_files(table: Table, column: str, modality: str) -> Table:
    """The rows whose files are there."""
    paths = _paths(table, column, table.read_column(column), modality)
    keep = [index for index, path in enumerate(paths) if path is None or path.is_file()]
    if not keep:
        _refuse_missing(table, column, paths)
    return table if len(keep) == len(paths) else table.select(keep)


def folder_of(table: Table) -> Path:
    """Where relative paths in a table start: the folder it is, or that of its file."""
    where = Path(table.where)
    return where if where.is_dir() else where.parent


def _paths(table: Table, column: str, cells: Sequence[Any], modality: str) -> list[Path | None]:
    """The file of each cell; None where it is no path."""
    names = [_name_in(cell, partial(_place, table, index, column), modality) for index, cell in enumerate(cells)]
    first = next((name for name in names if name is not None), None)
    if first is None:
        return [None] * len(names)
    base = _base(table, first)
    return [None if name is None else base / name for name in names]


def _place(table: Table, index: int, column: str) -> str:
    return f"{table.place(index)}: column '{column}'"


def _name_in(cell: Any, place: Callable[[], str], modality: str) -> str | None:
    """The path in a cell; None where it holds the item itself."""
    if isinstance(cell, Item) or (isinstance(cell, bytes) and cell):
        return None
    if isinstance(cell, dict) and ("bytes" in cell or "path" in cell):
        if cell.get("bytes"):
            return None
        cell = cell.get("path")
    if isinstance(cell, os.PathLike):
        cell = os.fspath(cell)
    if cell is None or cell in ("", b""):
        raise HarnessError(f"{place()} should hold {modality} files, found nothing")
    if not isinstance(cell, str) or "\0" in cell:
        raise HarnessError(f"{place()} should hold {modality} files, found {type(cell).__name__}")
    if cell.startswith(("http://", "https://", "s3://", "gs://")):
        raise HarnessError(f"{place()}: {clipped(cell, 80)} is an address; download it, and give its path")
    return cell


def _base(table: Table, name: str) -> Path:
    """The folder from which a table's paths lead, by the first of them. Raises HarnessError where several do."""
    folder = folder_of(table)
    if Path(name).is_absolute() or (folder / name).is_file():
        return folder
    stem = Path(table.where).stem
    for root in (folder, folder.parent):
        holding = [below for below in _folders_in(root) if (below / name).is_file()]
        holding = [below for below in holding if below.name == stem] or holding
        if len(holding) > 1:
            raise HarnessError(
                f"{table.where}: {clipped(name, 80)} is in {holding[0]} and in {holding[1]}; give paths that say which"
            )
        if holding:
            return holding[0]
    return folder


def _folders_in(root: Path) -> Iterator[Path]:
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return
    yield root
    yield from folders[:MOST_FOLDERS]


def _refuse_missing(table: Table, column: str, paths: Sequence[Path | None]) -> None:
    missing = [index for index, path in enumerate(paths) if path is not None and not path.is_file()]
    if missing:
        path = paths[missing[0]]
        assert path is not None
        what = "a folder, not a file" if path.is_dir() else "no such file"
        more = f"; so it is for {len(missing)} of {len(paths)} rows" if len(missing) > 1 else ""
        raise HarnessError(f"{_place(table, missing[0], column)}: {what}: {path}{more}")


def _item_at(path: Path, digest: str, table: Table, index: int) -> Item:
    identity = f"sha256:{digest}"
    row = table.place(index)  # of a folder without a table it is the path itself
    place = str(path) if row.endswith(path.name) else f"{row}: {path}"
    return Item(identity, path.name, place, partial(_read, path, identity))


def _read(path: Path, identity: str) -> bytes:
    return _unchanged(path.read_bytes(), identity, str(path))


def _unchanged(content: bytes, identity: str, place: str) -> bytes:
    if identity_of(content) != identity:
        raise HarnessError(f"{place}: was changed while it was read; run again")
    return content


def _item_in(cells: Sequence[Any], index: int, cell: Any, table: Table) -> Item:
    """The item that a cell holds; of a column that is not in memory, it is read there again when it is asked for."""
    if isinstance(cell, Item):
        return cell
    content, place = _content(cell), table.place(index)
    path = cell.get("path") if isinstance(cell, dict) else None
    label = Path(path).name if path else f"row {table.numbers[index]}"
    if not isinstance(cells, LazyCells):
        return item_of_bytes(content, label, place)
    identity = identity_of(content)
    return Item(identity, label, place, lambda: _unchanged(_content(cells[index]), identity, place))


def _content(cell: Any) -> bytes:
    return cell if isinstance(cell, bytes) else cell["bytes"]
