"""The simulated schedule of a run: makespans known by hand, bounds that hold of every schedule, and how its steps grow."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.launch_specs import PlanSpec
from harness.core.run_spec import RunSpec
from harness.core.store import Store
from harness.pipeline.cells import Cell
from harness.pipeline.commands import plan
from harness.pipeline.commands.plan import PlannedRun, _workers_per_node, node_counts
from harness.pipeline.executors.scheduling import Queue
from harness.pipeline.executors.simulation import (
    CRITICAL_PATH,
    MEASURING,
    START_UP,
    WORK,
    Schedule,
    SimulatedWorkers,
    critical_path,
    simulate,
)
from harness.report.text.schedules import schedule_text
from harness.training.costs import REFERENCE_STEP, Work


def cell(key: str, *needs: str, cost: float | None = 1.0, kind: str = "score") -> Cell:
    job: Any = SimpleNamespace(kind=kind)
    return Cell(key, {}, job, needs, "t", "m", 0, work=None if cost is None else Work(seconds=cost))


def simulated(cells: list[Cell], workers: int, nodes: int = 1, **more: float) -> Schedule:
    return simulate(cells, seconds_of(cells), nodes, workers, **more)


def seconds_of(cells: list[Cell]) -> dict[str, float]:
    return {cell.key: cell.work.nominal if cell.work else 30.0 for cell in cells}


def random_graph(count: int, seed: int) -> list[Cell]:
    draw = random.Random(seed)
    cells: list[Cell] = []
    for number in range(count):
        needs = draw.sample(cells, min(len(cells), draw.choice([0, 0, 1, 2])))
        cells.append(cell(str(number), *(need.key for need in needs), cost=draw.expovariate(0.1)))
    return cells


def test_a_chain_takes_the_sum_whatever_the_workers():
    chain = [cell("a", cost=2.0), cell("b", "a", cost=3.0), cell("c", "b", cost=4.0)]
    schedule = simulated(chain, 8)
    assert schedule.makespan == 9.0 and schedule.started == 1
    assert schedule.bound == CRITICAL_PATH and schedule.utilization == pytest.approx(1 / 8)
    assert [item.key for item in critical_path(chain, seconds_of(chain))] == ["a", "b", "c"]


def test_equal_cells_that_need_nothing_are_divided_over_the_workers():
    schedule = simulated([cell(str(number)) for number in range(12)], 4)
    assert schedule.makespan == 3.0 and schedule.utilization == 1.0 and schedule.bound == WORK


def test_the_dearest_cell_is_first_as_the_scheduler_has_it():
    cells = [cell(str(number), cost=1.0) for number in range(4)] + [cell("dear", cost=4.0)]
    assert simulated(cells, 2).makespan == 4.0  # 5 in the order of the plan
    unknown = [cell("dear", cost=4.0), cell("dearer", cost=5.0), cell("unknown", cost=None)]
    assert simulate(unknown, {"dear": 4.0, "dearer": 5.0, "unknown": 2.0}, 1, 1).makespan == 11.0
    workers = SimulatedWorkers(1, seconds_of(unknown))
    taken = Queue(unknown, set()).take()
    assert taken is not None and taken.key == "unknown" and workers.start(taken) and workers.full


def test_what_is_there_already_holds_nothing_up():
    assert simulated([cell("score", "fit that is cached", cost=2.0)], 1).makespan == 2.0
    assert simulated([cell("measure", "fit that is cached", cost=2.0, kind="measure")], 1).makespan == 2.0


def test_measuring_cells_follow_all_others_one_after_another_and_hold_a_whole_node():
    cells = [cell("fit", cost=3.0), *(cell(f"time {number}", "fit", cost=5.0, kind="measure") for number in range(4))]
    few, many = simulated(cells, 2, nodes=1), simulated(cells, 16, nodes=8)
    assert few.makespan == many.makespan == 3.0 + 4 * 5.0
    assert few.bound == many.bound == MEASURING and many.bounds[MEASURING] == 20.0
    assert few.utilization == pytest.approx((3 / 2 + 20) / 23)
    assert many.utilization == pytest.approx((3 / 16 + 20 / 8) / 23)


def test_a_worker_starts_once_and_only_where_a_cell_finds_none_idle():
    chain = [cell("a"), cell("b", "a"), cell("c", "b")]
    schedule = simulated(chain, 4, start=10.0, begin=3.0)
    assert schedule.started == 1 and schedule.makespan == 3.0 + 10.0 + 3.0
    assert schedule.bound == START_UP and schedule.bounds[START_UP] == 13.0
    many = simulated([cell(str(number)) for number in range(8)], 4, start=10.0)
    assert many.started == 4 and many.makespan == 12.0
    timed = simulated([*chain, cell("d", "c", cost=2.0, kind="measure")], 4, start=10.0)
    assert timed.makespan == 13.0 + 12.0


def test_a_run_with_nothing_to_compute_takes_no_time():
    schedule = simulated([], 4, start=10.0, begin=3.0)
    assert schedule.makespan == 0.0 and schedule.bound == "" and schedule.utilization == 0.0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("workers", [1, 3, 16])
def test_no_schedule_is_below_its_bounds_nor_above_what_list_scheduling_can_lose(seed: int, workers: int):
    cells = random_graph(80, seed)
    schedule = simulated(cells, workers)
    path, work = schedule.bounds[CRITICAL_PATH], schedule.bounds[WORK]
    assert work == pytest.approx(sum(seconds_of(cells).values()) / workers)
    least = max(path, work)
    assert least <= schedule.makespan * (1 + 1e-9)
    assert schedule.makespan <= work + (1 - 1 / workers) * path + 1e-6 <= 2 * least + 1e-6  # Graham 1966
    assert schedule.utilization == pytest.approx(work / schedule.makespan)


def test_the_critical_path_is_a_chain_and_the_longest():
    for seed in range(10):
        cells = random_graph(60, seed)
        path = critical_path(cells, seconds_of(cells))
        assert all(first.key in second.needs for first, second in pairwise(path))
        assert simulated(cells, len(cells)).makespan == pytest.approx(sum(seconds_of(path).values()))


class Counted(float):
    comparisons = 0

    def __lt__(self, other: float) -> bool:
        Counted.comparisons += 1
        return float(self) < float(other)

    def __add__(self, other: float) -> Counted:
        return Counted(float(self) + float(other))

    __radd__ = __add__


def test_steps_grow_with_the_cells_and_the_logarithm_of_their_number():
    def steps(count: int, workers: int) -> int:
        draw = random.Random(count)
        cells = [cell(str(number)) for number in range(count)]
        Counted.comparisons = 0
        simulate(cells, {item.key: Counted(draw.random()) for item in cells}, 1, workers)
        return Counted.comparisons

    few, many = steps(500, 64), steps(5000, 64)
    assert few > 0 and many / few < 13
    assert steps(5000, 1024) / many < 3


def test_ten_thousand_cells_on_a_thousand_workers():
    cells: list[Cell] = []
    for number in range(5000):
        cells += [cell(f"fit {number}", cost=60.0), cell(f"score {number}", f"fit {number}", cost=4.0)]
    schedule = simulated(cells, 1024, nodes=64)
    assert schedule.started == 1024
    assert 5 * 64.0 * 5000 / 5120 <= schedule.makespan <= 5 * 64.0 + 64.0
    assert simulated(cells, 20_000, nodes=64).makespan == 64.0


def test_numbers_of_nodes_are_powers_of_two_and_the_one_that_was_asked_for():
    assert [node_counts(nodes) for nodes in (1, 2, 3, 8, 12)] == [
        [1],
        [1, 2],
        [1, 2, 3],
        [1, 2, 4, 8],
        [1, 2, 4, 8, 12],
    ]


CALIBRATED = {
    "threads": 1, "cuda_devices": 0, "cpu_gflops": 40.0, "cpu_step_ms": 1000 * REFERENCE_STEP, "cpu_bf16_speedup": 0.1,
}  # fmt: skip


def planned_of(
    cells: list[Cell], cached: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **nodes: Any
) -> PlannedRun:
    monkeypatch.setattr(plan, "calibration", lambda: CALIBRATED)
    prepared: Any = SimpleNamespace(
        plan=SimpleNamespace(cells=cells), cached=cached, missing=[item for item in cells if item.key not in cached]
    )
    run = RunSpec(task=["cola"], model=["majority"])
    return plan.plan_run(run, PlanSpec(**nodes), prepared, Store(tmp_path))


def test_cells_of_unknown_cost_are_counted_and_taken_at_a_guess(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    cells = [cell("there"), cell("unknown", cost=None), cell("known", "unknown", cost=6.0)]
    planned = planned_of(cells, {"there"}, monkeypatch, tmp_path, nodes=2, cores=1, price=3600.0)
    assert (planned.cells, planned.cached, planned.unknown) == (3, 1, 1)
    assert planned.seconds == 36.0 and planned.cell_hours == pytest.approx(0.01)
    assert planned.makespan == pytest.approx(3.0 + 5.9 + 36.0) and planned.cost == pytest.approx(2 * planned.makespan)
    assert [item.seconds for item in planned.critical_path] == [30.0, 6.0]
    assert "1 of 2 cells are of unknown cost, and taken for 30 s each" in planned.assumptions
    assert "1 of 2 cells are of unknown cost, and taken for 30 s each" in schedule_text(planned)


def test_efficiency_is_the_speed_up_by_the_number_of_nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    cells = [cell(str(number), cost=100.0) for number in range(6)]
    planned = planned_of(cells, set(), monkeypatch, tmp_path, nodes=6, cores=1)
    start = planned.makespan - 100.0
    assert [point.makespan for point in planned.curve] == [start + 100.0 * turns for turns in (6, 3, 2, 1)]
    assert planned.efficiency == {
        nodes: pytest.approx((start + 600.0) / (nodes * (start + 100.0 * turns)))
        for nodes, turns in ((1, 6), (2, 3), (4, 2), (6, 1))
    }
    assert planned.bound == CRITICAL_PATH and planned.curve[0].bound == WORK


def test_a_gpu_makes_operations_faster_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    job: Any = SimpleNamespace(kind="finetune")
    cells = [Cell("fit", {}, job, (), "t", "m", 0, work=Work(flops=3e14, seconds=2.0))]
    on_cores = planned_of(cells, set(), monkeypatch, tmp_path)
    on_gpus = planned_of(cells, set(), monkeypatch, tmp_path, gpus=1)
    assert on_gpus.seconds == pytest.approx(12.0) and on_cores.seconds > 1000
    assert "not measured" in on_gpus.assumptions[0] and "not measured" not in on_cores.assumptions[0]


@pytest.mark.parametrize(
    ("nodes", "run", "threads", "workers"),
    [
        ({"cores": 16}, {}, 1, 16),
        ({"cores": 16}, {}, 5, 3),
        ({"cores": 16, "gpus": 4}, {}, 1, 4),
        ({"cores": 16, "gpus": 4}, {"executor": "ray", "resources": ["gpu=0.5"]}, 1, 8),
        ({"cores": 16, "gpus": 4}, {"executor": "ray", "resources": ["gpu=0", "cpu=2"]}, 1, 8),
        ({"cores": 16, "memory": "6G"}, {"executor": "ray", "resources": ["memory=2G"]}, 1, 3),
        ({"cores": 16, "memory": "6G"}, {}, 1, 6),
    ],
)
def test_workers_of_a_node_are_what_its_cores_gpus_and_memory_carry(nodes: Any, run: Any, threads: int, workers: int):
    asked = RunSpec(task=["cola"], model=["majority"], **run)
    assert _workers_per_node(asked, PlanSpec(**nodes), [cell("a")], threads)[0] == workers


@pytest.mark.parametrize(
    ("nodes", "run", "cause"),
    [
        ({"cores": 2}, {}, "a worker needs 4 cores, and a node has 2; give more by --cores, or fewer --threads"),
        ({"gpus": 1}, {"executor": "ray", "resources": ["gpu=2"]}, "a worker needs 2 GPUs, and a node has 1"),
        (
            {"cores": 4, "memory": "512M"},
            {},
            "memory 512M: score t m seed 0 is estimated to need 1 GiB, more than a node",
        ),
    ],
)
def test_a_node_that_carries_no_worker_is_refused(nodes: Any, run: Any, cause: str):
    asked = RunSpec(task=["cola"], model=["majority"], **run)
    with pytest.raises(HarnessError, match=cause):
        _workers_per_node(asked, PlanSpec(**nodes), [cell("a")], 4)
