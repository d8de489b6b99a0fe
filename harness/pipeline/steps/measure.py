"""The measure cell: a model of a run and its candidates, timed side by side; and how such cells are run, alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.hashing import fingerprint_of
from harness.core.store import Store
from harness.measure.job import Model, Request, perform
from harness.measure.protocol import BLOCKS_A_LAUNCH, MOST_PAIRS
from harness.measure.workloads import Cell as Workload
from harness.pipeline.cells import Cell
from harness.pipeline.executors.local import BUSY_PAUSE, Event
from harness.pipeline.measure_command import written

LAUNCHES = MOST_PAIRS // BLOCKS_A_LAUNCH


def run(
    spec: Mapping[str, Any], job: Mapping[str, Any], store: Store, folder: Path, report: Callable[..., None]
) -> dict[str, Any]:
    """Measure, write `folder/measurement.json` with all samples, and return the record's body."""
    models = []
    for one in job["models"]:
        path = store.model(one["cell"])
        models.append(Model(one["name"], path, fingerprint_of(path), one["cell"]))
    launches = 0

    def tell(line: str) -> None:
        nonlocal launches
        launches += line.startswith("launch ")
        report(min(1.0, launches / (LAUNCHES + 1)), line)

    workloads = [Workload(**one) for one in job["workloads"]]
    request = Request(models[0], models[1:], workloads, **job["settings"], include=tuple(job["include"]))
    return {
        "task": {"name": job["task"]},
        "model": {"name": job["model"]},
        **written(perform(request, tell), folder),
        "lineage": {one["name"]: {"cell": one["cell"], "finetune": one["finetune"]} for one in job["models"]},
    }


def run_alone(
    cells: Sequence[Cell], statuses: Mapping[str, str], store: Store, threads: int, listen: Callable[[Event], None]
) -> None:
    """Run cells one after another in this process, which has no workers meanwhile: timing wants the machine to itself,
    and processes of its own. `statuses` are those of all cells of the run, kept up to date by `listen`.
    """
    from harness.pipeline.executors.worker import execute

    for cell in cells:
        if any(statuses[key] not in ("done", "cached") for key in cell.needs):
            listen(Event("skipped", cell, cause="what it needs has failed"))
            continue
        started = Event("started", cell)
        listen(started)

        def report(share: float, detail: str = "", started: Event = started) -> None:
            listen(replace(started, kind="progress", share=share, detail=detail))

        work = {"kind": cell.kind, "key": cell.key, "spec": dict(cell.spec), "job": dict(cell.job)}
        while (answer := execute(work, store, threads, report))[0] == "busy":  # another run is at it
            time.sleep(BUSY_PAUSE)
        kind, content = answer
        listen(Event(kind, cell, cause=content) if kind == "failed" else Event(kind, cell, summary=content))
