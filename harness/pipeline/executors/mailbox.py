"""Messages in files of a folder that machines share: one file for each direction, to which lines of JSON are added.

A file is opened anew for each look, so that a network file system shows what was written before; lines are never
changed. A line that is not finished is read with the next look.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

ALIVE = "alive"
BEAT = 5.0
"""Seconds between two signs of life of a run."""


class Mailbox:
    """A file of messages: one process adds, another reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def add(self, message: Mapping[str, Any]) -> None:
        """Write a message, whole. Raises OSError."""
        line = json.dumps(message, ensure_ascii=False).encode() + b"\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            while line:
                line = line[os.write(handle, line) :]
        finally:
            os.close(handle)

    def end_line(self) -> None:
        """After a writer that was killed inside a line."""
        with suppress(FileNotFoundError):
            content = self._path.read_bytes()
            if content and not content.endswith(b"\n"):
                with self._path.open("ab") as file:
                    file.write(b"\n")

    def read(self) -> list[Any]:
        """The messages since the last look. Lines that are no JSON are left out."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return []
        whole, newline, _ = new.rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        messages = []
        for line in whole.splitlines():
            with suppress(ValueError):
                messages.append(json.loads(line))
        return messages


class SignsOfLife:
    """Writes to a folder, as long as the process lives, that it does."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ALIVE
        self._ended = threading.Event()
        self._path.write_text("0")
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        count = 0
        while not self._ended.wait(BEAT):
            count += 1
            with suppress(OSError):
                self._path.write_text(str(count))

    def end(self) -> None:
        """The process needs its workers no more."""
        self._ended.set()


def sign_of_life(folder: Path) -> str | None:
    """The last sign of a folder's run; None where there is none to be seen."""
    try:
        return (folder / ALIVE).read_text() or None
    except OSError:
        return None
