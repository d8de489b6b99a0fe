"""The measure cell: a model of a run and its candidates, timed side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.core.hashing import fingerprint_of
from harness.core.store import Store
from harness.measurement.job import perform
from harness.measurement.protocol import BLOCKS_PER_LAUNCH, MOST_PAIRS
from harness.measurement.request import Model, Request
from harness.measurement.results import written
from harness.pipeline.cells import Cell, MeasureJob

LAUNCHES = MOST_PAIRS // BLOCKS_PER_LAUNCH


def run(cell: Cell, store: Store, folder: Path, report: Callable[..., None]) -> dict[str, Any]:
    """Measure, write `folder/measurement.json` with all samples, and return the record's body."""
    job = cell.job
    assert isinstance(job, MeasureJob)
    models = []
    for measured in job.models:
        path = store.model(measured.cell)
        models.append(Model(measured.name, path, fingerprint_of(path), measured.cell))
    launches = 0

    def tell(line: str) -> None:
        nonlocal launches
        launches += line.startswith("launch ")
        report(min(1.0, launches / (LAUNCHES + 1)), line)

    request = Request(models[0], models[1:], list(job.workloads), **job.settings, include=job.include)
    return {
        "task": {"name": job.task},
        **written(perform(request, tell), folder),
        "lineage": {measured.name: {"cell": measured.cell, "finetune": measured.finetune} for measured in job.models},
    }
