"""The index of a store's records: one Parquet file beside them, so that a table of thousands opens no thousand files.

A reader holds a few rows of it at once. It is a cache and never trusted over the records. A row counts only while the
record file has the very size, times and inode it had when it was read, and while the row fits its own hash; any other
record is read again, with its checksum. A missing, damaged or older index is thus only slower. Files of a cell (its
predictions) are checked by their sizes, as `Store.read` does.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, overload

from harness.core.arrow_columns import arrow_column
from harness.core.errors import DamagedFileError, StoredFileError, UnreadableFileError
from harness.core.facts import CellRecord, Facts, FileFacts, facts_from
from harness.core.hashing import canonical_json
from harness.core.record_kinds import class_of
from harness.core.store import RECORD, SCHEMA_VERSION, RecordT, Store, replacing

INDEX = "index.parquet"
VERSION = f"3.{SCHEMA_VERSION}"
DROPPED = ("spec", "environment", "decoding", "schema_version")
"""Parts of a record that no table needs, and half of it."""
SHARED = ("task", "model", "data")
"""Parts that many records have in common: stored once each, and one object for all."""
ABSENT = "null"
"""Of such a part, where a kind of records has none."""
AT_ONCE = 2048
"""Rows that are held while records are made of them."""
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


@contextlib.contextmanager
def no_collecting() -> Iterator[None]:
    """Without Python's search for cycles, which goes over all records again and again as they are made, for half of the
    time, and finds none.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class RecordIndex:
    """The index of one store, read row by row and written whenever it was not up to date."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._path = store.root / INDEX
        self._parsed: dict[str, Any] = {}
        self._parts: dict[tuple[type[Facts], str], Facts] = {}
        self._files: dict[str, dict[str, FileFacts]] = {}
        self._texts: dict[str, str] = {}

    @overload
    def read(self, keys: Iterable[str], damaged: Callable[[StoredFileError], None]) -> list[CellRecord]: ...
    @overload
    def read(
        self, keys: Iterable[str], damaged: Callable[[StoredFileError], None], kind: type[RecordT]
    ) -> list[RecordT]: ...
    def read(
        self, keys: Iterable[str], damaged: Callable[[StoredFileError], None], kind: type[Any] = CellRecord
    ) -> list[Any]:
        """The records under these keys without `DROPPED`, in their order, their `files` with sizes alone; those not
        there are left out. Parts of records may be one object.

        `damaged` is told of each record that is, which is left out too. `kind` is the class of the records; without it
        each has that of the kind it names.
        """
        asked = {key: key for key in keys}
        records: dict[str, Any] = {}
        errors: dict[str, StoredFileError] = {}
        changed = False
        for row in _known(self._path, asked) if asked else ():
            try:
                if _state(self._store, row.cell) != (row.size, row.mtime, row.ctime, row.inode):
                    changed = True
                    continue
                self._check_files(row)
                key = asked[row.cell]
                records[key] = self._record(row, kind, key)
            except StoredFileError as error:
                errors[row.cell] = error
        fresh = []
        for key in asked:
            if key in records or key in errors:
                continue
            try:
                row_read = _row(self._store, key, self._texts)
                if row_read is None:
                    continue
                if time.time_ns() - max(row_read.ctime, row_read.mtime) > SETTLED:
                    fresh.append(row_read)
                records[key] = self._record(row_read, kind, key)
            except StoredFileError as error:
                errors[key] = error
        for key in asked:
            if key in errors:
                damaged(errors[key])
        if fresh or changed:
            self._write(fresh)
        return [records[key] for key in asked if key in records]

    def _write(self, fresh: Sequence[Row]) -> None:
        """The rows there were whose records are as they were or unreadable now, and those that were read anew."""
        anew = {row.cell for row in fresh}
        kept = (row for row in _known(self._path) if row.cell not in anew and self._is_there(row))
        _write(self._path, chain(kept, fresh))

    def _is_there(self, row: Row) -> bool:
        try:
            return _state(self._store, row.cell) == (row.size, row.mtime, row.ctime, row.inode)
        except UnreadableFileError:
            return True

    def _record(self, row: Row, kind: type[CellRecord], key: str) -> CellRecord:
        content = json.loads(row.rest)
        if content.get("cell"):
            content["cell"] = key  # as the caller has it: one text for both
        chosen = class_of(content.get("kind")) if kind is CellRecord else kind
        where = f"{self._store.root}/cells/{row.cell[:2]}/{row.cell}/{RECORD}"
        for name, text in (("task", row.task), ("model", row.model), ("data", row.data)):
            if text != ABSENT:
                content[name] = self._part(chosen, name, text, where)
        content["files"] = self._files_of(row.files, where)
        return facts_from(chosen, content, where)

    def _part(self, kind: type[CellRecord], name: str, text: str, where: str) -> Any:
        """A part of a record as its class has it, one object for all records that share it."""
        field = kind.model_fields.get(name)
        part = field.annotation if field is not None else None
        if not (isinstance(part, type) and issubclass(part, Facts)):
            return self._shared(text)
        known = self._parts.get((part, text))
        if known is None:
            known = self._parts[part, text] = facts_from(part, self._shared(text), f"{where}, {name}")
        return known

    def _files_of(self, text: str, where: str) -> dict[str, FileFacts]:
        """One object for all records whose files have these sizes."""
        known = self._files.get(text)
        if known is None:
            sizes = self._shared(text)
            known = {name: facts_from(FileFacts, {"bytes": size}, f"{where}, {name}") for name, size in sizes}
            self._files[text] = known
        return known

    def _check_files(self, row: Row) -> None:
        for name, size in self._shared(row.files):
            path = f"{self._store.root}/cells/{row.cell[:2]}/{row.cell}/{name}"
            try:
                fits = os.stat(path).st_size == size  # noqa: PTH116
            except OSError:
                fits = self._store.waits_for(name)
            if not fits:
                self._store.read(row.cell)  # says what is wrong with it
                raise DamagedFileError(f"{path} is damaged")

    def _shared(self, text: str) -> Any:
        content = self._parsed.get(text)
        if content is None:
            content = self._parsed[text] = json.loads(text)
        return content


def _row(store: Store, key: str, alike: dict[str, str]) -> Row | None:
    """Of the record itself, checked; None where there is none. Parts that others have too are the texts of `alike`.
    Raises StoredFileError.
    """
    before = _state(store, key)
    if before is None:
        return None
    record = store.read(key).as_json()
    files = [[name, facts["bytes"]] for name, facts in record.get("files", {}).items()]
    rest = {name: value for name, value in record.items() if name not in (*DROPPED, *SHARED, "files")}
    parts = (canonical_json(part) for part in (files, *(record.get(name) for name in SHARED)))
    texts = *(alike.setdefault(text, text) for text in parts), canonical_json(rest)
    return Row(key, *before, *texts)


def _state(store: Store, key: str) -> tuple[int, int, int, int] | None:
    """Size, times of change in nanoseconds, and inode of a record's file; None where there is none. Raises
    UnreadableFileError.
    """
    path = f"{store.root}/cells/{key[:2]}/{key}/{RECORD}"
    try:
        stat = os.stat(path)  # noqa: PTH116 - a third of the time of Path's
    except (FileNotFoundError, NotADirectoryError):
        return _state(store, key) if store.fetch(key) else None
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror}; nothing was changed") from None
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def damage_of_index(path: Path) -> None:
    """Raises DamagedFileError where an index is no whole one, or has a row that does not fit its hash."""
    try:
        sound = all(row.seal() == seal for row, seal in _rows(path))
    except ValueError:
        sound = False
    if not sound:
        raise DamagedFileError(f"{path} is damaged: not what was written, or by another version")


def _known(path: Path, keys: Container[str] | None = None) -> Iterator[Row]:
    """The rows of an index that fit their hashes, of these cells or of all; none where there is no index, and none
    after what is not sound.
    """
    if path.exists():
        with contextlib.suppress(ValueError):
            yield from (row for row, seal in _rows(path, keys) if row.seal() == seal)


def _rows(path: Path, keys: Container[str] | None = None) -> Iterator[tuple[Row, bytes]]:
    """The rows of an index and their hashes, those of some cells alone where these are given. Raises ValueError where
    it is no whole one of this version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if (file.schema_arrow.metadata or {}).get(b"harness_index") != VERSION.encode():
                raise ValueError("another version")
            for batch in file.iter_batches(AT_ONCE, columns=[*NAMES, "seal"]):
                lists = [batch.column(name).to_pylist() for name in NAMES]
                for *values, seal in zip(*lists, batch.column("seal").to_pylist(), strict=True):
                    if keys is None or values[0] in keys:
                        yield Row(*values), seal
    except (OSError, pa.ArrowException, KeyError, TypeError) as error:
        raise ValueError(str(error)) from None


def _write(path: Path, rows: Iterable[Row]) -> None:
    """Whole or not at all, a few rows at a time. Where results cannot be written to, tables are made without."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = [(field.name, pa.int64() if field.type == "int" else pa.string()) for field in fields(Row)]
    schema = pa.schema([*kinds, ("seal", pa.binary(16))], {"harness_index": VERSION})
    remaining = iter(rows)
    with (
        contextlib.suppress(OSError),
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, write_page_checksum=True) as writer,
    ):
        while some := list(islice(remaining, AT_ONCE)):
            columns = [arrow_column((getattr(row, name) for row in some), kind) for name, kind in kinds]
            seals = arrow_column((row.seal() for row in some), pa.binary(16))
            writer.write_table(pa.Table.from_arrays([*columns, seals], schema=schema))
