"""Files and folders that are there whole or not at all, and scratch folders that outlive nobody."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import HarnessError, UnwritableError
from harness.core.locks import is_held, lock_file

SCRATCH = "harness-scratch-"
OWNER = "owner.lock"
"""Locked while the process that made a folder lives."""
SUFFIX = 8
"""Characters that make a name one that nobody has."""
ABANDONED = 3600
"""Seconds after which an empty folder is nobody's: its maker died before it could lock it."""


def write_atomically(path: Path, text: str) -> None:
    """Write `text` to a temporary name beside `path`, then rename: a reader sees the old file or the new one, whole."""
    try:
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UnwritableError(f"cannot write {path}: {error.strerror}") from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, which takes its place where nothing fails within, and is gone where it does.
    Raises OSError.
    """
    temporary = path.with_name(f".{path.name[:200]}.{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder of a name that nobody has, which becomes `target` where nothing fails within, and is gone where it does;
    of a process that was killed the next one that wants the same removes it.

    Raises:
        OSError: it cannot be written, or something is at `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name[:200]}."
    _prune(target.parent, prefix)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        temporary.chmod(0o777 & ~_umask())
        with lock_file(temporary / OWNER):
            yield temporary
            if target.exists():
                raise FileExistsError(errno.EEXIST, "it is already there", str(target))
            (temporary / OWNER).unlink()
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def output_folder(target: Path) -> Iterator[Path]:
    """As `new_folder`. Raises HarnessError where it cannot be written."""
    try:
        with new_folder(target) as folder:
            yield folder
    except OSError as error:
        raise HarnessError(f"cannot write {target}: {error.strerror or error}") from None


def move_folder(source: Path, target: Path) -> None:
    """In one rename, also to another file system. Raises OSError, also where something is at `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with new_folder(target) as folder:
            shutil.copytree(source, folder, dirs_exist_ok=True)
        shutil.rmtree(source, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for files that nobody keeps. Those of processes that were killed go first."""
    prune_scratch()
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH))
    try:
        with lock_file(folder / OWNER):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prune_scratch() -> None:
    """Remove scratch folders whose makers are dead."""
    _prune(Path(tempfile.gettempdir()), SCRATCH)


def _prune(parent: Path, prefix: str) -> None:
    """Remove the folders of our making whose names begin so and whose makers are dead."""
    for folder in parent.iterdir():
        if not folder.name.startswith(prefix) or len(folder.name) != len(prefix) + SUFFIX:
            continue
        with contextlib.suppress(OSError):
            if not (folder / OWNER).exists():
                if time.time() - folder.stat().st_mtime > ABANDONED:
                    folder.rmdir()  # only where it is empty
            elif not is_held(folder / OWNER):
                shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
