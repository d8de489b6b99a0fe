"""What a server has answered, kept so that nothing is asked twice: a folder for each model, a file for each process."""

from __future__ import annotations

import json
import os
import threading
import uuid
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.hashing import hash_json


class KeptAnswers:
    """Answers by the hash of what was asked. A line that a killed process left half, or that was changed, counts as
    none; without a folder nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._lock = threading.Lock()
        self._file = None if folder is None else folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self._known: dict[str, Any] = {}
        for path in sorted(folder.glob("*.jsonl")) if folder is not None else ():
            for line in path.read_bytes().splitlines():
                self._read(line)

    def _read(self, line: bytes) -> None:
        try:
            key, answer, checksum = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            return
        if isinstance(key, str) and checksum == _checksum(key, answer):
            self._known[key] = answer

    def get(self, key: str) -> Any | None:
        return self._known.get(key)

    def keep(self, key: str, answer: Any) -> None:
        """Written before it is used. Raises HarnessError where it cannot be."""
        self._known[key] = answer
        if self._file is None:
            return
        try:
            with self._lock:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, answer, _checksum(key, answer)]) + "\n")
        except OSError as error:
            raise HarnessError(f"cannot write {self._file}: {error.strerror or error}") from None


def _checksum(key: str, answer: Any) -> str:
    return hash_json([key, answer])[:16]
