"""The store: one folder a cell, addressed by the hash of its spec; written whole or not at all; checked when read.

ROOT/cells/ab/abcd…/record.json   the record, with a checksum of itself and of every file beside it
ROOT/cells/ab/abcd…/…             the cell's files (a model, predictions)
ROOT/failures/abcd….json          the last failure of a cell that has no record
ROOT/runs                         what each run asked for, and its cells (`manifests`)
ROOT/index.parquet              what tables need of the records (`record_index`); made anew where it is missing
ROOT/cache/abcd….json             facts that can be found again (fingerprints of data and weights)
ROOT/partial/abcd…/…              checkpoints of a pretraining that is not finished
ROOT/locks, ROOT/building         work in progress
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

from harness.core.atomic import move_folder, new_folder, prune_scratch, replacing, write_atomically
from harness.core.cached_facts import read_fact
from harness.core.checked import SCHEMA_VERSION, read_checked, write_checked
from harness.core.checksums import check_files, check_sums, facts_of_files, hash_checked, write_sums
from harness.core.errors import DamagedFileError, HarnessError, StoredFileError, UnreadableFileError, UnwritableError
from harness.core.facts import CellRecord, FileFacts, facts_from
from harness.core.locks import holding, prune_lock
from harness.core.manifests import Manifests
from harness.core.record_kinds import class_of
from harness.core.remote import RECORD, remote_of
from harness.core.source_names import canonical_record
from harness.core.text import say

RecordT = TypeVar("RecordT", bound=CellRecord)


class Store(Manifests):
    """A folder of records. Several processes may use one store at once.

    `verify`: nothing that was found before is believed; facts in the cache are found anew.
    """

    def __init__(self, root: Path, verify: bool = False) -> None:
        super().__init__(root, self._state_of)
        self.root = root
        self.verify = verify
        self._remote = remote_of(root)

    @classmethod
    def open(cls, root: Path, verify: bool = False) -> Store:
        """The store at `root`, made if it is not there. Raises HarnessError where that cannot be."""
        try:
            for name in ("cells", "failures", "runs", "cache", "locks", "building"):
                (root / name).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root / "locks"):
                pass
        except OSError as error:
            raise HarnessError(
                f"cannot use {root} as the results folder: {error.strerror}; choose another with --results"
            ) from None
        return cls(root, verify)

    @classmethod
    def around(cls, path: Path, otherwise: Path = Path("results")) -> Store:
        """The store that a model folder lies in, or the one at `otherwise`; nothing is made."""
        homes = [
            folder for folder in path.resolve().parents if (folder / "cells").is_dir() and (folder / "runs").is_dir()
        ]
        return cls(homes[0] if homes else otherwise)

    def folder(self, key: str) -> Path:
        return self.root / "cells" / key[:2] / key

    def write_run(self, name: str, manifest: dict[str, Any]) -> None:
        """As of manifests, and there too where this folder stands for an object store."""
        super().write_run(name, manifest)
        if self._remote is not None:
            self._remote.push_run(self.root / "runs" / f"{name}.json")

    # Cells

    def has(self, key: str) -> bool:
        """Whether a cell is done: its record is there and sound, and its files have the recorded sizes.

        Raises:
            DamagedFileError: something is there that is not what was written.
        """
        return self.find(key) is not None

    @overload
    def find(self, key: str) -> CellRecord | None: ...
    @overload
    def find(self, key: str, kind: type[RecordT]) -> RecordT | None: ...
    def find(self, key: str, kind: type[Any] = CellRecord) -> Any:
        """The record of a cell, checked as `read` does; None where the cell is not done."""
        return self.read(key, kind) if self._is_done(key) else None

    def _is_done(self, key: str) -> bool:
        """Raises UnreadableFileError where nobody can tell."""
        path = self.folder(key) / RECORD
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return self.fetch(key)
        except OSError as error:
            raise UnreadableFileError(f"{path} cannot be read: {error.strerror}; nothing was changed") from None
        return True

    def fetch(self, key: str) -> bool:
        """A cell that is not here, from the object store that this folder stands for; False where it is not there."""
        return self._remote is not None and self._remote.pull(key, self.folder(key))

    def _record_of(self, key: str) -> Path:
        path = self.folder(key) / RECORD
        if self._remote is not None and not path.exists():
            self.fetch(key)
        return path

    def waits_for(self, name: str) -> bool:
        """Whether a file of a cell may be missing here, as it is copied when it is asked for."""
        return self._remote is not None and name.startswith("model/")

    def _state_of(self, key: str) -> tuple[str, str] | None:
        """`done`, or `failed` and why, of a cell; None where neither is known."""
        if (self.folder(key) / RECORD).exists():
            return "done", ""
        with contextlib.suppress(HarnessError):
            failure = self.failure(key)
            return None if failure is None else ("failed", str(failure.get("cause", "")))
        return None

    @overload
    def find_all(self, keys: Iterable[str], damaged: Callable[[StoredFileError], None]) -> list[CellRecord]: ...
    @overload
    def find_all(
        self, keys: Iterable[str], damaged: Callable[[StoredFileError], None], kind: type[RecordT]
    ) -> list[RecordT]: ...
    def find_all(
        self, keys: Iterable[str], damaged: Callable[[StoredFileError], None], kind: type[Any] = CellRecord
    ) -> list[Any]:
        """The records of those of these cells that are done, in their order; `damaged` is told of each that is, or
        cannot be read.
        """
        records = []
        for key in keys:
            try:
                record = self.find(key, kind)
            except StoredFileError as error:
                damaged(error)
                continue
            if record is not None:
                records.append(record)
        return records

    @overload
    def read(self, key: str) -> CellRecord: ...
    @overload
    def read(self, key: str, kind: type[RecordT]) -> RecordT: ...
    def read(self, key: str, kind: type[Any] = CellRecord) -> Any:
        """The record of a cell.

        Args:
            key: The cell.
            kind: The class of its record; without it that of the kind which the record names.

        Raises:
            DamagedFileError: it, or a file's size, is not what was written; the file is named.
        """
        path = self._record_of(key)
        content = canonical_record(read_checked(path))
        record = facts_from(class_of(content.get("kind")) if kind is CellRecord else kind, content, path)
        if record.cell not in ("", key):
            raise DamagedFileError(f"{path} is damaged: it is the record of another cell")
        self._check_sizes(key, record)
        return record

    def _check_sizes(self, key: str, record: CellRecord) -> None:
        for name, facts in record.files.items():
            file = self.folder(key) / name
            try:
                size = file.stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                if self.waits_for(name):
                    continue
                raise DamagedFileError(f"{file} is missing") from None
            except OSError as error:
                raise UnreadableFileError(f"{file} cannot be read: {error.strerror}; nothing was changed") from None
            if size != facts.bytes:
                raise DamagedFileError(f"{file} is damaged: {size} bytes, written were {facts.bytes}")

    def _files(self, key: str) -> Mapping[str, FileFacts]:
        """What the record of a cell says of its files, whatever else is in it."""
        path = self._record_of(key)
        record = facts_from(CellRecord, read_checked(path), path)
        if any(self.waits_for(name) and not (path.parent / name).exists() for name in record.files):
            assert self._remote is not None
            self._remote.complete(key, path.parent)
        self._check_sizes(key, record)
        return record.files

    def file(self, key: str, name: str) -> Path:
        """A cell's file, its bytes checked against the record. Raises DamagedFileError."""
        files = self._files(key)
        if name not in files:
            raise DamagedFileError(f"{self.folder(key) / name} is missing: its record does not name it")
        check_files(self.folder(key), {name: files[name]})
        return self.folder(key) / name

    def model(self, key: str) -> Path:
        """The model folder of a pretrain, finetune or compress cell, all its files checked. Raises DamagedFileError."""
        self.check(key)
        return self.folder(key) / "model"

    def check(self, key: str) -> None:
        """Read a cell that is done whole. Raises DamagedFileError where a byte of it is not what was written."""
        check_files(self.folder(key), self._files(key))

    @contextlib.contextmanager
    def building(self, key: str) -> Iterator[Path]:
        """A folder to build a cell in, by the holder of its lock; `commit` makes it the cell, anything else removes
        it.
        """
        folder = self.root / "building" / f"{key}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, key: str, folder: Path, record: dict[str, Any]) -> dict[str, Any]:
        """Write the record beside the files built in `folder` and move all of it to its place in one rename."""
        record = {"schema_version": SCHEMA_VERSION, **record, "cell": key, "files": facts_of_files(folder)}
        write_checked(folder / RECORD, record)
        _sync_folder(folder)
        place = self.folder(key)
        if os.path.lexists(place) and not self._is_done(key):
            self.quarantine(key)  # a folder that was never whole
        try:
            move_folder(folder, place)
        except OSError as error:
            if not self._is_done(key):  # else somebody put the same cell there first
                raise HarnessError(f"cannot write {place}: {error.strerror or error}") from None
        (self.root / "failures" / f"{key}.json").unlink(missing_ok=True)
        shutil.rmtree(self.partial(key), ignore_errors=True)
        if self._remote is not None:
            self._remote.send(key, place, self.root)
        return record

    def partial(self, key: str) -> Path:
        """Where a cell that takes long keeps what it needs to go on; removed when the cell is done."""
        return self.root / "partial" / key

    def quarantine(self, key: str) -> None:
        """Move a damaged cell out of the way, so that it is computed again; its files stay for inspection in
        ROOT/damaged.
        """
        if self._remote is not None:
            self._remote.remove(key)
        with contextlib.suppress(FileNotFoundError):
            move_folder(self.folder(key), self.root / "damaged" / f"{key[:16]}-{uuid.uuid4().hex[:8]}")

    def fail(self, key: str, failure: dict[str, Any]) -> None:
        write_checked(
            self.root / "failures" / f"{key}.json", {"schema_version": SCHEMA_VERSION, "cell": key, **failure}
        )

    def failure(self, key: str) -> dict[str, Any] | None:
        """Why a cell failed last; None where it did not, or nobody can read why."""
        path = self.root / "failures" / f"{key}.json"
        with contextlib.suppress(StoredFileError):
            return read_checked(path) if path.exists() else None
        return None

    @contextlib.contextmanager
    def try_lock(self, key: str) -> Iterator[bool]:
        """True while this process alone works on the cell; False where another does. A killed holder's lock is free
        again.
        """
        with holding(self.root / "locks" / f"{key}.lock", wait=False) as is_mine:
            yield is_mine

    def prune(self) -> None:
        """Remove what killed processes left: cells half built, checkpoints of cells that are done, scratch folders."""
        for folder in _folders(self.root / "building"):
            self._prune(folder, folder.name.partition("-")[0])
        for folder in _folders(self.root / "partial"):
            if (self.folder(folder.name) / RECORD).exists():
                self._prune(folder, folder.name)
        for folder in _folders(self.root / "cache"):
            if folder.name.startswith("."):
                self._prune(folder, folder.name[1:].rpartition(".")[0])
        for lock in (self.root / "locks").glob("*.lock"):
            with contextlib.suppress(OSError):
                prune_lock(lock)
        prune_scratch()

    def _prune(self, folder: Path, key: str) -> None:
        """Remove a folder unless a process works on what it is named after."""
        with contextlib.suppress(OSError), self.try_lock(key) as is_mine:
            if is_mine:
                shutil.rmtree(folder, ignore_errors=True)

    def keys(self) -> list[str]:
        names = {path.parent.name for path in (self.root / "cells").glob(f"*/*/{RECORD}")}
        names.update(self._remote.keys() if self._remote is not None else ())
        return sorted(name for name in names if not name.startswith("."))

    def kept_folder(self, name: str, make: Callable[[Path], None]) -> Path:
        """A folder of the cache, its files checked; made where it is not there, and anew where it is damaged. Others
        who want it wait.
        """
        place = self.root / "cache" / name
        with holding(self.root / "locks" / f"{name}.lock"):
            if place.exists():
                try:
                    check_sums(place)
                    return place
                except DamagedFileError as error:
                    say(f"damaged: {error}; {place} is made again")
                    shutil.rmtree(place)
            try:
                with new_folder(place) as folder:
                    make(folder)
                    write_sums(folder)
            except OSError as error:
                raise HarnessError(f"cannot write {place}: {error.strerror or error}") from None
        return place

    # Cache

    def cached(self, key: str, kind: Any) -> Any | None:
        """A cached fact, or None. One that is damaged, or not of its kind, counts as none: it can be found again."""
        return read_fact(self.root / "cache" / f"{key}.json", kind)

    def get_or_compute(self, key: str | None, find: Callable[[], Any], kind: Any) -> Any:
        """A cached fact, found and kept where it is not there yet; found anew where `key` is None: nothing pins it.

        Args:
            key: What the fact depends on.
            find: Finds it, as JSON has it.
            kind: What it is (`harness.core.cached_facts`).

        Returns:
            The fact.
        """
        known = self.cached(key, kind) if key and not self.verify else None
        if known is None:
            known = find()
            if key:
                with contextlib.suppress(UnwritableError):  # an archive that is mounted read-only is read all the same
                    self.cache(key, known)
        return known

    def cache(self, key: str, value: Any) -> None:
        write_checked(self.root / "cache" / f"{key}.json", {"value": value})


def read_record(path: Path) -> CellRecord:
    """The record of a cell by its file, its checksum checked; those of the files beside it are not looked at. Raises
    as `read_checked` does.
    """
    content = canonical_record(read_checked(path))
    return facts_from(class_of(content.get("kind")), content, path)


def _folders(parent: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [path for path in parent.iterdir() if path.is_dir()]
    return []


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


__all__ = ["RECORD", "SCHEMA_VERSION", "Store", "hash_checked", "read_record", "replacing", "write_atomically"]
