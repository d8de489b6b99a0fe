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
