"""`harness meta-train`: a meta cell in this process, after the pretraining that it starts from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.machine.calibrate import calibration
from harness.core.machine.environment import thread_variables
from harness.core.meta_records import MetaRecord
from harness.core.meta_spec import MetaSpec
from harness.core.registry import Registry
from harness.core.run_records import ModelNames
from harness.core.run_spec import RunSpec
from harness.core.runs import facts_of, named
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.pipeline.cells import Cell, MetaJob, Origin
from harness.pipeline.commands import pretrain
from harness.pipeline.executors.execute import execute
from harness.pipeline.planner.going_on import start_of
from harness.pipeline.planner.meta import check_start, meta_cell, meta_inputs
from harness.pipeline.planner.pretraining import check_model, corpus_facts, pretrain_cell
from harness.pipeline.tracking import Tracking, report_of

Tell = Callable[[str], None]


def plan(
    registry: Registry, store: Store, name: str, changes: Mapping[str, Any], threads: int | None = None
) -> list[Cell]:
    """The meta cell of a model spec with `changes` to its section `meta`, after the pretrain cell that it needs.

    Raises:
        HarnessError: no such model spec, one that neither has weights to start from nor is pretrained, a value out of
            range, or tasks that cannot be had.
    """
    model_spec = registry.model_spec(name)
    if model_spec.meta is None and "tasks" not in changes:
        able = [spec.name for spec in registry.model_specs.values() if spec.meta]
        raise HarnessError(
            f"model spec {name} has no section meta; name the tasks with --tasks, or take one that has: "
            f"{', '.join(able) or 'none'}"
        )
    if model_spec.pretrained is None and model_spec.pretraining is None:
        raise HarnessError(
            f"model spec {name}: meta-training starts from a checkpoint, and it is neither pretrained nor has a "
            "section pretraining (steps: 0 for random weights)"
        )
    values = {} if model_spec.meta is None else model_spec.meta.model_dump(exclude_unset=True)
    settings = parse(MetaSpec, values | dict(changes), "the command line")
    model_spec = model_spec.model_copy(update={"meta": settings})
    check_model(model_spec)
    weights = start_of(model_spec, store)
    check_start(model_spec, weights)
    run = RunSpec(threads=threads)
    corpus = corpus_facts(model_spec, store) if model_spec.pretraining else None
    before = None if corpus is None else pretrain_cell(model_spec, name, corpus, run, weights)
    cell = meta_cell(model_spec, name, meta_inputs(model_spec, registry, store), Origin(weights, corpus, before), run)
    return [cell] if before is None else [before, cell]


def perform(
    cells: Sequence[Cell],
    store: Store,
    resume: bool,
    trackers: Sequence[str],
    say: Tell,
    threads: int | None = None,
    include: Sequence[Path | str] = (),
) -> MetaRecord:
    """Compute what of the cells is not there, and return the record of the last. It is kept as a run of its own, and
    reported to `trackers`; `include` are the files it was asked for with.

    Raises:
        HarnessError: another process is at it, or the training failed.
    """
    *before, cell = cells
    if not store.has(cell.key):
        for pretraining in before:
            if not store.has(pretraining.key):
                say(f"{pretraining.model}: pretraining first")
            pretrain.perform(pretraining, store, resume, trackers, say, threads, include=include)
    store.prune()
    os.environ.update(thread_variables(threads or int(calibration()["threads"])))
    there = store.has(cell.key)
    assert isinstance(cell.job, MetaJob) and cell.job.model_spec.meta is not None
    settings = cell.job.model_spec.meta.model_dump(mode="json", exclude_defaults=True)
    spec = {"meta": cell.model, **settings, "include": [str(path) for path in include]}
    with pretrain.as_run(cell, store, "cached" if there else "done", spec):
        if not there:
            _compute(cell, store, resume, say)
    tracking = Tracking(trackers, store.root)
    tracking.report(report_of(cell, store.read(cell.key), store))
    return named(store.read(cell.key, MetaRecord), ModelNames.model_validate(facts_of(cell.job.model)))


def _compute(cell: Cell, store: Store, resume: bool, say: Tell) -> None:
    begun = store.partial(cell.key).is_dir()
    if begun:
        say("going on from the last checkpoint; --restart begins anew" if resume else "beginning anew")
    assert isinstance(cell.job, MetaJob)
    cell = replace(cell, job=replace(cell.job, resume=resume))
    outcome, detail = execute(cell, store, int(os.environ["OMP_NUM_THREADS"]), pretrain.Speaker(say))
    if outcome == "busy":
        raise HarnessError(
            f"another process is meta-training this in {store.root}; wait for it, or choose another --results"
        )
    if outcome == "failed":
        raise HarnessError(f"{detail}{'; --restart begins anew' if resume and begun else ''}")
