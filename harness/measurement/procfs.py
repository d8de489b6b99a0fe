"""A process's own memory, as Linux tells it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError

FIELDS = {"VmRSS": "total", "RssAnon": "anonymous", "RssFile": "file", "VmHWM": "peak"}


@dataclass(frozen=True)
class Resident:
    """Resident memory in bytes: in all, of no file, of mapped files (weights that are mapped and code), and the peak
    since the last `reset_peak`.
    """

    total: int
    anonymous: int
    file: int
    peak: int


def resident(status: str | None = None) -> Resident:
    """From the text of /proc/self/status (proc(5); its kB are 1024 bytes). Raises HarnessError where it says nothing
    of memory.
    """
    if status is None:
        try:
            status = Path("/proc/self/status").read_text()
        except OSError as error:
            raise HarnessError(f"memory cannot be read from /proc/self/status: {error.strerror}") from None
    sizes = {}
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name in FIELDS:
            sizes[FIELDS[name]] = int(value.split()[0]) * 1024
    if missing := [name for name, field in FIELDS.items() if field not in sizes]:
        raise HarnessError(f"memory cannot be read: /proc/self/status has no {missing[0]}")
    return Resident(**sizes)


def reset_peak(clear_refs: Path = Path("/proc/self/clear_refs")) -> str | None:
    """Make VmHWM the resident memory of now (5 written to clear_refs, proc(5)); the reason where that cannot be.

    `ru_maxrss` is no substitute: it cannot be reset, and a child starts with its parent's.
    """
    try:
        clear_refs.write_text("5")
    except OSError as error:
        return f"{clear_refs} cannot be written: {error.strerror}"
    return None
