"""A plan before it is run: `--dry-run`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from harness.core.hashing import short
from harness.core.machine.calibrate import calibration
from harness.core.portions import portion_name
from harness.core.run_spec import RunSpec
from harness.core.specs import PretrainingSpec, TrainingSpec
from harness.core.store import Store
from harness.pipeline.cells import Cell, FinetuneJob, PretrainJob
from harness.pipeline.commands.run import Prepared, forecast, processes_of
from harness.pipeline.cost import clock, expected, machine_from
from harness.report.text.text import columns


def plan_text(run: RunSpec, prepared: Prepared, store: Store) -> str:
    """The cells, which are cached, and what the rest is estimated to cost on this machine."""
    ahead = forecast(run, prepared.missing, store)
    with_fractions = any(portion_name(cell.fraction, cell.k_shot) for cell in prepared.plan.cells)
    rows = [
        [
            short(cell.key),
            cell.kind,
            cell.task,
            cell.split or "",
            cell.model,
            str(cell.seed),
            *([portion_name(cell.fraction, cell.k_shot) or "100 %"] if with_fractions else []),
            "cached" if cell.key in prepared.cached else _estimate(cell, ahead.cells[cell.key]),
        ]
        for cell in prepared.plan.cells
    ]
    missing = prepared.missing
    alone = [cell.seconds for cell in missing if cell.kind == "measure" and cell.seconds is not None]
    unknown = sum(cell.work is None and cell.seconds is None for cell in missing)
    note = f", {unknown} of unknown cost counted at a guess" if unknown else ""
    total = f"{len(rows)} cells, {len(prepared.cached)} cached, {len(missing)} to compute"
    workers = f"{ahead.at_once} worker{'s' if ahead.at_once > 1 else ''}"
    about = f": about {clock(ahead.seconds)} on {workers}, {clock(ahead.cpu_seconds)} of CPU time{note}"
    about = about if ahead.side_by_side else ""
    if alone:
        least, most = (sum(times) for times in zip(*alone, strict=True))
        more = "then " if ahead.side_by_side else ""
        about += f"; {more}about {clock(least)} to {clock(most)} of measuring, alone"
    heads = ["cell", "kind", "task", "split", "model", "seed", *(["trained on"] if with_fractions else []), "cost"]
    return "\n".join([columns(rows, heads), "", f"{total}{about}", *_adversarial(missing)])


def _adversarial(cells: Sequence[Cell]) -> list[str]:
    """What adversarial training costs, a line a model."""
    lines: dict[str, None] = {}
    for cell in cells:
        spec: TrainingSpec | PretrainingSpec | None = None
        if isinstance(cell.job, PretrainJob):
            spec = cell.job.model_spec.pretraining
        elif isinstance(cell.job, FinetuneJob):
            spec = cell.job.model_spec.training
        if spec is not None and spec.adversarial is not None:
            made = "pretraining" if cell.kind == "pretrain" else "fine-tuning"
            times = f"{spec.adversarial.cost:.1f} times a plain one"
            lines[f"{cell.model}: {made} with {spec.adversarial}: a step takes {times}, counted above"] = None
    return list(lines)


def plan_json(run: RunSpec, prepared: Prepared, store: Store) -> str:
    """The same, for a program."""
    ahead = forecast(run, prepared.plan.cells, store)
    missing = forecast(run, prepared.missing, store)
    cells = [
        {
            "cell": cell.key, "kind": cell.kind, "task": cell.task, "split": cell.split, "model": cell.model,
            "seed": cell.seed, "fraction": cell.fraction, "k_shot": cell.k_shot,
            "cached": cell.key in prepared.cached, "needs": list(cell.needs),
            "flops": None if cell.work is None else cell.work.flops + cell.work.bf16_flops,
            "estimated_seconds": _seconds(cell, ahead.cells[cell.key]),
        }
        for cell in prepared.plan.cells
    ]  # fmt: skip
    return json.dumps(
        {
            "cells": cells,
            "absent": dict(prepared.plan.absent),
            "not_applicable": [
                {"task": task, "model": model, "reason": reason}
                for (task, model), reason in prepared.plan.not_applicable.items()
            ],
            "data": {task: facts.as_json() for task, facts in prepared.plan.data.items()},
            "workers": processes_of(run, calibration())[1],
            "estimated_seconds": round(missing.seconds, 2),
            "estimated_cpu_seconds": round(missing.cpu_seconds, 2),
        },
        indent=1,
        ensure_ascii=False,
    )


def pretraining_plan(cell: Cell, store: Store) -> str:
    """What `harness pretrain` would do, and what it is estimated to take."""
    job = cell.job
    assert isinstance(job, PretrainJob) and job.model_spec.pretraining is not None
    settings = job.model_spec.pretraining
    lengths = {"steps": settings.steps, "tokens": settings.tokens, "budget": settings.budget}
    length = next(f"{name} {value}" for name, value in lengths.items() if value is not None)
    seconds = expected([cell], machine_from(calibration()), store)[cell.key]
    took = "cached" if store.has(cell.key) else _estimate(cell, seconds)
    return (
        f"{cell.model}: {settings.objective} on {settings.corpus}, {length}, batches of {settings.batch_size} blocks "
        f"of {settings.block_size} tokens\n{short(cell.key)}  {took}"
    )


def _seconds(cell: Cell, seconds: float) -> float | list[float] | None:
    """The least and the most of a cell that is measured."""
    if cell.seconds is not None:
        return [round(bound, 2) for bound in cell.seconds]
    return None if cell.work is None else round(seconds, 2)


def _estimate(cell: Cell, seconds: float) -> str:
    if cell.seconds is not None:
        least, most = cell.seconds
        return f"~{least:.0f} s" if least == most else f"~{least:.0f}–{most:.0f} s"
    return "unknown" if cell.work is None else f"~{seconds:.0f} s"
