"""What a run would take on so many nodes: the schedule of its missing cells, simulated from their estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.errors import HarnessError
from harness.core.hashing import short
from harness.core.launch_specs import PlanSpec
from harness.core.machine.calibrate import calibration
from harness.core.machine.environment import cores
from harness.core.placement import resource_request, size_in_bytes
from harness.core.run_spec import RunSpec
from harness.core.store import Store
from harness.pipeline.cells import Cell
from harness.pipeline.commands.run import Prepared
from harness.pipeline.cost import GPU_FLOPS, MAIN_SECONDS, UNKNOWN_SECONDS, expected, machine_from, start_seconds
from harness.pipeline.executors.simulation import Schedule, critical_path, simulate
from harness.pipeline.planner.memory import memory_needs

ONE_AFTER_ANOTHER = ("inline", "torchrun")
"""Executors that place no cells."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell of the critical path.

    Attributes:
        cell: The first letters of its key.
        label: Its kind, task, model and seed.
        seconds: What it is estimated to take.
    """

    cell: str
    label: str
    seconds: float


@dataclass(frozen=True)
class PlannedRun:
    """A run, simulated. All of it rests on estimates, the time on a GPU on an assumed rate.

    Attributes:
        schedule: On the nodes that were asked for.
        curve: On 1, 2, 4, … nodes, up to those; the last is `schedule`.
        cells: How many the run has.
        cached: Those of them that are there already.
        unknown: Those whose cost nobody knows.
        seconds: What the missing cells take, one after another.
        workers_per_node: How many.
        critical_path: The longest chain of cells of which each needs the one before; none of them is timed.
        cost: Of all nodes from beginning to end; None where no price is given.
        assumptions: What the times rest on, in words.
    """

    schedule: Schedule
    curve: tuple[Schedule, ...]
    cells: int
    cached: int
    unknown: int
    seconds: float
    workers_per_node: int
    critical_path: tuple[PlannedCell, ...] = ()
    cost: float | None = None
    assumptions: tuple[str, ...] = ()

    @property
    def makespan(self) -> float:
        """Seconds from the start of the run to the end of its last cell."""
        return self.schedule.makespan

    @property
    def utilization(self) -> float:
        """As `Schedule` has it."""
        return self.schedule.utilization

    @property
    def bound(self) -> str:
        """What bounds the schedule: the critical path, the work, measuring cells, or the start-up of workers."""
        return self.schedule.bound

    @property
    def cell_hours(self) -> float:
        """Hours of the missing cells, one after another."""
        return self.seconds / 3600

    @property
    def efficiency(self) -> dict[int, float]:
        """By the number of nodes: how many times faster than one node, as a fraction of that number."""
        if not self.makespan:
            return {}
        return {point.nodes: self.curve[0].makespan / (point.nodes * point.makespan) for point in self.curve}


def plan_run(run: RunSpec, asked: PlanSpec, prepared: Prepared, store: Store) -> PlannedRun:
    """Simulate what is missing of a run.

    Args:
        run: The run.
        asked: The nodes.
        prepared: Its plan, and what is cached of it.
        store: Where cells like its own may have been computed.

    Returns:
        The schedule, on these nodes and on fewer.

    Raises:
        HarnessError: a node that cannot carry one worker, or an executor that has no workers.
    """
    if run.executor in ONE_AFTER_ANOTHER:
        raise HarnessError(
            f"executor {run.executor} computes one cell after another; plan it with local, ray or submitit"
        )
    missing = prepared.missing
    calibrated = calibration()
    machine = machine_from({**calibrated, "cuda_devices": asked.gpus})
    of_this_kind = bool(asked.gpus) == bool(calibrated["cuda_devices"])
    seconds = expected(missing, machine, store if of_this_kind else None)
    threads = run.threads or int(calibrated["threads"])
    per_node, by_memory = _workers_per_node(run, asked, missing, threads)
    start = start_seconds(missing)

    def on(nodes: int) -> Schedule:
        workers = min(nodes * per_node, run.workers or nodes * per_node)
        return simulate(missing, seconds, nodes, workers, start, MAIN_SECONDS)

    curve = tuple(map(on, node_counts(asked.nodes)))
    beside = [cell for cell in missing if cell.kind != "measure"]
    path = [PlannedCell(short(cell.key), cell.label, seconds[cell.key]) for cell in critical_path(beside, seconds)]
    unknown = sum(cell.work is None and cell.seconds is None for cell in missing)
    hours = asked.nodes * curve[-1].makespan / 3600
    return PlannedRun(
        schedule=curve[-1],
        curve=curve,
        cells=len(prepared.plan.cells),
        cached=len(prepared.cached),
        unknown=unknown,
        seconds=sum(seconds.values()),
        workers_per_node=per_node,
        critical_path=tuple(path),
        cost=None if asked.price is None else asked.price * hours,
        assumptions=_assumptions(asked, start, unknown, by_memory, seconds),
    )


def node_counts(nodes: int) -> list[int]:
    """1, 2, 4, … and the number itself."""
    return [*(2**power for power in range(nodes.bit_length()) if 2**power < nodes), nodes]


def _workers_per_node(run: RunSpec, asked: PlanSpec, missing: list[Cell], threads: int) -> tuple[int, str]:
    """How many, and how memory was considered. Raises HarnessError where it is none."""
    request = resource_request(run.resources)
    of_worker = request.cpu or threads
    of_node = asked.cores or cores()
    gpus = 1.0 if request.gpu is None else request.gpu
    count = int(asked.gpus / gpus) if asked.gpus and gpus else of_node // of_worker
    if not count:
        needs = f"{gpus:g} GPUs, and a node has {asked.gpus}" if asked.gpus and gpus else None
        needs = needs or f"{of_worker} cores, and a node has {of_node}; give more by --cores, or fewer --threads"
        raise HarnessError(f"a worker needs {needs}")
    if asked.memory is None:
        return count, "memory is not considered; --memory says what a node has"
    needs_by_key = {cell.key: request.memory for cell in missing} if request.memory else memory_needs(missing)
    largest = max(missing, key=lambda cell: needs_by_key[cell.key] or 0, default=None)
    need = needs_by_key[largest.key] if largest else None
    if not need or largest is None:
        return count, ""
    carried = size_in_bytes(asked.memory) // need
    if not carried:
        raise HarnessError(
            f"memory {asked.memory}: {largest.label} is estimated to need {need / 2**30:.3g} GiB, more than a node has"
        )
    by_memory = f"{need / 2**30:.3g} GiB a worker, the estimated need of {largest.label}"
    return min(count, carried), by_memory + (f"; a node's cores would carry {count}" if carried < count else "")


def _assumptions(
    asked: PlanSpec, start: float, unknown: int, by_memory: str, seconds: Mapping[str, float]
) -> tuple[str, ...]:
    rate = (
        f"GPUs are assumed to do {GPU_FLOPS:.0e} operations a second, which was not measured"
        if asked.gpus
        else "cores are as fast as those of this machine, and no faster together"
    )
    guessed = f"{unknown} of {len(seconds)} cells are of unknown cost, and taken for {UNKNOWN_SECONDS:.0f} s each"
    return (
        rate,
        *([guessed] if unknown else []),
        f"a worker starts in {start:.1f} s; waiting for nodes and placing cells take no time",
        *([by_memory] if by_memory else []),
    )  # fmt: skip
