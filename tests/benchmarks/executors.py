"""What executors cost beside the work: cells that do nothing but leave a record.

    python -m tests.benchmarks.executors --cells 10000 --workers 2 local ray submitit

Prints a line of JSON for each executor: cells a second, the time a cell takes of a worker beyond its own, the rate of each tenth
(which falls where a step takes longer the more cells there are), and the memory of the calling process.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from harness.cli.progress import Progress
from harness.core.hashing import hash_json
from harness.core.machine.calibrate import calibration
from harness.core.registry import load_registry
from harness.core.run_spec import RunSpec
from harness.core.store import Store
from harness.pipeline.cells import Cell
from harness.pipeline.commands.run import EXECUTORS
from harness.pipeline.executors.base import Resources
from harness.pipeline.planner.plan import make_plan

NOTHING = """
from harness.pipeline.executors.execute import STEPS

for kind in STEPS:
    STEPS[kind] = lambda cell, store, folder, report: {"seed": cell.seed}
"""
"""A plug-in for the workers: each step leaves an empty record."""


def cells_of(count: int, store: Store) -> list[Cell]:
    """Half of them need one of the other half, as scores need a training."""
    run = RunSpec(task=["cola"], model=["majority"], limit=20)
    fit, score = make_plan(run, load_registry(()), store).cells
    cells = []
    for number in range(count // 2):
        specs = [dict(cell.spec) | {"copy": number} for cell in (fit, score)]
        keys = [hash_json(spec) for spec in specs]
        cells.append(replace(fit, key=keys[0], spec=specs[0]))
        cells.append(replace(score, key=keys[1], spec=specs[1], needs=(keys[0],)))
    return cells


def measure(executor: str, count: int, workers: int, settings: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store.open(folder / "results")
        (folder / "nothing.py").write_text(NOTHING)
        cells = cells_of(count, store)
        if executor == "inline":
            load_registry((str(folder / "nothing.py"),))
        process = psutil.Process()
        before = process.memory_info().rss
        resources = Resources(
            store.root, (str(folder / "nothing.py"),), workers, 1, settings={"workers": workers, **settings}
        )
        ends: list[float] = []
        used: list[float] = []
        cpu = process.cpu_times()
        with Progress(cells, quiet=True) as shown:
            for event in EXECUTORS.get(executor)(resources).run(cells, set()):
                shown(event)
                assert event.kind in ("started", "progress", "done"), event
                if event.kind == "done":
                    ends.append(time.monotonic())
                    used.append(event.summary["seconds"])
        assert len(ends) == len(cells)
        warm = len(ends) // 20  # until all workers have started
        seconds = ends[-1] - ends[warm]
        tenth = (len(ends) - warm) // 10
        steps = [warm + tenth * number for number in range(11)]
        return {
            "executor": executor,
            "cells": len(cells),
            "workers": workers,
            "cells a second": round((len(ends) - 1 - warm) / seconds, 1),
            "ms of a worker a cell, beyond the step": round(
                1000 * (workers * seconds - sum(used[warm:])) / (len(ends) - warm), 2
            ),
            "CPU ms of the calling process a cell": round(
                1000 * sum(now - then for now, then in zip(process.cpu_times()[:2], cpu[:2], strict=True)) / len(ends), 2
            ),
            "rate of each tenth": [
                round(tenth / (ends[min(end, len(ends) - 1)] - ends[start]), 1) for start, end in pairwise(steps)
            ],
            "MB of the calling process before and after": [
                round(size / 1e6) for size in (before, process.memory_info().rss)
            ],
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("executors", nargs="+")
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    calibration()
    for executor in asked.executors:
        settings = {"cluster": "local"} if executor == "submitit" else {}
        print(json.dumps(measure(executor, asked.cells, asked.workers, settings)), flush=True)


if __name__ == "__main__":
    main()
