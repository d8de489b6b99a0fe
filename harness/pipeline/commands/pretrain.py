"""`harness pretrain`: one pretrain cell in this process, so that `torchrun` can start several of it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.atomic import output_folder, scratch_folder
from harness.core.cell_records import PretrainRecord
from harness.core.checksums import write_sums
from harness.core.errors import HarnessError
from harness.core.launched import launched
from harness.core.machine.calibrate import calibration
from harness.core.machine.environment import thread_variables
from harness.core.manifests import INTERRUPTED, PRETRAINING, RUNNING
from harness.core.pretraining_specs import PretrainingSpec
from harness.core.registry import Registry
from harness.core.run_records import ModelNames
from harness.core.run_spec import RunSpec
from harness.core.runs import facts_of, named
from harness.core.specs import ModelSpec
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.pipeline.cells import Cell, PretrainJob
from harness.pipeline.commands.manifests import circumstances, free_name
from harness.pipeline.cost import clock
from harness.pipeline.executors.execute import execute
from harness.pipeline.planner.going_on import start_of, usual_settings
from harness.pipeline.planner.pretraining import check_model, corpus_facts, pretrain_cell
from harness.pipeline.steps import pretrain
from harness.pipeline.tracking import Tracking, report_of, tracked, values_of

SAY_EVERY = 5.0
"""Seconds between two progress lines."""


def plan(registry: Registry, store: Store, name: str, changes: Mapping[str, Any], threads: int | None = None) -> Cell:
    """The cell of a model spec with `changes` to its pretraining, by processes with so many threads, the calibrated
    number where left out.

    Raises:
        HarnessError: no such model spec, one that is not pretrained, a value out of range, or a corpus that cannot be
        read.
    """
    model_spec = registry.model_spec(name)
    settings = model_spec.pretraining
    if settings is None and model_spec.pretrained is None:
        able = [spec.name for spec in registry.model_specs.values() if spec.pretraining]
        raise HarnessError(
            f"model spec {name} has no pretraining section, and no weights to go on from; those that have: "
            f"{', '.join(able) or 'none'}"
        )
    values = usual_settings(model_spec) if settings is None else settings.model_dump()
    if any(length in changes for length in ("steps", "tokens", "budget")):
        values |= {"steps": None, "tokens": None, "budget": None}
    settings = parse(PretrainingSpec, values | dict(changes), "the command line")
    model_spec = parse(ModelSpec, {**dict(model_spec), "pretraining": settings}, f"model {name}")
    check_model(model_spec)
    weights = start_of(model_spec, store)
    facts = corpus_facts(model_spec, store)
    called = model_spec.name if Path(model_spec.pretrained or "").is_absolute() else name
    return pretrain_cell(model_spec, called, facts, RunSpec(threads=threads), weights)


def perform(
    cell: Cell,
    store: Store,
    resume: bool,
    trackers: Sequence[str],
    say: Callable[[str], None],
    threads: int | None = None,
    sharded: bool = False,
    include: Sequence[Path | str] = (),
) -> PretrainRecord | None:
    """Compute the cell unless it is there, and return its record; nothing in a process that is not the first. It is
    kept as a run of its own, and reported to `trackers`; `include` are the files it was asked for with.

    Raises:
        HarnessError: another process is at it, the training failed, or there is one process where a model is to be
            sharded.
    """
    process = launched("pretrain")
    if sharded and process.count == 1:
        raise HarnessError(
            "--fsdp shares a model out over processes, and there is one; start them with "
            "`torchrun --nproc-per-node N -m harness pretrain … --fsdp`"
        )
    store.prune()
    there = store.has(cell.key)
    if process.is_first:
        tracking = Tracking(trackers, store.root)
        assert isinstance(cell.job, PretrainJob) and cell.job.model_spec.pretraining is not None
        settings = cell.job.model_spec.pretraining.model_dump(mode="json", exclude_defaults=True)
        spec = {"pretrain": cell.model, **settings, "include": [str(path) for path in include]}
        with as_run(cell, store, "cached" if there else "done", spec):
            if not there:
                _compute(cell, store, resume, tracking, say, threads, sharded)
        tracking.report(report_of(cell, store.read(cell.key), store))
    elif not there:
        _assist(_started(cell, resume, sharded, threads), store)
        return None
    return _named(cell, store)


def _compute(
    cell: Cell,
    store: Store,
    resume: bool,
    tracking: Tracking,
    say: Callable[[str], None],
    threads: int | None,
    sharded: bool,
) -> None:
    begun = store.partial(cell.key).is_dir()
    if begun:
        say("going on from the last checkpoint; --restart begins anew" if resume else "beginning anew")
    cell = _started(cell, resume, sharded, threads)
    live = tracking.live(tracked(cell)) if tracking else None
    if live is not None:
        assert isinstance(cell.job, PretrainJob)
        cell = replace(cell, job=replace(cell.job, observe=live))
    outcome, detail = execute(cell, store, int(os.environ["OMP_NUM_THREADS"]), Speaker(say))
    if outcome == "busy":
        raise HarnessError(
            f"another process is pretraining this in {store.root}; wait for it, or choose another --results"
        )
    if outcome == "failed":
        hint = "; --restart begins anew" if resume and begun else ""
        raise HarnessError(f"{detail}{hint}")
    if live is not None:
        live.finish(values_of(store.read(cell.key)))


def _started(cell: Cell, resume: bool, sharded: bool, threads: int | None) -> Cell:
    """The cell as this process computes it, whose threads are set."""
    os.environ.update(thread_variables(threads or int(calibration()["threads"])))
    assert isinstance(cell.job, PretrainJob)
    return replace(cell, job=replace(cell.job, resume=resume, sharded=sharded))


@contextmanager
def as_run(cell: Cell, store: Store, status: str, spec: Mapping[str, Any]) -> Iterator[None]:
    """Keeps the making of a checkpoint as a run, so that it is shown and compared; `status` is its cell's if all goes
    well, `spec` what was asked for.
    """
    started = time.time()
    name = free_name(store, started, cell.model, PRETRAINING)
    facts = facts_of(cell.job.model)

    def write(run_status: str, cell_status: str, cause: str = "") -> None:
        row = {"cell": cell.key, "kind": cell.kind, "model": cell.model, "seed": cell.seed, "status": cell_status}
        store.write_run(
            name,
            {
                **circumstances(started, int(os.environ.get("OMP_NUM_THREADS") or 1)),
                "status": run_status,
                "spec": dict(spec),
                "models": [cell.model],
                "model_facts": {cell.model: facts},
                "cells": [row | ({"cause": cause} if cause else {})],
            },
        )

    with store.running(name):
        write(RUNNING, "cached" if status == "cached" else "missing")
        try:
            yield
        except HarnessError as error:
            write("failed", "failed", str(error))
            raise
        except BaseException:
            write(INTERRUPTED, "missing")
            raise
        write("done", status)


def _named(cell: Cell, store: Store) -> PretrainRecord:
    return named(store.read(cell.key, PretrainRecord), ModelNames.model_validate(facts_of(cell.job.model)))


def _assist(cell: Cell, store: Store) -> None:
    """One of several processes that is not the first: it trains along, and writes nothing."""
    with scratch_folder() as scratch:
        pretrain.run(cell, store, scratch, lambda fraction, detail="": None)


class Speaker:
    """Says how training goes every `SAY_EVERY` seconds, with the time left."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._started = self._reported = time.monotonic()
        self._first: float | None = None

    def __call__(self, fraction: float, detail: str = "") -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._started = fraction, now
        if now - self._reported < SAY_EVERY and fraction < 1:
            return
        self._reported = now
        done = fraction - self._first
        eta = f", eta {clock((now - self._started) * (1 - fraction) / done)}" if done > 0 and fraction < 1 else ""
        self._say(f"{detail}{eta}")


def check_output(output: Path | None) -> None:
    """Raises HarnessError where something is in the way of the checkpoint's copy; said before training, not after."""
    if output is not None and output.exists():
        raise HarnessError(f"--output {output}: it is already there; remove it or choose another folder")


def delivered(store: Store, key: str, output: Path | None) -> Path:
    """The checkpoint's folder, in the store or copied to `output`: whole or not at all."""
    folder = store.model(key)
    if output is None:
        return folder
    with output_folder(output) as made:
        shutil.copytree(folder, made, dirs_exist_ok=True)
        write_sums(made)
    return output
