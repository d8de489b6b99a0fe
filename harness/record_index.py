"""The index of a store's score records: one Parquet file beside them, so that a table of thousands opens no thousand
files.

It is a cache and never trusted over the records. A row counts only while the record file has the very size, times and
inode it had when it was read, and while the row fits its own hash; any other record is read again, with its checksum.
A missing, damaged or older index is thus only slower. Files of a cell (its predictions) are checked by their sizes, as
`Store.read` does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from harness.errors import DamagedFile
from harness.hashing import canonical_json
from harness.store import RECORD, SCHEMA_VERSION, Store, replacing

INDEX = "index.parquet"
VERSION = f"1.{SCHEMA_VERSION}"
DROPPED = ("spec", "environment", "timings", "decoding", "files", "schema_version")
"""Parts of a record that no table needs, and two thirds of it."""
SHARED = ("task", "model", "data")
"""Parts that many records have in common: stored once each, and one object for all."""
SETTLED = 2_000_000_000
"""A file changed within so many nanoseconds could change again without a new time; it is not indexed yet."""


@dataclass(frozen=True, slots=True)
class Row:
    """A record: its file's state, the sizes of the cell's files, and what is kept of it as JSON texts."""

    cell: str
    size: int
    mtime: int
    ctime: int
    inode: int
    files: str
    task: str
    model: str
    data: str
    rest: str

    def seal(self) -> bytes:
        """A hash of the whole row."""
        return hashlib.blake2b(repr((VERSION, *values_of(self))).encode(), digest_size=16).digest()


NAMES = [field.name for field in fields(Row)]
values_of = attrgetter(*NAMES)


def read_scores(store: Store, keys: Iterable[str], damaged: Callable[[DamagedFile], None]) -> list[dict[str, Any]]:
    """The records under these keys without `DROPPED`, in their order; those not there are left out. Parts of records
    may be one object: they are for reading only. The index is brought up to date where it was not.

    `damaged` is told of each record that is, which is left out too.
    """
    path = store.root / INDEX
    known = _read(path)
    parsed: dict[str, Any] = {}
    records, fresh, gone = [], [], []
    for key in keys:
        row = known.get(key)
        try:
            if row is None or _state(store, key) != (row.size, row.mtime, row.ctime, row.inode):
                if row is not None:
                    gone.append(key)
                row = _row(store, key)
                if row is None:
                    continue
                if time.time_ns() - max(row.ctime, row.mtime) > SETTLED:
                    fresh.append(row)
            else:
                _check_files(store, row, parsed)
        except DamagedFile as error:
            damaged(error)
            continue
        records.append(_record(row, parsed))
    if fresh or gone:
        for key in gone:
            known.pop(key, None)
        _write(path, [row for row in known.values() if _state(store, row.cell) is not None] + fresh)
    return records


def _row(store: Store, key: str) -> Row | None:
    """Of the record itself, checked; None where there is none. Raises DamagedFile."""
    before = _state(store, key)
    if before is None:
        return None
    record = store.read(key)
    files = [[name, facts["bytes"]] for name, facts in record.get("files", {}).items()]
    rest = {name: value for name, value in record.items() if name not in DROPPED and name not in SHARED}
    texts = (canonical_json(part) for part in (files, *(record.get(name) for name in SHARED), rest))
    return Row(key, *before, *texts)


def _record(row: Row, parsed: dict[str, Any]) -> dict[str, Any]:
    record = json.loads(row.rest)
    for name, text in (("task", row.task), ("model", row.model), ("data", row.data)):
        record[name] = _shared(text, parsed)
    return record


def _shared(text: str, parsed: dict[str, Any]) -> Any:
    found = parsed.get(text)
    if found is None:
        found = parsed[text] = json.loads(text)
    return found


def _state(store: Store, key: str) -> tuple[int, int, int, int] | None:
    """Size, times of change in nanoseconds, and inode of a record's file; None where there is none."""
    try:
        stat = os.stat(f"{store.root}/cells/{key[:2]}/{key}/{RECORD}")  # noqa: PTH116 - a third of the time of Path's
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _check_files(store: Store, row: Row, parsed: dict[str, Any]) -> None:
    for name, size in _shared(row.files, parsed):
        path = f"{store.root}/cells/{row.cell[:2]}/{row.cell}/{name}"
        try:
            fits = os.stat(path).st_size == size  # noqa: PTH116
        except OSError:
            fits = False
        if not fits:
            store.read(row.cell)  # says what is wrong with it
            raise DamagedFile(f"{path} is damaged")


def _read(path: Path) -> dict[str, Row]:
    """The rows of an index that fit their hashes; none where there is no index, or no sound one."""
    if not path.exists():
        return {}
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if (file.schema_arrow.metadata or {}).get(b"harness_index") != VERSION.encode():
                return {}
            table = file.read([*NAMES, "seal"])
        lists = [table.column(name).to_pylist() for name in NAMES]
        rows = (Row(*values) for values in zip(*lists, strict=True))
        return {
            row.cell: row
            for row, seal in zip(rows, table.column("seal").to_pylist(), strict=True)
            if row.seal() == seal
        }
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return {}


def _write(path: Path, rows: list[Row]) -> None:
    """Whole or not at all. Where results cannot be written to, tables are made without."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        field.name: pa.array(
            (getattr(row, field.name) for row in rows), pa.int64() if field.type == "int" else pa.string()
        )
        for field in fields(Row)
    }
    columns["seal"] = pa.array((row.seal() for row in rows), pa.binary(16))
    table = pa.table(columns).replace_schema_metadata({"harness_index": VERSION})
    with contextlib.suppress(OSError), replacing(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)
