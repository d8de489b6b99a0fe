"""Locks of files that end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """A new file that is locked from the moment it has its name. Raises OSError."""
    unnamed = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    handle = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        unnamed.rename(path)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def holding(path: Path, wait: bool = True) -> Iterator[bool]:
    """The lock of a file, which is made for it and removed afterwards. True while this process alone has it; False
    where another has, if `wait` is False. Raises OSError.
    """
    if fcntl is None:
        with _holding_on_windows(path, wait) as is_mine:
            yield is_mine
        return
    handle = _taken(path, wait, os.O_RDWR | os.O_CREAT)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            _release(path, handle)


def prune_lock(path: Path) -> None:
    """Remove the file of a lock that nobody holds. Raises OSError."""
    handle = None if fcntl is None else _taken(path, False, os.O_RDWR)
    if handle is not None:
        _release(path, handle)


def _taken(path: Path, wait: bool, flags: int) -> int | None:
    """The handle of a lock that is held now; None where another process holds it."""
    while True:
        handle = os.open(path, flags, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _is_at(handle, path):
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its holder removed the file meanwhile: the lock is another file's by now


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file is the one that has its name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _release(path: Path, handle: int) -> None:
    """Remove a lock's file while it is held, so that nobody takes it between."""
    try:
        with contextlib.suppress(OSError):
            path.unlink()
        fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _holding_on_windows(path: Path, wait: bool) -> Iterator[bool]:
    import filelock

    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a file; looking changes nothing, and takes no right to write. Where nobody
    can tell, it counts as held.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        if fcntl is None:
            return True
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
