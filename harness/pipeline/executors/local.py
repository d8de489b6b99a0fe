"""Warm worker processes, and the order in which cells reach them."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from harness.core.machine.environment import thread_variables
from harness.core.machine.processes import variables
from harness.pipeline.cells import Cell, Event
from harness.pipeline.executors.base import BUSY_PAUSE, Resources, ready, skipped
from harness.pipeline.executors.worker import main as worker_main


@dataclass
class Worker:
    """A worker process and the cell it is at."""

    process: Any
    pipe: Connection
    cell: Cell | None = None
    fraction: float = 0.0


class Pool:
    """Runs cells on `workers` processes of `threads` threads each. A worker that dies fails its cell alone and is
    replaced.
    """

    def __init__(self, resources: Resources) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._arguments = (str(resources.root), resources.include, resources.threads)
        self._threads = resources.threads
        self._cuda_devices = resources.cuda_devices
        self._size = resources.workers
        self._workers: list[Worker] = []

    def run(self, cells: Sequence[Cell], done: Set[str]) -> Iterator[Event]:
        """Compute the cells whose keys are not in `done`, dearest first as their needs allow; yields events as they
        come.
        """
        waiting = {cell.key: cell for cell in cells if cell.key not in done}
        not_before: dict[str, float] = {}
        lost: set[str] = set()
        done = set(done)
        try:
            while waiting or any(worker.cell for worker in self._workers):
                yield from skipped(waiting, lost)
                for cell in self._ready(waiting, done, not_before):
                    idle = self._idle()
                    if idle is None:
                        break
                    idle.cell, idle.fraction = waiting.pop(cell.key), 0.0
                    idle.pipe.send(cell)
                    yield Event("started", cell)
                for worker, message in self._messages():
                    if worker.cell is None:
                        continue
                    cell = worker.cell
                    kind, content = message
                    if kind == "progress":
                        worker.fraction, detail = content
                        yield Event("progress", cell, fraction=worker.fraction, detail=detail)
                        continue
                    worker.cell = None
                    if kind == "busy":
                        waiting[cell.key] = cell
                        not_before[cell.key] = time.monotonic() + BUSY_PAUSE
                    elif kind == "failed":
                        lost.add(cell.key)
                        yield Event("failed", cell, cause=content)
                    else:
                        done.add(cell.key)
                        yield Event(kind, cell, summary=content)
        finally:
            self.close()

    def _ready(self, waiting: Mapping[str, Cell], done: Set[str], not_before: Mapping[str, float]) -> list[Cell]:
        now = time.monotonic()
        return [cell for cell in ready(waiting, done) if not_before.get(cell.key, 0.0) <= now]

    def _idle(self) -> Worker | None:
        for worker in self._workers:
            if worker.cell is None:
                return worker
        if len(self._workers) < self._size:
            return self._start()
        return None

    def _start(self) -> Worker:
        ours, theirs = self._context.Pipe()
        environment = thread_variables(self._threads)
        if self._cuda_devices:
            environment["CUDA_VISIBLE_DEVICES"] = str(len(self._workers) % self._cuda_devices)
        with variables(environment):
            process = self._context.Process(
                target=worker_main, args=(theirs, *self._arguments, os.getpid()), daemon=True, name="harness-worker"
            )
            process.start()
        theirs.close()
        started = Worker(process, ours)
        self._workers.append(started)
        return started

    def _messages(self) -> list[tuple[Worker, tuple[str, Any]]]:
        """What the workers say within half a second; a dead one says why it died."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        messages: list[tuple[Worker, tuple[str, Any]]] = []
        for pipe in wait(list(by_pipe), timeout=BUSY_PAUSE):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                messages.append((worker, worker.pipe.recv()))
            except (EOFError, OSError):
                messages.append((worker, ("failed", self._bury(worker))))
        return messages

    def _bury(self, worker: Worker) -> str:
        worker.process.join(timeout=5)
        self._workers.remove(worker)
        code = worker.process.exitcode
        if code is not None and code < 0:
            hint = "; the system may be out of memory" if code == -9 else ""
            return f"its worker process was killed by signal {-code}{hint}"
        return f"its worker process ended with exit code {code}"

    def close(self) -> None:
        """End the workers, within seconds whatever they are at."""
        for worker in self._workers:
            with suppress(OSError):
                worker.pipe.close()
            if worker.cell is not None:
                worker.process.terminate()
        deadline = time.monotonic() + 2
        for worker in self._workers:
            worker.process.join(timeout=max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join(timeout=1)
        self._workers.clear()


def build(resources: Resources) -> Pool:
    """The executor `local`."""
    return Pool(resources)
