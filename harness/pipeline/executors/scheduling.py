"""The order in which cells are computed, on whatever workers: the dearest that can start first, those that a busy lock
holds off again after a pause, those whose worker was lost once more, and none that needs what failed.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Any, Protocol

from harness.pipeline.cells import Cell, Event

BUSY_PAUSE = 0.5
"""Seconds before a cell is offered again that another run is computing."""
ATTEMPTS = 3
"""How often a cell is begun whose worker is lost, where workers are those of other machines."""

Message = tuple[Cell, str, Any]
"""A cell, and what a worker says of it: `progress` with (fraction, detail); `done` and `cached` with the summary of its
record; `failed` and `lost` with the cause; `busy` with None.
"""


class Workers(Protocol):
    """What computes cells, several at once."""

    @property
    def full(self) -> bool:
        """Whether none can take a cell now, and none more is started for one."""
        ...

    def start(self, cell: Cell) -> bool:
        """Begin a cell; False, and nothing is begun, where a worker for it is only starting, or all are busy."""
        ...

    def messages(self, timeout: float) -> Iterable[Message]:
        """What they say of the cells they were given, within so many seconds."""
        ...

    def close(self) -> None:
        """End them within seconds, whatever they are at."""
        ...


class Queue:
    """Cells that wait for what they need. Each of its steps takes the logarithm of their number."""

    def __init__(self, cells: Iterable[Cell], done: Set[str]) -> None:
        self.waiting = {cell.key: cell for cell in cells if cell.key not in done}
        self._order = {key: number for number, key in enumerate(self.waiting)}
        self._unmet = {key: {need for need in cell.needs if need not in done} for key, cell in self.waiting.items()}
        self._needed_by: dict[str, list[str]] = {}
        for key, needs in self._unmet.items():
            for need in needs:
                self._needed_by.setdefault(need, []).append(key)
        self._ready = [self._entry(cell) for key, cell in self.waiting.items() if not self._unmet[key]]
        self._later: list[tuple[float, int, str]] = []
        heapq.heapify(self._ready)

    def _entry(self, cell: Cell) -> tuple[float, int, str]:
        """The dearest first, those of unknown cost before all others, equal ones in the order of the plan."""
        cost = float("inf") if cell.work is None else cell.work.nominal
        return -cost, self._order[cell.key], cell.key

    def take(self, now: float = 0.0) -> Cell | None:
        """The next cell that can start; None where there is none yet."""
        while self._later and self._later[0][0] <= now:
            heapq.heappush(self._ready, self._entry(self.waiting[heapq.heappop(self._later)[2]]))
        return self.waiting.pop(heapq.heappop(self._ready)[2]) if self._ready else None

    def put_back(self, cell: Cell, not_before: float | None = None) -> None:
        """A cell that was taken waits again, until a time."""
        self.waiting[cell.key] = cell
        if not_before is None:
            heapq.heappush(self._ready, self._entry(cell))
        else:
            heapq.heappush(self._later, (not_before, self._order[cell.key], cell.key))

    @property
    def next_time(self) -> float | None:
        """When the first of the cells that wait for a time may start."""
        return self._later[0][0] if self._later else None

    @property
    def is_moving(self) -> bool:
        """Whether a cell can start now or later, though nothing else ends."""
        return bool(self._ready or self._later)

    def finish(self, key: str) -> None:
        """A cell is done: what needs it may start."""
        for dependent in self._needed_by.pop(key, ()):
            self._unmet[dependent].discard(key)
            if not self._unmet[dependent] and dependent in self.waiting:
                heapq.heappush(self._ready, self._entry(self.waiting[dependent]))

    def lose(self, key: str) -> list[Cell]:
        """A cell has failed: those that need it, directly or not, wait no more."""
        dropped: list[Cell] = []
        lost = [key]
        while lost:
            dependents = [
                self.waiting.pop(name) for name in self._needed_by.pop(lost.pop(), ()) if name in self.waiting
            ]
            dropped += dependents
            lost += [cell.key for cell in dependents]
        return sorted(dropped, key=lambda cell: self._order[cell.key])


def skipped(queue: Queue, keys: Iterable[str]) -> Iterator[Event]:
    """What cannot be computed because these have failed."""
    for key in keys:
        for cell in queue.lose(key):
            yield Event("skipped", cell, cause="what it needs has failed")


def schedule(
    cells: Sequence[Cell],
    done: Set[str],
    workers: Workers,
    attempts: int = 1,
    clock: Callable[[], float] = time.monotonic,
    may_start: Callable[[Cell], bool] = lambda cell: True,
) -> Iterator[Event]:
    """Compute the cells whose keys are not in `done`; yields events as they come. The workers are closed at the end.

    Args:
        cells: The cells.
        done: Keys of those whose results are there.
        workers: What computes them.
        attempts: How often a cell is begun whose worker is lost. One that fails is begun once.
        clock: The time, in seconds.
        may_start: As `Resources.may_start`.

    Yields:
        The events of `Executor.run`.
    """
    queue, running, losses = Queue(cells, done), set[str](), Counter[str]()
    try:
        while True:
            held: list[Cell] = []
            while not workers.full and (cell := queue.take(clock())) is not None:
                if not may_start(cell):
                    queue.lose(cell.key)
                elif workers.start(cell):
                    running.add(cell.key)
                    yield Event("started", cell)
                else:
                    held.append(cell)
            for cell in held:
                queue.put_back(cell)
            if not running and not queue.is_moving:
                return
            for cell, kind, content in workers.messages(_pause(queue, clock)):
                if kind == "progress":
                    fraction, detail = content
                    yield Event("progress", cell, fraction=fraction, detail=detail)
                    continue
                running.discard(cell.key)
                if kind == "lost":
                    losses[cell.key] += 1
                    if losses[cell.key] < attempts:
                        queue.put_back(cell)
                        yield Event("progress", cell, detail=f"attempt {losses[cell.key] + 1}: {content}")
                        continue
                    kind, content = "failed", _at_last(content, attempts)
                if kind == "busy":
                    queue.put_back(cell, clock() + BUSY_PAUSE)
                elif kind == "failed":
                    yield Event("failed", cell, cause=content)
                    yield from skipped(queue, [cell.key])
                else:
                    queue.finish(cell.key)
                    yield Event(kind, cell, summary=content)
    finally:
        workers.close()


def _pause(queue: Queue, clock: Callable[[], float]) -> float:
    """Seconds until a cell that waits for a time may start, at most those between two looks at the workers."""
    return BUSY_PAUSE if queue.next_time is None else min(BUSY_PAUSE, max(0.0, queue.next_time - clock()))


def _at_last(cause: str, attempts: int) -> str:
    return cause if attempts == 1 else f"{cause}; so ended {attempts} attempts"
