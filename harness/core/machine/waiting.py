"""Time as a process would have it alone: the clock, less what it waits for a processor that others have.

A process that can run and may not is told by the kernel how long it was kept waiting (`/proc/PID/task/TID/schedstat`).
That time is no part of what a model takes, and on a shared machine it is most of the noise. Left out of the clock it
leaves what the process computes and what it sleeps for by itself.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path


class Waits:
    """What the threads of this process have waited for a processor, where it may use one CPU alone: of several at once
    nobody can say which of them another thread of its own was waiting for.
    """

    def __init__(self) -> None:
        self._files: list[int] = []

    @property
    def are_counted(self) -> bool:
        """Whether `seconds` tells anything."""
        return bool(self._files)

    def look(self, tasks: Path = Path("/proc/self/task")) -> None:
        """Find the threads there are now. Nothing is counted where the process may use several CPUs, or the system
        does not tell.
        """
        for file in self._files:
            os.close(file)
        self._files = []
        if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) > 1:
            return
        with suppress(OSError):
            for task in tasks.iterdir():
                self._files.append(os.open(task / "schedstat", os.O_RDONLY))

    def seconds(self) -> float:
        """Since the threads began."""
        waited = 0
        for file in self._files:
            with suppress(OSError, ValueError, IndexError):  # a thread that has ended
                waited += int(os.pread(file, 96, 0).split()[1])
        return waited / 1e9


WAITS = Waits()
"""Of this process."""

TRIES = 5
"""To read the clock and the waits of one moment; other threads of the process may wait all the time."""


class Stopwatch:
    """The seconds since it was made, less those in which the process waited for its CPU as far as `waits` are counted.

    Where threads of the process itself wait for one another, that is not left out: it is never less than what they
    have computed.
    """

    def __init__(self, waits: Waits = WAITS) -> None:
        self._waits = waits
        self._start, self._used, self._waited = self._moment()

    def seconds(self) -> float:
        """Until now."""
        clock, used, waited = self._moment()
        passed = clock - self._start
        if not self._waits.are_counted:
            return passed
        return min(passed, max(passed - (waited - self._waited), used - self._used))

    def _moment(self) -> tuple[float, float, float]:
        """The clock, the processor time and the waits so far; read again where the process was kept waiting between
        them, which would be in one of them alone.
        """
        waited = self._waits.seconds()
        for _ in range(TRIES):
            clock, used, before = time.perf_counter(), time.process_time(), waited
            waited = self._waits.seconds()
            if waited == before:
                break
        return clock, used, waited
