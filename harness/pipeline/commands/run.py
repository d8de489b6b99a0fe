"""One run: plan it, compute what is missing, keep a manifest of it all."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psutil

from harness.core import plugins
from harness.core.errors import DamagedFileError, HarnessError
from harness.core.machine.calibrate import calibration
from harness.core.machine.environment import cores
from harness.core.manifests import INTERRUPTED, RUNNING
from harness.core.plugins import Plugins
from harness.core.predictions import PREDICTIONS
from harness.core.registry import Registry
from harness.core.run_spec import EXECUTOR_SETTINGS, RunSpec
from harness.core.runs import facts_of
from harness.core.store import Store
from harness.pipeline.cells import Cell, Event
from harness.pipeline.commands.manifests import circumstances, free_name
from harness.pipeline.cost import Forecast, expected, machine_from, overhead
from harness.pipeline.executors.base import Executor, Resources
from harness.pipeline.executors.scheduling import Queue, skipped
from harness.pipeline.planner.attacks import without_parts_of
from harness.pipeline.planner.plan import Plan, make_plan
from harness.pipeline.tracking import RunTracking, check_trackers

EXECUTORS: Plugins[Callable[[Resources], Executor]] = plugins.table("executor")

MEMORY_PER_WORKER = 2**30
"""Bytes a worker is reckoned with when their number is chosen: torch, transformers and a small model."""


@dataclass(frozen=True)
class Prepared:
    """A plan, with what the store already has of it. `damaged` names files found unsound, whose cells are computed
    again.
    """

    plan: Plan
    cached: frozenset[str]
    damaged: tuple[str, ...]

    @property
    def missing(self) -> list[Cell]:
        return [cell for cell in self.plan.cells if cell.key not in self.cached]


def prepare(
    run: RunSpec, registry: Registry, store: Store, repair: bool = True, held_out: int | None = None
) -> Prepared:
    """Plan, and look up what is done. With `repair`, damaged cells are quarantined so that they can be computed
    again. `held_out` as `make_plan` has it.
    """
    check_executor(run)
    check_trackers(run.track)
    plan = make_plan(run, registry, store, held_out)
    cached: set[str] = set()
    damaged: list[str] = []
    for cell in plan.cells:
        try:
            if store.has(cell.key):
                if run.verify:
                    store.check(cell.key)
                elif cell.kind == "score":
                    store.file(cell.key, PREDICTIONS)
                cached.add(cell.key)
        except DamagedFileError as error:
            damaged.append(str(error))
            if repair:
                store.quarantine(cell.key)
    by_key = {cell.key: cell for cell in plan.cells}
    for cell in plan.cells:  # a score that is missing needs a model whose files are sound
        if cell.key not in cached:
            for key in [key for key in cell.needs if key in cached]:
                try:
                    store.model(by_key[key].key)
                except DamagedFileError as error:
                    damaged.append(str(error))
                    cached.discard(key)
                    if repair:
                        store.quarantine(key)
    plan = replace(plan, asked=without_parts_of(cached, plan.asked))
    return Prepared(plan, frozenset(cached & {cell.key for cell in plan.cells}), tuple(damaged))


def check_executor(run: RunSpec) -> None:
    """Raises HarnessError for an executor that nobody registered or that is not installed, and for a setting it does
    not take.
    """
    executor = EXECUTORS.get(run.executor)
    takes = getattr(executor, "takes", ())
    for name in EXECUTOR_SETTINGS:
        if getattr(run, name) and name not in takes:
            takers = [other for other in EXECUTORS.names() if name in getattr(EXECUTORS.get(other), "takes", ())]
            goes = f"it goes with executor {' or '.join(takers)}" if takers else "no executor takes it"
            raise HarnessError(f"{name}: executor {run.executor} has no such setting; {goes}")
    if hasattr(executor, "check"):
        executor.check(_settings(run))


def _settings(run: RunSpec) -> dict[str, Any]:
    """What is given of the settings that only some executors take."""
    return {name: value for name in ("workers", *EXECUTOR_SETTINGS) if (value := getattr(run, name))}


def perform(run: RunSpec, prepared: Prepared, store: Store, listen: Callable[[Event], None]) -> str:
    """Compute the missing cells, those that measure after all others and alone; returns the name of the run.

    `listen` gets the executor's events. Ctrl-C and SIGTERM end the workers and raise KeyboardInterrupt; what is done
    stays done.
    """
    started = time.time()
    name = free_name(store, started, "-".join([*run.suite, *run.task][:3]))
    plan = prepared.plan
    store.prune()
    statuses = {cell.key: "cached" if cell.key in prepared.cached else "missing" for cell in plan.cells}
    causes: dict[str, str] = {}
    threads = run.threads or 1

    tracking = RunTracking(run.track, plan.asked, store)

    def note(event: Event) -> None:
        if event.kind in ("done", "cached", "failed", "skipped"):
            statuses[event.cell.key] = event.kind
            if event.cause:
                causes[event.cell.key] = event.cause
        listen(event)
        tracking.note(event)

    status = INTERRUPTED

    def write(status: str) -> None:
        _write_manifest(store, name, run, plan, statuses, causes, started, status, threads)

    with store.running(name):
        write(RUNNING)
        try:
            threads = compute(run, prepared, store, statuses, note, listen)
            status = "done"
        finally:
            write(status)
        tracking.finish(key for key, cell_status in statuses.items() if cell_status in ("done", "cached"))
    return name


def compute(
    run: RunSpec,
    prepared: Prepared,
    store: Store,
    statuses: Mapping[str, str],
    note: Callable[[Event], None],
    listen: Callable[[Event], None],
    may_start: Callable[[Cell], bool] = lambda cell: True,
) -> int:
    """Returns the threads of each process. What may not start is left, as `Resources` has it."""
    if not prepared.missing:
        return run.threads or 1
    measured = calibration()
    threads, workers = processes_of(run, measured)
    resources = Resources(
        root=store.root,
        include=tuple(run.include),
        workers=min(workers, len(prepared.missing)),
        threads=threads,
        cuda_devices=measured["cuda_devices"],
        listen=listen,
        may_start=may_start,
        settings=_settings(run),
    )
    timed = [cell for cell in prepared.plan.cells if cell.kind == "measure"]
    measures = run.executor if getattr(EXECUTORS.get(run.executor), "measures", False) else "inline"
    with _terminate_as_interrupt():
        for executor, alone, cells in (
            (run.executor, False, [cell for cell in prepared.plan.cells if cell.kind != "measure"]),
            (measures, True, timed),
        ):
            for event in _events(executor, replace(resources, alone=alone), cells, statuses):
                note(event)
    return threads


def _events(executor: str, resources: Resources, cells: Sequence[Cell], statuses: Mapping[str, str]) -> Iterator[Event]:
    """Of the cells that an executor computes; those that need what failed before it are skipped."""
    finished = {key for key, status in statuses.items() if status in ("done", "cached")}
    queue = Queue(cells, finished)
    yield from skipped(queue, [key for key, status in statuses.items() if status in ("failed", "skipped")])
    if queue.waiting:
        yield from EXECUTORS.get(executor)(resources).run(list(queue.waiting.values()), finished)


def forecast(run: RunSpec, missing: Sequence[Cell], store: Store) -> Forecast:
    """What cells that are missing are expected to take on this machine."""
    calibrated = calibration()
    machine = machine_from(calibrated)
    beside = [cell for cell in missing if cell.kind != "measure"]
    at_once = max(1, min(processes_of(run, calibrated)[1], len(beside)))
    timed = frozenset(cell.key for cell in missing if cell.kind == "measure")
    return Forecast(expected(missing, machine, store), timed, overhead(beside, at_once), at_once)


def processes_of(run: RunSpec, calibrated: Mapping[str, Any]) -> tuple[int, int]:
    """Threads a process, and processes: as asked for, else one a GPU, else as many as cores and memory carry."""
    threads = run.threads or int(calibrated["threads"])
    if run.workers or calibrated["cuda_devices"]:
        return threads, run.workers or calibrated["cuda_devices"]
    by_memory = int(psutil.virtual_memory().available // MEMORY_PER_WORKER)
    return threads, max(1, min(cores() // threads, by_memory))


def _write_manifest(
    store: Store,
    name: str,
    run: RunSpec,
    plan: Plan,
    statuses: dict[str, str],
    causes: dict[str, str],
    started: float,
    status: str,
    threads: int,
) -> None:
    cells = [
        {
            "cell": cell.key,
            "kind": cell.kind,
            "task": cell.task,
            "model": cell.model,
            "seed": cell.seed,
            "fraction": cell.fraction,
            **({} if cell.k_shot is None else {"k_shot": cell.k_shot}),
            "split": cell.split,
            "status": statuses[cell.key],
            **({"cause": causes[cell.key]} if cell.key in causes else {}),
        }
        for cell in plan.asked
    ]
    failed = any(cell["status"] in ("failed", "skipped") for cell in cells)
    store.write_run(
        name,
        {
            **circumstances(started, threads),
            "status": "failed" if status == "done" and failed else status,
            "spec": run.model_dump(mode="json"),
            "suites": [
                {
                    "name": suite.name,
                    "version": suite.version,
                    "tasks": suite.tasks,
                    "averaged": suite.averaged,
                    **({} if suite.average_by == "tasks" else {"average_by": suite.average_by}),
                    **({"margins": margins} if (margins := suite.margins.model_dump(exclude_defaults=True)) else {}),
                }
                for suite in plan.suites
            ],
            "models": list(plan.models),
            "model_facts": {
                cell.model: facts_of(cell.job.model)
                for cell in plan.asked
                if cell.kind not in ("pretrain", "meta", "measure", "contamination")
            },
            "absent": dict(plan.absent),
            "not_applicable": [
                {"task": task, "model": model, "reason": reason}
                for (task, model), reason in plan.not_applicable.items()
            ],
            "cells": cells,
        },
    )


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM, as CI systems send it, ends a run the way Ctrl-C does."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
