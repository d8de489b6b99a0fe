"""Text and parquet files as tables. Every error names the file and, where it has lines, the line."""

from __future__ import annotations

import csv
import io
import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

from harness.core.columns import BATCH, LazyCells, are_many, mapped_texts
from harness.core.errors import HarnessError
from harness.core.reading import JsonError, parse_json
from harness.core.text import clipped
from harness.data.cells import ParquetCells
from harness.data.squad import is_squad, squad_table
from harness.data.table import Table, table_of, with_parts
from harness.data.text_files import LOOKED_AT, columns_of, is_large, lines_in, lines_of, opened, read_text

MOST_COLUMNS = 10_000
MALFORMED_FRACTION = 0.5
"""A download may hold rows with missing fields, which are counted; above this fraction it is not what it claims."""


def read_tsv(
    path: Path,
    is_header: Callable[[list[str]], bool] = lambda first: True,
    tolerate: bool = False,
) -> Table:
    """A tab-separated file in which a quote is a character like any other.

    The first line names the columns where `is_header` says so; else they are named by position: "0", "1", ….
    With `tolerate`, rows with the wrong number of fields are left out and counted.

    Raises:
        HarnessError: not UTF-8, empty, a cut-off last line, a row with the wrong number of fields (without
            `tolerate`) or more than `MALFORMED_FRACTION` of them (with it).
    """
    numbers, places, malformed = array("q"), array("q"), array("q")
    lines = enumerate(lines_in(path), start=1)
    start = next(lines)
    first = start[1][0].split("\t")
    header = is_header(first)
    names = tuple(name.strip() for name in first) if header else tuple(map(str, range(len(first))))

    def rows() -> Iterator[list[str]]:
        for place, (line, cut_off) in lines if header else chain([start], lines):
            if not line:
                continue
            row = line.split("\t")
            while len(row) > len(names) and row[-1] == "":
                row.pop()
            if len(row) == len(names):
                numbers.append(place - (2 if header else 1))
                places.append(place)
                yield row
                continue
            if len(row) < len(names) and cut_off:
                raise HarnessError(
                    f"{path}:{place}: the last line is cut off ({len(row)} of {len(names)} fields, no line end); "
                    "fetch the file again"
                )
            if not tolerate:
                raise HarnessError(f"{path}:{place}: {len(row)} fields where the first line has {len(names)}")
            malformed.append(place)

    columns = columns_of(path, names, rows())
    if len(malformed) > MALFORMED_FRACTION * (len(numbers) + len(malformed)):
        raise HarnessError(
            f"{path}:{malformed[0]}: {len(malformed)} of {len(numbers) + len(malformed)} rows do not have the "
            f"{len(names)} fields of the first line; the file is damaged or of another layout"
        )
    return _of_columns(path, names, columns, numbers, places, dropped=len(malformed))


DELIMITERS = (",", ";", "\t", "|")
SNIFFED = 20
"""Rows by which a delimiter is found."""


def found_delimiter(path: Path) -> str:
    """The first of `DELIMITERS` that cuts the first rows into equal numbers of fields, two or more; else the comma."""
    with opened(path) as stream:
        text = stream.read(LOOKED_AT if is_large(path) else -1) + stream.readline()
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            counts = {len(row) for row in islice(reader, SNIFFED) if row}
        except csv.Error:
            continue
        if len(counts) == 1 and counts.pop() > 1:
            return delimiter
    return DELIMITERS[0]


def read_csv(path: Path, delimiter: str | None = None) -> Table:
    """A file of columns with header and the usual quoting; the delimiter is found where it is None. Raises HarnessError
    as `read_tsv` does.
    """
    csv.field_size_limit(1 << 30)
    delimiter = delimiter or found_delimiter(path)
    with opened(path) as stream:
        rows = _csv_rows(path, csv.reader(stream, delimiter=delimiter, strict=True))
        _, header = next(rows, (0, []))
        names = tuple(name.strip() for name in header)
        places = array("q")

        def cells() -> Iterator[list[str]]:
            for place, row in rows:
                if len(row) != len(names):
                    raise HarnessError(f"{path}:{place}: {len(row)} fields where the header has {len(names)}")
                places.append(place)
                yield row

        columns = columns_of(path, names, cells())
    return _of_columns(path, names, columns, range(len(places)), places)


def _csv_rows(path: Path, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, and in which line each begins."""
    place = 1
    try:
        for row in reader:
            if row:
                yield place, row
            place = reader.line_num + 1
    except csv.Error as error:
        raise HarnessError(f"{path}:{place}: not CSV: {error}") from None


def read_jsonl(path: Path) -> Table:
    """One JSON object a line. Raises HarnessError with the line that is none."""
    places = array("q")
    seen = _Seen()

    def records() -> Iterator[tuple[str, dict[str, Any]]]:
        for place, (line, _) in enumerate(lines_in(path), start=1):
            if not line.strip():
                continue
            try:
                record = parse_json(line, finite=False)
            except JsonError as error:
                raise HarnessError(f"{path}:{place}: {error}") from None
            if not isinstance(record, dict):
                raise HarnessError(f"{path}:{place}: expected an object, found {type(record).__name__}")
            places.append(place)
            seen.note(record)
            yield line, record

    held: Sequence[dict[str, Any]]
    if is_large(path):
        held = ParsedLines(mapped_texts(line for line, _ in records()))
    else:
        held = [record for _, record in records()]
    return _of_records(path, held, places, seen)


class ParsedLines(LazyCells):
    """Objects that stand a line each in a file."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def at(self, index: int) -> Any:
        return json.loads(self._lines[index])

    def __iter__(self) -> Iterator[Any]:
        return map(json.loads, self._lines)


class CellsOfObjects(LazyCells):
    """What objects hold under a name; None where they lack it."""

    def __init__(self, objects: Sequence[Mapping[str, Any]], name: str) -> None:
        self._objects, self._name = objects, name

    def __len__(self) -> int:
        return len(self._objects)

    def at(self, index: int) -> Any:
        return self._objects[index].get(self._name)

    def __iter__(self) -> Iterator[Any]:
        return (record.get(self._name) for record in self._objects)


def read_json(path: Path, key: str | None = None) -> Table:
    """A JSON list of objects, an object that holds one (`{"data": [...]}`, or under the `key` given) or lists of equal
    length (columns), SQuAD's JSON, or one object a line. Raises HarnessError where the file holds anything else.
    """
    try:
        content = _parse_json(path)
    except HarnessError:
        lines = lines_of(read_text(path))
        if len(lines) > 1 and all(_is_object(line) for line in lines[:SNIFFED] if line.strip()):
            return read_jsonl(path)
        raise
    if key is not None:
        content = _below(content, key, path)
    if is_squad(content) and any(isinstance(article, dict) and "paragraphs" in article for article in content["data"]):
        return squad_table(path, content)
    if isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list)]
        rows = [value for value in lists if value and all(isinstance(row, dict) for row in value)]
        if len(rows) == 1 and len(lists) == 1:
            return _of_records(path, rows[0], None)
        if lists and len(lists) == len(content) and len({len(column) for column in lists}) == 1:
            return table_of(content, str(path))
        if len(content) > 1 and not lists and all(not isinstance(value, dict) for value in content.values()):
            return _of_records(path, [content], None)  # one row, one object a line
    if not isinstance(content, list) or not all(isinstance(record, dict) for record in content):
        raise HarnessError(
            f"{path}: expected a list of objects, an object with one list of them, columns, one object a line, or "
            "SQuAD's object with 'data'"
        )
    return _of_records(path, content, None)


def _below(content: Any, key: str, path: Path) -> Any:
    if not isinstance(content, dict) or key not in content:
        keys = clipped(", ".join(content)) if isinstance(content, dict) else "none"
        raise HarnessError(f"{path}: no key '{key}'; keys found: {keys}")
    return content[key]


def _is_object(line: str) -> bool:
    try:
        return isinstance(parse_json(line, finite=False), dict)
    except JsonError:
        return False


def read_squad(path: Path) -> Table:
    """SQuAD's JSON. Raises HarnessError, with the place, where the file holds anything else."""
    content = _parse_json(path)
    if not is_squad(content):
        raise HarnessError(f"{path}: expected SQuAD's JSON, an object whose 'data' is a list of articles")
    return squad_table(path, content)


def _parse_json(path: Path) -> Any:
    try:
        return parse_json(read_text(path), finite=False)
    except JsonError as error:
        raise HarnessError(f"{path}{f':{error.line}' if error.line else ''}: {error}") from None


def read_parquet(path: Path) -> Table:
    """A parquet file; columns are read when asked for. Raises HarnessError where it is none."""
    import pyarrow
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(path)
        metadata = pyarrow.parquet.read_metadata(path)
        groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise HarnessError(f"{path}: not a parquet file: {' '.join(str(error).split())}") from None

    def read_column(name: str) -> Sequence[Any]:
        kind = schema.field(name).type
        if _holds_bytes(kind):
            return ParquetCells(path, name, [0, *accumulate(groups)])
        if _is_text(kind) and are_many(metadata.num_rows):
            return ParquetCells(path, name, [0, *accumulate(groups)], BATCH)
        try:
            values = pyarrow.parquet.read_table(path, columns=[name]).column(0).to_pylist()
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            raise HarnessError(f"{path}: column '{name}': {' '.join(str(error).split())}") from None
        return as_written(values) if kind == pyarrow.float32() else values

    parts = {
        field.name: [part.name for part in field.type.fields if _is_named(part.type)]
        for field in schema
        if pyarrow.types.is_struct(field.type)
    }
    return with_parts(Table(str(path), tuple(schema.names), read_column, range(metadata.num_rows)), parts)


def _holds_bytes(kind: Any) -> bool:
    """Whether cells hold files, as bytes or as `datasets` has them."""
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind.fields)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _is_named(kind: Any) -> bool:
    """Whether parts of this type are columns of their own: texts and whole numbers."""
    import pyarrow

    return _is_text(kind) or pyarrow.types.is_integer(kind)


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    is_view = getattr(types, "is_string_view", lambda kind: False)
    return types.is_string(kind) or types.is_large_string(kind) or is_view(kind)


def as_written(values: Sequence[float | None]) -> list[float | None]:
    """Single-precision numbers as their shortest decimals: 3.8 as in a text file, not 3.799999952316284."""
    import numpy as np

    return [None if value is None else float(str(np.float32(value))) for value in values]


READERS: dict[str, Callable[[Path], Table]] = {
    ".jsonl": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}


def _of_columns(
    path: Path,
    names: tuple[str, ...],
    columns: Sequence[Sequence[str]],
    numbers: Sequence[int],
    lines: Sequence[int],
    dropped: int = 0,
) -> Table:
    _check_columns(names, path)
    return Table(str(path), names, lambda name: columns[names.index(name)], numbers, lines, dropped=dropped)


class _Seen:
    """The names of columns in objects that pass by, and the parts of those that hold mappings."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.parts: dict[str, dict[str, None]] = {}

    def note(self, record: Mapping[str, Any]) -> None:
        self.names.update(dict.fromkeys(record))
        for name, value in record.items():
            if isinstance(value, dict):
                held = [part for part, content in value.items() if isinstance(content, str | int)]
                self.parts.setdefault(name, {}).update(dict.fromkeys(held))


def _of_records(
    path: Path, records: Sequence[dict[str, Any]], lines: Sequence[int] | None, seen: _Seen | None = None
) -> Table:
    if seen is None:
        seen = _Seen()
        for record in records:
            seen.note(record)
    _check_columns(tuple(seen.names), path)

    def read_column(name: str) -> Sequence[Any]:
        cells = CellsOfObjects(records, name)
        return cells if isinstance(records, LazyCells) else list(cells)

    return with_parts(Table(str(path), tuple(seen.names), read_column, range(len(records)), lines), seen.parts)


def _check_columns(names: Sequence[str], path: Path) -> None:
    if len(names) > MOST_COLUMNS:
        raise HarnessError(f"{path}: {len(names):,} columns, at most {MOST_COLUMNS:,} are read; is it of this format?")
