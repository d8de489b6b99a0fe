"""Cells one after another in this process: for a notebook, for tests, and for cells that want the machine alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence, Set

from harness.core.lazy import lazy
from harness.core.machine.processes import in_this_process
from harness.core.store import Store
from harness.pipeline.cells import Cell, Event
from harness.pipeline.executors.base import Resources
from harness.pipeline.executors.scheduling import BUSY_PAUSE, Queue, skipped

executing = lazy("harness.pipeline.executors.execute")


class InlineExecutor:
    """Runs cells in the calling process, which has `resources.threads` intra-op threads meanwhile."""

    def __init__(self, resources: Resources) -> None:
        self._store = Store(resources.root)
        self._threads = resources.threads
        self._listen, self._may_start = resources.listen, resources.may_start

    def run(self, cells: Sequence[Cell], done: Set[str]) -> Iterator[Event]:
        """As `Executor.run`. How far a cell is goes to `resources.listen`, while it runs."""
        queue = Queue(cells, done)
        while (cell := queue.take()) is not None:
            if not self._may_start(cell):
                queue.lose(cell.key)
                continue
            yield Event("started", cell)
            event = self._computed(cell)
            yield event
            if event.kind == "failed":
                yield from skipped(queue, [cell.key])
            else:
                queue.finish(cell.key)

    def _computed(self, cell: Cell) -> Event:
        def report(fraction: float, detail: str = "") -> None:
            self._listen(Event("progress", cell, fraction=fraction, detail=detail))

        with in_this_process(self._threads):
            while (outcome := executing.execute(cell, self._store, self._threads, report))[0] == "busy":
                time.sleep(BUSY_PAUSE)  # another run is at it
        kind, content = outcome
        return Event(kind, cell, cause=content) if kind == "failed" else Event(kind, cell, summary=content)


def build(resources: Resources) -> InlineExecutor:
    """The executor `inline`."""
    return InlineExecutor(resources)
