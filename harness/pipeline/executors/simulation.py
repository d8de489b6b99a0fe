"""A run simulated: cells in the order of the real scheduler, on workers whose cells take their estimated time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from harness.pipeline.cells import Cell
from harness.pipeline.executors.scheduling import Message, Queue, schedule

CRITICAL_PATH, WORK, MEASURING, START_UP = (
    "critical path", "work", "measuring cells that need a node of their own", "start-up of workers",
)  # fmt: skip


class SimulatedWorkers:
    """As `Workers`, in a time of their own. A worker is started for a cell that finds none idle, and takes `start`
    seconds for it before that cell begins.
    """

    def __init__(self, size: int, seconds: Mapping[str, float], start: float = 0.0, now: float = 0.0) -> None:
        self.size = size
        self.now = now
        self.started = 0
        self._seconds = seconds
        self._start = start
        self._running: list[tuple[float, int, Cell]] = []
        self._numbers = count()

    @property
    def full(self) -> bool:
        """As `Workers.full`."""
        return len(self._running) >= self.size

    def start(self, cell: Cell) -> bool:
        """As `Workers.start`."""
        end = self.now + self._seconds[cell.key]
        if len(self._running) == self.started:
            self.started += 1
            end += self._start
        heapq.heappush(self._running, (end, next(self._numbers), cell))
        return True

    def messages(self, timeout: float) -> Iterator[Message]:
        """The cells that end next; the time is theirs."""
        self.now = self._running[0][0]
        while self._running and self._running[0][0] <= self.now:
            yield heapq.heappop(self._running)[2], "done", {}

    def close(self) -> None:
        """As `Workers.close`."""


@dataclass(frozen=True)
class Schedule:
    """A simulated run on so many nodes. Times are in seconds.

    Attributes:
        nodes: How many.
        workers: Of all nodes together.
        started: Workers that got a cell.
        makespan: From the start of the run to the end of its last cell.
        utilization: The fraction of the workers' time in which cells were computed; a measuring cell counts for all
            workers of the node it holds.
        bounds: What no schedule can go below, by what is the reason.
    """

    nodes: int
    workers: int
    started: int
    makespan: float
    utilization: float
    bounds: Mapping[str, float]

    @property
    def bound(self) -> str:
        """The reason with the largest bound; empty where there is nothing to compute."""
        return max(self.bounds, key=lambda name: self.bounds[name]) if self.makespan else ""


def critical_path(cells: Sequence[Cell], seconds: Mapping[str, float]) -> list[Cell]:
    """The chain of cells, each needing the one before, that takes longest."""
    by_key = {cell.key: cell for cell in cells}
    lengths: dict[str, float] = {}
    before: dict[str, str | None] = {}
    queue = Queue(cells, _there(cells))
    while (cell := queue.take()) is not None:
        last = max((need for need in cell.needs if need in lengths), key=lambda need: lengths[need], default=None)
        lengths[cell.key] = seconds[cell.key] + (lengths[last] if last is not None else 0.0)
        before[cell.key] = last
        queue.finish(cell.key)
    path: list[Cell] = []
    key = max(lengths, key=lambda key: lengths[key], default=None)
    while key is not None:
        path.insert(0, by_key[key])
        key = before[key]
    return path


def simulate(
    cells: Sequence[Cell],
    seconds: Mapping[str, float],
    nodes: int,
    workers: int,
    start: float = 0.0,
    begin: float = 0.0,
) -> Schedule:
    """The schedule of cells: those that are timed after all others, one after another, each with a node to itself, and
    all on one node, so that they can be compared.

    Args:
        cells: Those that are to be computed.
        seconds: What each takes, by key.
        nodes: How many.
        workers: Of all nodes together.
        start: Seconds until a worker is ready.
        begin: Seconds until the first cell is given out.

    Returns:
        The schedule.
    """
    beside = [cell for cell in cells if cell.kind != "measure"]
    work = sum(seconds[cell.key] for cell in beside)
    timed = [seconds[cell.key] for cell in cells if cell.kind == "measure"]
    simulated = SimulatedWorkers(workers, seconds, start, begin if cells else 0.0)
    for _ in schedule(beside, _there(beside), simulated, clock=lambda: simulated.now):
        pass
    makespan = simulated.now + sum(timed) + (start if timed else 0.0)
    used = work / workers + sum(timed) / nodes
    bounds = {
        CRITICAL_PATH: sum(seconds[cell.key] for cell in critical_path(beside, seconds)),
        WORK: work / workers,
        MEASURING: sum(timed),
        START_UP: (begin + start * ((1 if beside else 0) + (1 if timed else 0))) if cells else 0.0,
    }
    return Schedule(nodes, workers, simulated.started, makespan, used / makespan if makespan else 0.0, bounds)


def _there(cells: Sequence[Cell]) -> frozenset[str]:
    """What cells need that is not among them."""
    return frozenset(need for cell in cells for need in cell.needs) - {cell.key for cell in cells}
