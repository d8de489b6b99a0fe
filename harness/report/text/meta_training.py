"""Meta-trained checkpoints, for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.core.hashing import short
from harness.core.machine.calibrate import calibration
from harness.core.meta_records import MetaRecord
from harness.core.store import Store
from harness.pipeline.cells import Cell, MetaJob
from harness.pipeline.cost import clock, expected, machine_from


def meta_text(record: MetaRecord) -> str:
    """What was trained by which method on which tasks, and what of it is no part of the checkpoint."""
    fit = record.fit
    loss = "" if fit.loss is None else f", loss {fit.loss:.3f}"
    lines = [
        f"{record.model.name}: {record.method}, {record.model.parameters or 0:,} parameters, {fit.steps:,} steps, "
        f"{fit.episodes:,} episodes of {len(record.tasks)} tasks, {fit.tokens:,} tokens{loss}, seed {record.seed}, "
        f"{record.timings.seconds:.0f} s",
        f"tasks  {', '.join(f'{task.name} ({task.n:,})' for task in record.tasks)}",
    ]
    if record.dropped:
        lines.append(f"left out of the checkpoint  {', '.join(record.dropped)}")
    if record.generator:
        lines.append("beside it, and used where it is fine-tuned to classes: the generator of output layers")
    return "\n".join(lines)


def meta_json(record: MetaRecord, folder: Path) -> str:
    """The same, for a program."""
    keep = ("cell", "model", "method", "tasks", "dropped", "generator", "seed", "fit", "environment", "timings")
    content = record.as_json()
    return json.dumps({"checkpoint": str(folder), **{key: content[key] for key in keep}}, indent=1, ensure_ascii=False)


def meta_training_plan(cells: Sequence[Cell], store: Store) -> str:
    """What `harness meta-train` would do, and what it is estimated to take."""
    seconds = expected(cells, machine_from(calibration()), store)
    job = cells[-1].job
    assert isinstance(job, MetaJob) and job.model_spec.meta is not None
    spec = job.model_spec.meta
    episodes = f"{spec.steps:,} steps of {spec.episodes} episodes"
    lines = [f"{cells[-1].model}: {spec.method} on {len(job.inputs)} tasks of {spec.data}, {episodes}"]
    for cell in cells:
        took = "cached" if store.has(cell.key) else f"about {clock(seconds[cell.key])}"
        lines.append(f"{short(cell.key)}  {cell.kind}  {took}")
    return "\n".join(lines)
