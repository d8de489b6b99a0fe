"""A plan before it is run: `--dry-run`."""

from __future__ import annotations

import json

from harness.core.hashing import short
from harness.core.machine.calibrate import calibration
from harness.core.run_spec import RunSpec
from harness.pipeline.cells import Cell, PretrainJob
from harness.pipeline.commands.run import Prepared, processes_of
from harness.pipeline.cost import clock, cost
from harness.report.text.text import columns

RATE_SHARE = 0.35
"""Fraction of the GEMM rate that training of a small model reaches, for cost estimates."""


def plan_text(run: RunSpec, prepared: Prepared) -> str:
    """The cells, which are cached, and what the rest is estimated to cost on this machine."""
    rate, workers = _rate(run)
    with_fractions = any(cell.fraction != 1 for cell in prepared.plan.cells)
    rows = [
        [
            short(cell.key),
            cell.kind,
            cell.task,
            cell.split or "",
            cell.model,
            str(cell.seed),
            *([f"{100 * cell.fraction:g} %"] if with_fractions else []),
            "cached" if cell.key in prepared.cached else _estimate(cell, rate),
        ]
        for cell in prepared.plan.cells
    ]
    missing = prepared.missing
    side_by_side = [cell for cell in missing if cell.kind != "measure"]
    at_once = max(1, min(workers, len(side_by_side)))
    timed = [cell.seconds[1] if cell.seconds else cost(cell) / rate for cell in side_by_side]
    seconds = max(sum(timed) / at_once, max(timed, default=0.0))
    alone = [cell.seconds for cell in missing if cell.kind == "measure" and cell.seconds is not None]
    unknown = sum(cell.flops is None and cell.seconds is None for cell in missing)
    note = f", {unknown} of unknown cost counted at a guess" if unknown else ""
    total = f"{len(rows)} cells, {len(prepared.cached)} cached, {len(missing)} to compute"
    about = f": about {clock(seconds)} on {at_once} worker{'s' if at_once > 1 else ''}{note}" if side_by_side else ""
    if alone:
        least, most = (sum(times) for times in zip(*alone, strict=True))
        more = "then " if side_by_side else ""
        about += f"; {more}about {clock(least)} to {clock(most)} of measuring, alone"
    heads = ["cell", "kind", "task", "split", "model", "seed", *(["trained on"] if with_fractions else []), "cost"]
    return columns(rows, heads) + f"\n\n{total}{about}"


def plan_json(run: RunSpec, prepared: Prepared) -> str:
    rate, workers = _rate(run)
    cells = [
        {
            "cell": cell.key, "kind": cell.kind, "task": cell.task, "split": cell.split, "model": cell.model,
            "seed": cell.seed, "fraction": cell.fraction,
            "cached": cell.key in prepared.cached, "needs": list(cell.needs), "flops": cell.flops,
            "estimated_seconds": _seconds(cell, rate),
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
            "data": dict(prepared.plan.data),
            "workers": workers,
        },
        indent=1,
        ensure_ascii=False,
    )


def pretraining_plan(cell: Cell, is_cached: bool, threads: int | None) -> str:
    """What `harness pretrain` would do, and what it is estimated to take."""
    job = cell.job
    assert isinstance(job, PretrainJob) and job.recipe.pretraining is not None
    settings = job.recipe.pretraining
    lengths = {"steps": settings.steps, "tokens": settings.tokens, "budget": settings.budget}
    length = next(f"{name} {value}" for name, value in lengths.items() if value is not None)
    took = "cached" if is_cached else _estimate(cell, _rate(RunSpec(threads=threads, workers=1))[0])
    return (
        f"{cell.model}: {settings.objective} on {settings.corpus}, {length}, batches of {settings.batch_size} blocks "
        f"of {settings.block_size} tokens\n{short(cell.key)}  {took}"
    )


def _rate(run: RunSpec) -> tuple[float, int]:
    """FLOP/s of one worker, by the calibration, and the number of workers."""

    measured = calibration()
    threads, workers = processes_of(run, measured)
    rates = measured["gemm_gflops"]
    return RATE_SHARE * 1e9 * rates.get(str(threads), rates["1"]), workers


def _seconds(cell: Cell, rate: float) -> float | list[float] | None:
    """The least and the most of a cell that is measured."""
    if cell.seconds is not None:
        return [round(bound, 2) for bound in cell.seconds]
    return None if cell.flops is None else round(cost(cell) / rate, 2)


def _estimate(cell: Cell, rate: float) -> str:
    if cell.seconds is not None:
        least, most = cell.seconds
        return f"~{least:.0f} s" if least == most else f"~{least:.0f}–{most:.0f} s"
    return "unknown" if cell.flops is None else f"~{cost(cell) / rate:.0f} s"
