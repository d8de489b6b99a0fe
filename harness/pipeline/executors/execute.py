"""One cell into the store, in whatever process."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from harness.core import plugins
from harness.core.errors import HarnessError
from harness.core.machine.environment import describe
from harness.core.store import Store
from harness.pipeline.cells import Cell, ScoreJob
from harness.pipeline.cost import remember
from harness.pipeline.steps import attack, checks, compress, contamination, finetune, measure, meta, pretrain, score

STEPS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "pretrain": pretrain.run,
    "meta": meta.run,
    "finetune": finetune.run,
    "compress": compress.run,
    "attack": attack.run_part,
    "score": score.run,
    "contamination": contamination.run,
    "measure": measure.run,
}


def execute(cell: Cell, store: Store, threads: int, report: Callable[..., None]) -> tuple[str, Any]:
    """Compute one cell into the store, unless it is there or another process is at it.

    Returns `("done", summary)`, `("cached", summary)`, `("busy", None)` or `("failed", cause)`.
    """
    key = cell.key
    with store.try_lock(key) as mine:
        if not mine:
            return "busy", None
        started = time.time()
        try:
            if store.has(key):
                return "cached", summary(store.read(key).as_json())
            with store.building(key) as folder:
                clock, used, modules = time.perf_counter(), _cpu_seconds(), len(sys.modules)
                with plugins.refusing_exit("a plug-in or a library"):
                    body = step_of(cell)(cell, store, folder, report)
                cpu_seconds = _cpu_seconds() - used
                record = {
                    "kind": cell.kind,
                    "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
                    "seed": cell.spec.get("seed"),
                    "environment": describe(threads),
                    **body,
                    "spec": dict(cell.spec),
                    "timings": {
                        "seconds": round(time.perf_counter() - clock, 3),
                        "cpu_seconds": round(cpu_seconds, 3),
                    },
                }
                committed = store.commit(key, folder, record)
                remember(cell, cpu_seconds, modules, store)
                return "done", summary(committed)
        except Exception as error:
            cause = _cause(error)
            failure = {"kind": cell.kind, "cause": " ".join(cause.split()), "traceback": traceback.format_exc()}
            with suppress(OSError, HarnessError):
                store.fail(key, failure | {"spec": dict(cell.spec), "environment": describe(threads)})
            return "failed", failure["cause"]


def step_of(cell: Cell) -> Callable[..., dict[str, Any]]:
    """What computes a cell: of scores under an attack the attack, of tests of behaviour these."""
    task = cell.job.inputs.task if cell.kind == "score" and isinstance(cell.job, ScoreJob) else None
    if task is not None and task.checks is not None:
        return checks.run
    return attack.run if task is not None and task.attack is not None else STEPS[cell.kind]


def _cpu_seconds() -> float:
    """Of this process and of the children that it has waited for."""
    return sum(os.times()[:4])


def _cause(error: Exception) -> str:
    if isinstance(error, HarnessError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"cannot write or read {error.filename or 'a file'}: {error.strerror}"
    return f"{type(error).__name__}: {error}"


def summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a record a progress line shows."""
    scores = {name: score["value"] for name, score in record.get("scores", {}).items()}
    return {"seconds": record["timings"]["seconds"], "scores": scores, "verdict": record.get("verdict", "")}
