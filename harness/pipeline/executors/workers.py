"""Workers that stay warm between cells, as local processes, Ray and SLURM have them: which of them takes a cell."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from harness.core.errors import HarnessError
from harness.pipeline.cells import Cell
from harness.pipeline.executors.scheduling import Message

IDLE_PAUSE = 5.0
"""Seconds that a worker waits for its place before an idle one makes room for it."""
STARTS = 3
"""How many workers, one after another, may end before they are ready."""


@dataclass(eq=False)
class Worker:
    """A worker: its place among the others, the bytes of memory it was started with, and the cell it is at. One that is
    not `ready` waits for its place, or starts; `wanted` is the key of the cell it is started for.
    """

    place: int
    memory: int
    cell: Cell | None = None
    ready: bool = True
    wanted: str = ""
    since: float = 0.0


WorkerT = TypeVar("WorkerT", bound=Worker)


class WorkerPool(ABC, Generic[WorkerT]):
    """Up to `size` workers, started as cells come, each with the memory that its first cell needs. A cell goes to an
    idle one that has enough; where none has, one that has too little makes room for another.
    """

    def __init__(
        self, size: int, memory: Mapping[str, int] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.size = size
        self.workers: list[WorkerT] = []
        self._memory = memory or {}
        self._clock = clock
        self._failed_starts = 0

    @property
    def full(self) -> bool:
        """As `Workers.full`."""
        return len(self.workers) >= self.size and not any(worker.ready and not worker.cell for worker in self.workers)

    def start(self, cell: Cell) -> bool:
        """As `Workers.start`."""
        worker = self._worker_for(cell)
        if worker is None or not worker.ready:
            return False
        for other in self.workers:
            if other.wanted == cell.key:
                other.wanted = ""
        worker.cell = cell
        self._send(worker, cell)
        return True

    def messages(self, timeout: float) -> Iterable[Message]:
        """As `Workers.messages`. A worker that is lost is forgotten; one that was idle is not missed.

        Raises:
            HarnessError: workers do not start, or refuse what they are given.
        """
        for worker, kind, content in self._receive(timeout):
            if worker not in self.workers:
                continue
            if kind == "refused":
                raise HarnessError(content)
            if kind == "ready":
                worker.ready, self._failed_starts = True, 0
                continue
            if kind == "lost":
                self._lose(worker, content)
            cell = worker.cell
            if cell is None:
                continue
            if kind != "progress":
                worker.cell = None
            yield cell, kind, content

    def _lose(self, worker: WorkerT, cause: str) -> None:
        self.workers.remove(worker)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= STARTS:
                raise HarnessError(f"workers do not start: {cause}")

    def _worker_for(self, cell: Cell) -> WorkerT | None:
        """An idle worker, or one that starts."""
        memory = self._memory.get(cell.key, 0)
        idle = [worker for worker in self.workers if worker.ready and worker.cell is None]
        starting = [worker for worker in self.workers if not worker.ready]
        large = [worker for worker in idle if worker.memory >= memory]
        if large:
            return min(large, key=lambda worker: worker.memory)
        for worker in starting:
            if worker.wanted == cell.key or (not worker.wanted and worker.memory >= memory):
                worker.wanted = cell.key
                if idle and self._clock() - worker.since > IDLE_PAUSE:
                    self._dismiss(idle[0])
                return worker
        if len(self.workers) >= self.size:
            dispensable = [worker for worker in starting if not worker.wanted] + idle
            if not dispensable:
                return None
            self._dismiss(dispensable[0])
        taken = {worker.place for worker in self.workers}
        worker = self._launch(next(number for number in range(len(taken) + 1) if number not in taken), memory)
        worker.wanted, worker.since = cell.key, self._clock()
        self.workers.append(worker)
        return worker

    def _dismiss(self, worker: WorkerT) -> None:
        self.workers.remove(worker)
        self._end(worker)

    @abstractmethod
    def _launch(self, place: int, memory: int) -> WorkerT:
        """Start a worker."""

    @abstractmethod
    def _send(self, worker: WorkerT, cell: Cell) -> None:
        """Give a worker a cell. Of one that is gone `_receive` says so."""

    @abstractmethod
    def _receive(self, timeout: float) -> Iterable[tuple[WorkerT, str, Any]]:
        """What workers say within so many seconds: as `Message` has it, and `ready` of one that was starting, `refused`
        of one that is no worker for this run.
        """

    @abstractmethod
    def _end(self, worker: WorkerT) -> None:
        """End a worker that has no cell, and wait for nothing."""

    @abstractmethod
    def close(self) -> None:
        """As `Workers.close`."""
