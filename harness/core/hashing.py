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


def hash_code(paths: Iterable[Path]) -> str:
    """SHA-256 over the text of source files and folders of them, independent of where they are installed.

    Line endings and trailing blanks do not count, so that a checkout on another system agrees.
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        for file in files:
            digest.update(file.name.encode() + b"\0")
            for line in file.read_text(encoding="utf-8").splitlines():
                digest.update(line.rstrip().encode() + b"\n")
    return digest.hexdigest()


def short(digest: str) -> str:
    """The first 12 hex digits: how hashes are shown to people."""
    return digest[:12]
