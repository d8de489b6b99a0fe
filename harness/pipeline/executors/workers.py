"""Workers that stay warm between cells, as local processes, Ray and SLURM have them: which of them takes a cell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from harness.pipeline.cells import Cell
from harness.pipeline.executors.scheduling import Message


@dataclass(eq=False)
class Worker:
    """A worker: its place among the others, the bytes of memory it was started with, and the cell it is at."""

    place: int
    memory: int
    cell: Cell | None = None


WorkerT = TypeVar("WorkerT", bound=Worker)


class WorkerPool(ABC, Generic[WorkerT]):
    """Up to `size` workers, started as cells come, each with the memory that its first cell needs. A cell goes to an
    idle one that has enough; where none has, one that has too little is replaced.
    """

    def __init__(self, size: int, memory: Mapping[str, int] | None = None) -> None:
        self.size = size
        self.workers: list[WorkerT] = []
        self._memory = memory or {}

    def start(self, cell: Cell) -> bool:
        """As `Workers.start`."""
        worker = self._worker_for(self._memory.get(cell.key, 0))
        if worker is None:
            return False
        worker.cell = cell
        self._send(worker, cell)
        return True

    def messages(self, timeout: float) -> Iterable[Message]:
        """As `Workers.messages`. A worker that is lost is forgotten; one that was idle is not missed."""
        for worker, kind, content in self._receive(timeout):
            cell = worker.cell
            if kind == "lost" and worker in self.workers:
                self.workers.remove(worker)
            if cell is None:
                continue
            if kind != "progress":
                worker.cell = None
            yield cell, kind, content

    def _worker_for(self, memory: int) -> WorkerT | None:
        idle = [worker for worker in self.workers if worker.cell is None]
        large = [worker for worker in idle if worker.memory >= memory]
        if large:
            return min(large, key=lambda worker: worker.memory)
        if len(self.workers) >= self.size:
            if not idle:
                return None
            self.workers.remove(idle[0])
            self._end(idle[0])
        taken = {worker.place for worker in self.workers}
        place = next(number for number in range(len(taken) + 1) if number not in taken)
        worker = self._launch(place, memory)
        self.workers.append(worker)
        return worker

    @abstractmethod
    def _launch(self, place: int, memory: int) -> WorkerT:
        """Start a worker."""

    @abstractmethod
    def _send(self, worker: WorkerT, cell: Cell) -> None:
        """Give a worker a cell. Of one that is gone `_receive` says so."""

    @abstractmethod
    def _receive(self, timeout: float) -> Iterable[tuple[WorkerT, str, Any]]:
        """What workers say within so many seconds, as `Message` has it."""

    @abstractmethod
    def _end(self, worker: WorkerT) -> None:
        """End an idle worker, and wait for nothing."""

    @abstractmethod
    def close(self) -> None:
        """As `Workers.close`."""
