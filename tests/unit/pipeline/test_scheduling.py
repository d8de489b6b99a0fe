"""The order in which cells reach workers, and what happens to those that are busy, lost or failed: the one loop of all executors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.pipeline.cells import Cell, Event
from harness.pipeline.executors.scheduling import BUSY_PAUSE, Message, Queue, schedule
from harness.pipeline.executors.workers import Worker, WorkerPool
from harness.training.costs import Work


def cell(key: str, *needs: str, cost: float | None = 1.0) -> Cell:
    kind: Any = SimpleNamespace(kind="score")
    return Cell(key, {}, kind, needs, "t", "m", 0, work=None if cost is None else Work(seconds=cost))


class Simulated:
    """So many workers in a time of their own; `outcomes` says what comes of a cell, one after another, `done` where it says nothing."""

    def __init__(self, size: int, **outcomes: list[tuple[str, Any]]) -> None:
        self.size, self.outcomes = size, outcomes
        self.now = 0.0
        self.running: list[tuple[float, Cell]] = []
        self.begun: list[str] = []
        self.closed = False

    @property
    def full(self) -> bool:
        return len(self.running) == self.size

    def start(self, cell: Cell) -> bool:
        assert not self.full
        self.begun.append(cell.key)
        self.running.append((self.now + (cell.work.nominal if cell.work else 0.0), cell))
        return True

    def messages(self, timeout: float) -> Iterable[Message]:
        ends = min((end for end, _ in self.running), default=float("inf"))
        self.now = min(self.now + timeout, ends) if timeout else self.now
        for end, ended in [entry for entry in self.running if entry[0] <= self.now]:
            self.running.remove((end, ended))
            outcomes = self.outcomes.get(ended.key, [])
            yield (ended, *(outcomes.pop(0) if outcomes else ("done", {})))

    def close(self) -> None:
        self.closed = True


def run(cells: list[Cell], workers: Simulated, attempts: int = 1, done: frozenset[str] = frozenset()) -> list[Event]:
    events = list(schedule(cells, done, workers, attempts, clock=lambda: workers.now))
    assert workers.closed
    return events


def ends(events: list[Event]) -> dict[str, str]:
    return {event.cell.key: event.kind for event in events if event.kind not in ("started", "progress")}


def test_the_dearest_cells_that_can_start_are_first_and_unknown_ones_before_them():
    cells = [
        cell("cheap"),
        cell("dear", cost=9.0),
        cell("like dear", cost=9.0),
        cell("after", "cheap"),
        cell("unknown", cost=None),
    ]
    workers = Simulated(1)
    assert set(ends(run(cells, workers)).values()) == {"done"}
    assert workers.begun == ["unknown", "dear", "like dear", "cheap", "after"]


def test_cells_are_computed_side_by_side_as_their_needs_allow():
    cells = [
        cell("fit"),
        cell("score", "fit"),
        cell("other"),
        cell("both", "score", "other"),
        cell("there"),
        cell("of there", "there"),
    ]
    workers = Simulated(2)
    events = run(cells, workers, done=frozenset({"there"}))
    assert set(ends(events)) == {"fit", "score", "other", "both", "of there"}
    assert workers.now == 3.0 and workers.begun.index("both") > workers.begun.index("score")


def test_a_cell_that_fails_takes_only_those_that_need_it_with_it_and_is_begun_once():
    cells = [
        cell("bad"),
        cell("child", "bad"),
        cell("grandchild", "child", "good"),
        cell("good"),
        cell("of good", "good"),
    ]
    workers = Simulated(2, bad=[("failed", "no memory")])
    events = run(cells, workers, attempts=3)
    assert ends(events) == {
        "bad": "failed",
        "child": "skipped",
        "grandchild": "skipped",
        "good": "done",
        "of good": "done",
    }
    assert Counter(workers.begun)["bad"] == 1
    assert [event.cause for event in events if event.kind == "failed"] == ["no memory"]


def test_a_cell_another_run_computes_is_offered_again_after_a_pause():
    workers = Simulated(1, held=[("busy", None), ("busy", None), ("cached", {})])
    events = run([cell("held", cost=0.0), cell("free", cost=0.0)], workers)
    assert ends(events) == {"held": "cached", "free": "done"}
    assert workers.begun == ["held", "free", "held", "held"] and workers.now == pytest.approx(2 * BUSY_PAUSE)


def test_a_cell_whose_worker_is_lost_is_begun_again_a_bounded_number_of_times():
    lost = ("lost", "its node is gone")
    workers = Simulated(2, unlucky=[lost, lost], doomed=[lost] * 5)
    events = run([cell("unlucky"), cell("doomed"), cell("child", "doomed")], workers, attempts=3)
    assert ends(events) == {"unlucky": "done", "doomed": "failed", "child": "skipped"}
    assert Counter(workers.begun) == {"unlucky": 3, "doomed": 3}
    assert "attempt 2: its node is gone" in [event.detail for event in events]
    assert "its node is gone; so ended 3 attempts" in [event.cause for event in events]
    workers = Simulated(1, cell=[lost])
    assert ends(run([cell("cell")], workers)) == {"cell": "failed"}, "one attempt where workers are of this machine"


def test_what_needs_a_cell_that_nobody_computes_ends_the_run_and_not_the_patience():
    assert ends(run([cell("orphan", "elsewhere"), cell("free")], Simulated(1))) == {"free": "done"}


def test_a_run_that_is_given_up_closes_its_workers():
    workers = Simulated(1)
    events = schedule([cell("a"), cell("b")], set(), workers, clock=lambda: workers.now)
    next(events)
    events.close()
    assert workers.closed


def test_the_steps_of_a_queue_grow_with_the_logarithm_of_its_cells(monkeypatch):
    """Counted in comparisons of heap entries, not in time."""
    counts = {}
    for size in (500, 4000):
        compared = Counter[str]()

        class Entry(tuple):
            def __lt__(self, other, compared=compared):
                compared["<"] += 1
                return tuple.__lt__(self, other)

        entry = Queue._entry
        monkeypatch.setattr(Queue, "_entry", lambda self, cell, entry=entry, Entry=Entry: Entry(entry(self, cell)))
        fits = [cell(f"fit {number}", cost=float(number % 7)) for number in range(size // 2)]
        queue = Queue([*fits, *(cell(f"score {fit.key}", fit.key) for fit in fits)], set())
        taken = 0
        while (next_cell := queue.take()) is not None:
            queue.finish(next_cell.key)
            taken += 1
        monkeypatch.undo()
        assert taken == size
        counts[size] = compared["<"]
    assert counts[4000] < 8 * 2 * counts[500]


@dataclass(eq=False)
class Place(Worker):
    started_with: int = 0


class Places(WorkerPool[Place]):
    def __init__(self, size: int, memory: dict[str, int], slow: bool = False) -> None:
        self.now, self.slow = 0.0, slow
        super().__init__(size, memory, clock=lambda: self.now)
        self.log: list[str] = []
        self.ahead: list[tuple[Place, str, Any]] = []

    def _launch(self, place: int, memory: int) -> Place:
        self.log.append(f"launch {place} {memory}")
        return Place(place, memory, ready=not self.slow)

    def _send(self, worker: Place, cell: Cell) -> None:
        self.log.append(f"send {worker.place} {cell.key}")

    def _receive(self, timeout: float) -> Iterable[tuple[Place, str, Any]]:
        messages, self.ahead = self.ahead, []
        return messages

    def _end(self, worker: Place) -> None:
        self.log.append(f"end {worker.place}")

    def close(self) -> None: ...

    def hear(self, *messages: tuple[Place, str, Any]) -> list[tuple[str, str]]:
        self.ahead = [*messages]
        return [(cell.key, kind) for cell, kind, _ in self.messages(0)]


def test_a_cell_goes_to_a_worker_with_the_memory_it_needs():
    places = Places(2, {"large": 8, "small": 1, "medium": 4})
    assert places.start(cell("medium")) and places.start(cell("small")) and places.full
    first, second = places.workers
    assert places.hear((first, "done", {}), (second, "done", {})) == [("medium", "done"), ("small", "done")]
    assert places.start(cell("small")), "to the smallest that has enough, which is warm"
    assert places.start(cell("large")), "in place of an idle one that has too little"
    assert places.log == [
        "launch 0 4", "send 0 medium", "launch 1 1", "send 1 small", "send 1 small", "end 0", "launch 0 8", "send 0 large",
    ]  # fmt: skip


def test_a_worker_that_is_lost_is_replaced_and_one_that_was_idle_is_not_missed():
    places = Places(1, {})
    places.start(cell("a"))
    (worker,) = places.workers
    assert places.hear((worker, "progress", (0.5, "")), (worker, "lost", "killed")) == [
        ("a", "progress"),
        ("a", "lost"),
    ]
    assert places.workers == [] and places.start(cell("b"))
    (worker,) = places.workers
    assert places.hear((worker, "done", {}), (worker, "lost", "killed")) == [("b", "done")]
    assert places.hear((worker, "done", {})) == [], "what a lost one said late"


def test_a_cell_waits_in_the_queue_while_its_worker_starts_and_goes_to_whichever_is_free_first():
    places = Places(3, {"large": 8}, slow=True)
    assert not places.start(cell("a")) and not places.start(cell("b")) and not places.full
    assert not places.start(cell("a")) and len(places.workers) == 2, "no second worker for it"
    first, second = places.workers
    assert places.hear((second, "ready", None)) == []
    assert places.start(cell("a")) and places.log[-1] == "send 1 a"
    assert not places.start(cell("c")) and len(places.workers) == 2, (
        "the first worker is nobody's now, and starts already"
    )
    assert not places.start(cell("large")) and places.full
    places.hear((first, "ready", None), (second, "done", {}))
    assert not places.start(cell("large")) and len(places.workers) == 3
    places.now += 60
    assert not places.start(cell("large")) and places.log[-1] == "end 0", (
        "idle ones make room for one that waits for its place"
    )


def test_workers_that_do_not_start_end_the_run_and_not_its_cells():
    places = Places(2, {}, slow=True)
    for _ in range(2):
        places.start(cell("a"))
        assert places.hear((places.workers[0], "lost", "no module named harness")) == []
    places.start(cell("a"))
    with pytest.raises(HarnessError, match="workers do not start: no module named harness"):
        places.hear((places.workers[0], "lost", "no module named harness"))
    places = Places(2, {})
    places.start(cell("a"))
    with pytest.raises(HarnessError, match="another version"):
        places.hear((places.workers[0], "refused", "another version"))


def test_a_run_waits_for_workers_that_start():
    places = Places(2, {}, slow=True)

    def receive(timeout: float) -> Iterable[tuple[Place, str, Any]]:
        places.now += 1
        return [
            (worker, "done" if worker.cell else "ready", {})
            for worker in places.workers
            if worker.cell or not worker.ready
        ]

    places._receive = receive  # type: ignore[method-assign]
    events = list(schedule([cell("a"), cell("b"), cell("c", "a")], set(), places, clock=lambda: places.now))
    assert ends(events) == {"a": "done", "b": "done", "c": "done"} and len(places.workers) == 2
