"""The store: one folder a cell, addressed by the hash of its spec; written whole or not at all; checked when read.

ROOT/cells/ab/abcd…/record.json   the record, with a checksum of itself and of every file beside it
ROOT/cells/ab/abcd…/…             the cell's files (a model, predictions)
ROOT/failures/abcd….json          the last failure of a cell that has no record
ROOT/runs/NAME.json               what each run asked for, and its cells
ROOT/index.parquet              what tables need of the records (`record_index`); made anew where it is missing
ROOT/cache/abcd….json             facts that can be found again (fingerprints of data and weights)
ROOT/partial/abcd…/…              checkpoints of a pretraining that is not finished
ROOT/locks, ROOT/building         work in progress
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import DamagedFileError, HarnessError, did_you_mean
from harness.core.hashing import hash_file, hash_json
from harness.core.reading import ReadingError, read_object
from harness.core.source_names import canonical_record

RECORD = "record.json"
SCHEMA_VERSION = 1


class Store:
    """A folder of records. Several processes may use one store at once.

    `verify`: nothing that was found before is believed; facts in the cache are found anew.
    """

    def __init__(self, root: Path, verify: bool = False) -> None:
        self.root = root
        self.verify = verify

    @classmethod
    def open(cls, root: Path, verify: bool = False) -> Store:
        """The store at `root`, made if it is not there. Raises HarnessError where that cannot be."""
        try:
            for name in ("cells", "failures", "runs", "cache", "locks", "building"):
                (root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HarnessError(
                f"cannot use {root} as the results folder: {error.strerror}; choose another with --out"
            ) from None
        return cls(root, verify)

    def folder(self, key: str) -> Path:
        return self.root / "cells" / key[:2] / key

    # Cells

    def has(self, key: str) -> bool:
        """Whether a cell is done: its record is there and sound, and its files have the recorded sizes.

        Raises:
            DamagedFileError: something is there that is not what was written.
        """
        return self.find(key) is not None

    def find(self, key: str) -> dict[str, Any] | None:
        """The record of a cell, checked as `read` does; None where the cell is not done."""
        return self.read(key) if (self.folder(key) / RECORD).exists() else None

    def find_all(self, keys: Iterable[str], damaged: Callable[[DamagedFileError], None]) -> list[dict[str, Any]]:
        """The records of those of these cells that are done, in their order; `damaged` is told of each that is."""
        records = []
        for key in keys:
            try:
                record = self.find(key)
            except DamagedFileError as error:
                damaged(error)
                continue
            if record is not None:
                records.append(record)
        return records

    def read(self, key: str) -> dict[str, Any]:
        """The record of a cell. Raises DamagedFileError, naming the file, where it or a file's size is not what was
        written.
        """
        path = self.folder(key) / RECORD
        record = _read_checked(path)
        for name, facts in record.get("files", {}).items():
            file = self.folder(key) / name
            if not file.exists():
                raise DamagedFileError(f"{file} is missing")
            if file.stat().st_size != facts["bytes"]:
                raise DamagedFileError(f"{file} is damaged: {file.stat().st_size} bytes, written were {facts['bytes']}")
        return canonical_record(record)

    def file(self, key: str, name: str) -> Path:
        """A cell's file, its bytes checked against the record. Raises DamagedFileError."""
        facts = self.read(key)["files"][name]
        path = self.folder(key) / name
        if hash_file(path) != facts["sha256"]:
            raise DamagedFileError(f"{path} is damaged: its bytes are not those its record names")
        return path

    def model(self, key: str) -> Path:
        """The model folder of a pretrain, finetune or compress cell, all its files checked. Raises DamagedFileError."""
        self.check(key)
        return self.folder(key) / "model"

    def check(self, key: str) -> None:
        """Read a cell that is done whole. Raises DamagedFileError where a byte of it is not what was written."""
        for name in self.read(key)["files"]:
            self.file(key, name)

    @contextlib.contextmanager
    def building(self, key: str) -> Iterator[Path]:
        """A folder to build a cell in; `commit` makes it the cell, anything else removes it."""
        folder = self.root / "building" / f"{key[:16]}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, key: str, folder: Path, record: dict[str, Any]) -> dict[str, Any]:
        """Write the record beside the files built in `folder` and move all of it to its place in one rename."""
        files = {
            path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": hash_file(path)}
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        record = {"schema_version": SCHEMA_VERSION, **record, "cell": key, "files": files}
        _write_checked(folder / RECORD, record)
        _sync_folder(folder)
        place = self.folder(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # somebody else may have put the same cell there first
            folder.rename(place)
        if not (place / RECORD).exists():
            raise HarnessError(f"cannot write {place}: a file or an incomplete folder is in the way")
        (self.root / "failures" / f"{key}.json").unlink(missing_ok=True)
        shutil.rmtree(self.partial(key), ignore_errors=True)
        return record

    def partial(self, key: str) -> Path:
        """Where a cell that takes long keeps what it needs to go on; removed when the cell is done."""
        return self.root / "partial" / key

    def quarantine(self, key: str) -> None:
        """Move a damaged cell out of the way, so that it is computed again; its files stay for inspection in
        ROOT/damaged.
        """
        damaged = self.root / "damaged"
        damaged.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.folder(key).rename(damaged / f"{key[:16]}-{uuid.uuid4().hex[:8]}")

    def fail(self, key: str, failure: dict[str, Any]) -> None:
        _write_checked(
            self.root / "failures" / f"{key}.json", {"schema_version": SCHEMA_VERSION, "cell": key, **failure}
        )

    def failure(self, key: str) -> dict[str, Any] | None:
        path = self.root / "failures" / f"{key}.json"
        return _read_checked(path) if path.exists() else None

    @contextlib.contextmanager
    def try_lock(self, key: str) -> Iterator[bool]:
        """True while this process alone works on the cell; False where another does. A killed holder's lock is free
        again.
        """
        import filelock

        lock = filelock.FileLock(self.root / "locks" / f"{key}.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def prune(self, older_than: float = 86_400) -> None:
        """Remove what killed processes left in ROOT/building more than `older_than` seconds ago."""
        import time

        for folder in (self.root / "building").iterdir():
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > older_than:
                    shutil.rmtree(folder, ignore_errors=True)

    def keys(self) -> list[str]:
        return sorted(path.parent.name for path in (self.root / "cells").glob(f"*/*/{RECORD}"))

    # Runs

    def write_run(self, name: str, manifest: dict[str, Any]) -> None:
        _write_checked(self.root / "runs" / f"{name}.json", {"schema_version": SCHEMA_VERSION, "run": name, **manifest})

    def run_names(self) -> list[str]:
        """Names of the runs, oldest first; of those that started in one second the first to end."""
        runs = sorted(
            (self.root / "runs").glob("*.json"), key=lambda path: (self._started(path.stem), path.stat().st_mtime_ns)
        )
        return [path.stem for path in runs]

    def _started(self, name: str) -> str:
        match = re.match(r"\d{8}-\d{6}", name)
        return match.group() if match else ""

    def run(self, name: str) -> dict[str, Any]:
        """A run's manifest, by its name, a unique beginning or part of it, or `latest`.

        Raises:
            HarnessError: no such run, or several.
            DamagedFileError: the manifest is not what was written.
        """
        names = self.run_names()
        if not names:
            raise HarnessError(
                f"no runs in {self.root}; make one with `harness run --suite glue`, or name the folder with --out"
            )
        if name == "latest":
            name = names[-1]
        found = [name] if name in names else [known for known in names if name in known]
        if not found:
            raise HarnessError(f"no run '{name}' in {self.root}.{did_you_mean(name, names)}")
        if len(found) > 1:
            raise HarnessError(
                f"'{name}' fits {len(found)} runs in {self.root}: {', '.join(found[:5])}; write more of the name"
            )
        return canonical_record(_read_checked(self.root / "runs" / f"{found[0]}.json"))

    def runs(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """The manifests of these runs, or of all where none is named, oldest first. Raises as `run` does."""
        if names or not self.run_names():
            return [self.run(name) for name in names or ["latest"]]
        return [canonical_record(_read_checked(self.root / "runs" / f"{name}.json")) for name in self.run_names()]

    # Cache

    def cached(self, key: str) -> Any | None:
        """A cached fact, or None. A damaged one counts as none: it can be found again."""
        path = self.root / "cache" / f"{key}.json"
        try:
            return _read_checked(path)["value"] if path.exists() else None
        except DamagedFileError:
            return None

    def get_or_compute(self, key: str | None, find: Callable[[], Any]) -> Any:
        """A cached fact, found and kept where it is not there yet; found anew where `key` is None: nothing pins it."""
        known = self.cached(key) if key and not self.verify else None
        if known is None:
            known = find()
            if key:
                self.cache(key, known)
        return known

    def cache(self, key: str, value: Any) -> None:
        _write_checked(self.root / "cache" / f"{key}.json", {"value": value})


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to a temporary name beside `path`, then rename: a reader sees the old file or the new one, whole."""
    try:
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error.strerror}") from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, which takes its place where nothing fails within, and is gone where it does.
    Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def maker_of(lineage: Mapping[str, Any]) -> str | None:
    """The cell that made the model of a score: of a compressed one the compression; None of one that was not trained
    for it.
    """
    return lineage.get("compress") or lineage.get("finetune") or None


def _write_checked(path: Path, content: dict[str, Any]) -> None:
    content = {key: value for key, value in content.items() if key != "checksum"}
    checked = {**content, "checksum": hash_json(content)}
    write_atomically(path, json.dumps(checked, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _read_checked(path: Path) -> dict[str, Any]:
    try:
        content = read_object(path)
        checksum = content.pop("checksum")
        sound = checksum == hash_json(content)
    except ReadingError as error:
        if error.missing:
            raise DamagedFileError(f"{path} is missing") from None
        raise DamagedFileError(f"{path} is damaged: not a whole JSON record ({error.reason})") from None
    except KeyError:
        raise DamagedFileError(f"{path} is damaged: not a whole JSON record (no checksum)") from None
    if not sound:
        raise DamagedFileError(f"{path} is damaged: its content does not fit its checksum")
    if (
        not isinstance(content.get("schema_version", SCHEMA_VERSION), int)
        or content.get("schema_version", 1) > SCHEMA_VERSION
    ):
        raise HarnessError(
            f"{path} was written by a newer harness (schema {content['schema_version']}); upgrade nlp-harness"
        )
    return content


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
