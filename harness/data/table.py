"""What every reader delivers: columns by the names the source gives them, and where each row came from."""

from __future__ import annotations

import difflib
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from string import Formatter
from typing import Any

from harness.core.columns import chosen, joined
from harness.core.errors import HarnessError
from harness.core.source_specs import Columns
from harness.core.text import clipped

MOST_NAMED = 20
"""Columns that a message lists."""


@dataclass(frozen=True)
class Table:
    """One split as its source holds it: n rows, columns read on demand.

    `where` names the file or dataset in errors. `numbers` are the n row numbers in the source, from 0, with
    gaps where a reader left malformed rows out (`dropped` counts them). `lines` are the n line numbers of a
    text file, from 1; `places` are what else tells the n rows apart. `classes` names the classes of integer columns
    whose names the source knows. `notes` say what else a reader of the scores should know.
    """

    where: str
    names: tuple[str, ...]
    read_column: Callable[[str], Sequence[Any]]
    numbers: Sequence[int]
    lines: Sequence[int] | None = None
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dropped: int = 0
    places: Sequence[str] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    def place(self, index: int) -> str:
        """`file:line` of the row at `index`, or its name or number where the source has no lines."""
        if self.lines is not None:
            return f"{self.where}:{self.lines[index]}"
        if self.places is not None:
            return f"{self.where}, {self.places[index]}"
        return f"{self.where}, row {self.numbers[index]}"

    def select(self, indices: Sequence[int]) -> Table:
        """The rows at `indices`, in that order."""
        return replace(
            self,
            read_column=lambda name: chosen(self.read_column(name), indices),
            numbers=_numbers_at(self.numbers, indices),
            lines=None if self.lines is None else _numbers_at(self.lines, indices),
            places=None if self.places is None else _at(self.places, indices),
        )


def table_of(columns: Mapping[str, Sequence[Any]], where: str) -> Table:
    """A table of columns in memory, all of one length.

    Args:
        columns: The values of each column, by its name.
        where: What errors call the table.

    Returns:
        The table.
    """
    size = len(next(iter(columns.values()), ()))
    return Table(where, tuple(columns), columns.__getitem__, range(size))


class _Places(Sequence[str]):
    """Where the rows of several tables came from, said when it is asked for."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self.tables = tables
        self.starts = list(accumulate((len(table) for table in tables), initial=0))

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, index: Any) -> Any:
        which = bisect_right(self.starts, index) - 1
        return self.tables[which].place(index - self.starts[which]).rpartition("/")[2]


def one_after_another(tables: Sequence[Table], where: str) -> Table:
    """The rows of several tables as one, such as the shards of a split.

    Raises:
        HarnessError: their columns differ.
    """
    first, *others = tables
    for other in others:
        if set(other.names) != set(first.names):
            raise HarnessError(
                f"{where}: the columns of its parts differ: {', '.join(first.names)} in {first.where}, "
                f"{', '.join(other.names)} in {other.where}"
            )

    def read_column(name: str) -> Sequence[Any]:
        return joined([table.read_column(name) for table in tables])

    return Table(
        where, first.names, read_column, range(sum(len(table) for table in tables)), classes=first.classes,
        dropped=sum(table.dropped for table in tables), places=_Places(tables),
        notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)),
    )  # fmt: skip


def with_constant(table: Table, name: str, value: str) -> Table:
    """The table with a further column that has one value in all rows."""

    def read_column(asked: str) -> Sequence[Any]:
        return [value] * len(table) if asked == name else table.read_column(asked)

    return replace(table, names=(*table.names, name), read_column=read_column)


def _at(values: Sequence[Any], indices: Sequence[int]) -> list[Any]:
    return [values[index] for index in indices]


def _numbers_at(values: Sequence[int], indices: Sequence[int]) -> Sequence[int]:
    return array("q", (values[index] for index in indices))


def with_parts(table: Table, parts: Mapping[str, Iterable[str]]) -> Table:
    """The table with a column `name.part` for each of the `parts` of a column that holds mappings."""
    where = {f"{name}.{part}": (name, part) for name, of_it in parts.items() for part in of_it}
    where = {name: pair for name, pair in where.items() if name not in table.names}

    def read_column(name: str) -> Sequence[Any]:
        if name not in where:
            return table.read_column(name)
        whole, part = where[name]
        return [value.get(part) if isinstance(value, Mapping) else None for value in table.read_column(whole)]

    return replace(table, names=(*table.names, *where), read_column=read_column) if where else table


def with_composed(table: Table, columns: Columns) -> Table:
    """The table with a column for each text with braces that `columns` ask for and whose own columns are all there:
    `{question} {answer}` puts two columns together. A row that lacks one of them has no value.
    """
    asked = {name for field in columns for name in alternatives(columns, field)} - set(table.names)
    composed = {name: needed for name in asked if (needed := _columns_in(name)) and needed <= set(table.names)}

    def read_column(name: str) -> Sequence[Any]:
        if name not in composed:
            return table.read_column(name)
        parts = [
            (text, None if column is None else table.read_column(column))
            for text, column, _, _ in Formatter().parse(name)
        ]
        return [_composed(parts, row) for row in range(len(table))]

    return replace(table, names=(*table.names, *composed), read_column=read_column) if composed else table


def _columns_in(name: str) -> set[str]:
    """The columns that stand in braces in a name; none where it is the name of a column itself."""
    try:
        return {column for _, column, _, _ in Formatter().parse(name) if column}
    except ValueError:
        return set()


def _composed(parts: Sequence[tuple[str, Sequence[Any] | None]], row: int) -> str | None:
    values = [None if column is None else column[row] for _, column in parts]
    if any(value is None and column is not None for value, (_, column) in zip(values, parts, strict=True)):
        return None
    return "".join(text + ("" if value is None else str(value)) for value, (text, _) in zip(values, parts, strict=True))


def merge_rows(table: Table, by: str, gathered: str) -> Table:
    """One row for each run of rows with the same value in the column `by`: the first of them, with the values that all
    of them have in the column `gathered`, as a tuple.

    Raises:
        HarnessError: there is no column `by`.
    """
    values = table.read_column(require_column({by: by}, by, table))
    firsts = [index for index, value in enumerate(values) if index == 0 or value != values[index - 1]]
    ends = [*firsts[1:], len(values)]

    def read_column(name: str) -> Sequence[Any]:
        column = table.read_column(name)
        if name != gathered:
            return _at(column, firsts)
        return [tuple(column[first:end]) for first, end in zip(firsts, ends, strict=True)]

    return replace(table.select(firsts), read_column=read_column)


def rows_where(table: Table, wanted: Mapping[str, str]) -> Table:
    """The rows that have these texts in these columns.

    Raises:
        HarnessError: there is no such column, or no such row.
    """
    for name, text in wanted.items():
        column = table.read_column(require_column({name: name}, name, table))
        keep = [index for index, value in enumerate(column) if str(value) == text]
        if not keep:
            raise HarnessError(f"{table.where}: no row has {text} in its column {name}")
        table = table.select(keep) if len(keep) < len(table) else table
    return table


def alternatives(columns: Columns, name: str) -> list[str]:
    """The column names a canonical field may have, in the order they are tried."""
    names = columns[name]
    return [names] if isinstance(names, str) else names


def find_column(columns: Columns, name: str, names: Sequence[str]) -> str | None:
    """The column among `names`, or the text put together of some of them, that holds a canonical field; None where none
    does.
    """

    def is_there(candidate: str) -> bool:
        needed = _columns_in(candidate)
        return candidate in names or (bool(needed) and needed <= set(names))

    return next(filter(is_there, alternatives(columns, name)), None)


def require_column(columns: Columns, name: str, table: Table) -> str:
    """The column that holds `name`. Raises HarnessError, with the columns found, unless there is one."""
    column = find_column(columns, name, table.names)
    if column is None:
        raise HarnessError(f"{table.where}: {missing_column(columns, name, table.names)}")
    if table.names.count(column) > 1:
        raise HarnessError(f"{table.where}: column '{column}' is there twice; rename or remove one")
    return column


def _is_content(column: str) -> bool:
    """Whether what should be a column's name looks like what stands in one: a sentence or a number."""
    words = column.split()
    return len(words) > 4 or column.endswith((".", "!", "?")) or bool(re.fullmatch(r"-?\d+\.\d+", column))


def missing_column(columns: Columns, name: str, names: Sequence[str]) -> str:
    """Says which column is missing, what it may be called, which are there and which was probably meant."""
    tried = alternatives(columns, name)
    close = [match for candidate in tried for match in difflib.get_close_matches(candidate, names, n=1)]
    called = f" (looked for {', '.join(tried)})" if tried != [name] else ""
    hint = f" Did you mean '{close[0]}'?" if close else ""
    if not close and any(_is_content(column) for column in names):
        hint = " The first line looks like a row: a file without a header needs one."
    more = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    listed = ", ".join([*(clipped(column, 60) for column in names[:MOST_NAMED]), *more])
    return f"no column for '{name}'{called}; columns found: {listed}.{hint}"
