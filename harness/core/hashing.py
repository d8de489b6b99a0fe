"""Content hashes: of JSON-able values, of files, of source code."""

from __future__ import annotations

import hashlib
import json
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


def fingerprint_of(folder: Path) -> str:
    """Of the bytes of all files of a model."""
    return hash_files(path for path in folder.iterdir() if path.is_file())


def short(digest: str) -> str:
    """The first 12 hex digits: how hashes are shown to people."""
    return digest[:12]
