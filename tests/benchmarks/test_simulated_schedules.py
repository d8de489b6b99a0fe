"""The simulated schedule against the real loop of executors: workers that sleep as long as their cells are said to take."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from harness.pipeline.cells import Cell
from harness.pipeline.executors.scheduling import schedule
from harness.pipeline.executors.simulation import simulate
from harness.pipeline.executors.workers import Worker, WorkerPool
from harness.training.costs import Work

START = 0.3


@dataclass(eq=False)
class SleepingWorker(Worker):
    inbox: queue.Queue[Cell | None] = field(default_factory=queue.Queue)


class SleepingPool(WorkerPool[SleepingWorker]):
    """Threads that sleep for their cells, and for their start, as processes import libraries."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._outbox: queue.Queue[tuple[SleepingWorker, str, Any]] = queue.Queue()

    def _launch(self, place: int, memory: int) -> SleepingWorker:
        worker = SleepingWorker(place, memory)
        threading.Thread(target=self._work, args=(worker,), daemon=True).start()
        return worker

    def _work(self, worker: SleepingWorker) -> None:
        time.sleep(START)
        while (cell := worker.inbox.get()) is not None:
            assert cell.work is not None
            time.sleep(cell.work.nominal)
            self._outbox.put((worker, "done", {}))

    def _send(self, worker: SleepingWorker, cell: Cell) -> None:
        worker.inbox.put(cell)

    def _receive(self, timeout: float) -> Iterator[tuple[SleepingWorker, str, Any]]:
        try:
            yield self._outbox.get(timeout=timeout)
        except queue.Empty:
            return

    def _end(self, worker: SleepingWorker) -> None:
        worker.inbox.put(None)

    def close(self) -> None:
        for worker in self.workers:
            self._end(worker)


def cells_of(seed: int) -> Iterable[Cell]:
    draw = random.Random(seed)
    job: Any = SimpleNamespace(kind="score")
    for number in range(10):
        fit = f"fit {number}"
        yield Cell(fit, {}, job, (), "t", "m", 0, work=Work(seconds=draw.uniform(0.1, 1.5)))
        yield Cell(f"score {number}", {}, job, (fit,), "t", "m", 0, work=Work(seconds=draw.uniform(0.05, 0.3)))


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "workers"), [(0, 2), (1, 3), (2, 16)])
def test_the_real_loop_takes_as_long_as_the_simulation_says(seed: int, workers: int) -> None:
    cells = list(cells_of(seed))
    seconds = {cell.key: cell.work.nominal for cell in cells if cell.work is not None}
    predicted = simulate(cells, seconds, 1, workers, START)
    pool = SleepingPool(workers)
    begun = time.monotonic()
    done = [event for event in schedule(cells, set(), pool) if event.kind == "done"]
    took = time.monotonic() - begun
    assert len(done) == 20
    assert took == pytest.approx(predicted.makespan, rel=0.15)
    assert predicted.makespan >= max(predicted.bounds.values())
