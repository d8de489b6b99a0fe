"""Content hashes: of JSON-able values, of files, of source code."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def hash_json(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `value`: sorted keys, no spaces, UTF-8."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def hash_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(paths: Iterable[Path]) -> str:
    """Of the names and bytes of files."""
    return hash_json([(path.name, hash_file(path)) for path in sorted(paths)])


def states_of(paths: Iterable[Path | os.DirEntry[str]]) -> list[list[int]]:
    """What changes whenever the bytes of files do, found without reading them: device, inode, times of change in
    nanoseconds, and size. Size and time of modification alone do not: an archive or a checkout restores them.

    Raises:
        OSError: a file has gone, or cannot be looked at.
    """
    stats = [path.stat() for path in paths]
    _wait_for_a_new_time(max((stat.st_ctime_ns for stat in stats), default=0))
    return [[stat.st_dev, stat.st_ino, stat.st_ctime_ns, stat.st_mtime_ns, stat.st_size] for stat in stats]


TICK = 20_000_000
"""Nanoseconds in which a file system may give two changes one time; one that knows whole seconds alone takes two."""


def _wait_for_a_new_time(changed: int) -> None:
    """Let the time of the last change pass, so that a change after what is read now has another."""
    tick = TICK if changed % 1_000_000_000 else 2_000_000_000
    age = time.time_ns() - changed
    if 0 <= age < tick:
        time.sleep((tick - age) / 1e9)


def fingerprint_of(folder: Path) -> str:
    """Of the bytes of all files of a model."""
    return hash_files(path for path in folder.iterdir() if path.is_file())


def short(digest: str) -> str:
    """The first 12 hex digits: how hashes are shown to people."""
    return digest[:12]
