"""The texts and the ids of a table's rows, checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.core.columns import LazyCells, MappedTexts, NumberedCells, are_many, mapped_texts
from harness.core.errors import HarnessError
from harness.data.frame import set_of_rows
from harness.data.table import Table


def texts_of(table: Table, column: str) -> Sequence[str]:
    """A column that holds text alone, of many rows in a file. Raises HarnessError with the row that has none."""
    values: Sequence[Any] = table.read_column(column)
    if isinstance(values, MappedTexts):
        return values
    texts = _checked(table, column, values)
    return mapped_texts(texts) if isinstance(values, LazyCells) or are_many(len(values)) else tuple(texts)


def _checked(table: Table, column: str, values: Sequence[Any]) -> Iterator[str]:
    for index, value in enumerate(values):
        if not isinstance(value, str):
            kind = "nothing" if value is None else type(value).__name__
            raise HarnessError(f"{table.place(index)}: column '{column}' should hold text, found {kind}")
        if not value.isascii() and not _is_encodable(value):
            raise HarnessError(
                f"{table.place(index)}: column '{column}' holds half of a surrogate pair, which is no text"
            )
        yield value


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def ids_of(table: Table, split: str, column: str | None) -> Sequence[str]:
    """The ids of a split's rows: those of a column, else the split's name with their numbers. Raises HarnessError where
    one is given twice, or missing.
    """
    if column is None or column not in table.names:
        names = NumberedCells(f"{split}-", table.numbers)
        return names if are_many(len(names)) else tuple(names)
    ids: Sequence[str]
    if are_many(len(table)):
        ids = mapped_texts(map(_id_text, table.read_column(column)))
        if all(ids) and len(set_of_rows(zip(ids), len(ids))) == len(ids):
            return ids
    else:
        ids = tuple(map(_id_text, table.read_column(column)))
    seen: dict[str, int] = {}
    for index, value in enumerate(ids):
        if value in seen:
            raise HarnessError(f"{table.place(index)}: id '{value}' is already that of {table.place(seen[value])}")
        if not value:
            raise HarnessError(f"{table.place(index)}: column '{column}' should hold an id, found nothing")
        seen[value] = index
    return ids


def _id_text(value: Any) -> str:
    """An id as text: 1 and 1.0 are the same id; a missing one is the empty string."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
