"""What workers on other machines print: one file each below the results folder, while it is one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

KEPT = 7 * 24 * 3600
"""Seconds that a log with something in it is kept."""


def log_files(root: Path) -> Path | None:
    """The folder of logs; without those that are empty and old, or old by a week. None where the results are on no file
    system.
    """
    if not root.is_dir():
        return None
    folder = root / "logs"
    now = time.time()
    for file in folder.glob("*.log"):
        with suppress(OSError):
            facts = file.stat()
            if now - facts.st_mtime > (KEPT if facts.st_size else 60):
                file.unlink()
    return folder


def log_name(folder: Path | None, engine: str, place: int) -> str | None:
    """The file of one worker."""
    if folder is None:
        return None
    return str(folder.resolve() / f"{engine}-{time.strftime('%Y%m%d-%H%M%S')}-{place}-{uuid.uuid4().hex[:6]}.log")


def printed_in(log: str | None) -> str:
    """Where to read what a worker printed, as the end of a line; empty where it printed nothing."""
    with suppress(OSError):
        if log is not None and Path(log).stat().st_size:
            return f"; what it printed: {log}"
    return ""


def remove_empty(logs: Iterable[str | None]) -> None:
    """The logs of workers that ended and had nothing to print."""
    for log in logs:
        with suppress(OSError):
            if log is not None and not Path(log).stat().st_size:
                Path(log).unlink()
