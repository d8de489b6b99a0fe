"""Warm worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import Any

from harness.core.machine.environment import thread_variables
from harness.core.machine.processes import variables
from harness.pipeline.cells import Cell, Event
from harness.pipeline.executors import copying
from harness.pipeline.executors.base import Resources
from harness.pipeline.executors.scheduling import schedule
from harness.pipeline.executors.workers import Worker, WorkerPool


@dataclass(eq=False)
class WorkerProcess(Worker):
    """A worker process and the end of its pipe that is ours."""

    process: Any = None
    pipe: Connection | None = None


class Pool(WorkerPool[WorkerProcess]):
    """Runs cells on `workers` processes of `threads` threads each. A worker that dies fails its cell alone and is
    replaced.
    """

    begin, withdraw = staticmethod(copying.begin), staticmethod(copying.withdraw)

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources.workers)
        self._context: BaseContext = multiprocessing.get_context("spawn")
        self._arguments = (str(resources.root), resources.include, resources.threads)
        self._threads, self._may_start = resources.threads, resources.may_start
        self._cuda_devices = resources.cuda_devices

    def run(self, cells: Sequence[Cell], done: Set[str]) -> Iterator[Event]:
        """As `Executor.run`."""
        if not self._cuda_devices:
            self._context = copying.context(self._threads, copying.imports_of(cells))
        yield from schedule(cells, done, self, may_start=self._may_start)

    def _launch(self, place: int, memory: int) -> WorkerProcess:
        ours, theirs = self._context.Pipe()
        environment = thread_variables(self._threads)
        if self._cuda_devices:
            environment["CUDA_VISIBLE_DEVICES"] = str(place % self._cuda_devices)
        with variables(environment):
            arguments = (theirs, *self._arguments, dict(os.environ))
            process = self._context.Process(  # type: ignore[attr-defined]
                target=copying.serving.main, args=arguments, daemon=True, name="harness-worker"
            )
            process.start()
        theirs.close()
        return WorkerProcess(place, memory, process=process, pipe=ours)

    def _send(self, worker: WorkerProcess, cell: Cell) -> None:
        assert worker.pipe is not None
        with suppress(BrokenPipeError, ConnectionError):
            worker.pipe.send(cell)

    def _receive(self, timeout: float) -> Iterator[tuple[WorkerProcess, str, Any]]:
        """A dead one says why it died."""
        by_pipe = {worker.pipe: worker for worker in self.workers}
        for pipe in wait([pipe for pipe in by_pipe if pipe is not None], timeout=timeout):
            worker = by_pipe[pipe]  # type: ignore[index]
            yield worker, *self._next_message(worker)

    def _next_message(self, worker: WorkerProcess) -> tuple[str, Any]:
        try:
            return worker.pipe.recv()  # type: ignore[union-attr]
        except (EOFError, OSError):
            return "lost", _cause_of_death(worker)

    def _end(self, worker: WorkerProcess) -> None:
        with suppress(OSError):
            worker.pipe.close()  # type: ignore[union-attr]

    def close(self) -> None:
        """End the workers, within seconds whatever they are at."""
        for worker in self.workers:
            self._end(worker)
            if worker.cell is not None:
                worker.process.terminate()
        deadline = time.monotonic() + 2
        for worker in self.workers:
            worker.process.join(timeout=max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join(timeout=1)
        self.workers.clear()


def _cause_of_death(worker: WorkerProcess) -> str:
    worker.process.join(timeout=5)
    code = worker.process.exitcode
    if code is not None and code < 0:
        hint = "; the system may be out of memory" if code == -9 else ""
        return f"its worker process was killed by signal {-code}{hint}"
    return f"its worker process ended with exit code {code}"
