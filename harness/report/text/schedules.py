"""A run simulated on nodes: `harness plan`."""

from __future__ import annotations

import json
from dataclasses import asdict

from harness.pipeline.commands.plan import PlannedRun
from harness.pipeline.cost import clock
from harness.pipeline.executors.simulation import Schedule
from harness.report.text.text import columns

LONGEST_PATH = 6
"""Cells of a critical path that are shown."""


def schedule_text(planned: PlannedRun) -> str:
    """Makespan and what bounds it, the critical path, the curve over numbers of nodes, and what it all rests on."""
    missing = planned.cells - planned.cached
    total = f"{planned.cells} cells, {planned.cached} cached, {missing} to compute"
    if not missing:
        return total
    chosen = planned.schedule
    path = planned.critical_path
    facts = [
        ["makespan", f"about {clock(chosen.makespan)} on {_nodes(chosen)}"],
        ["bounded by", chosen.bound],
        *([name, f"at least {clock(bound)}"] for name, bound in chosen.bounds.items() if bound),
        ["utilization", f"{100 * chosen.utilization:.0f} %"],
        ["cells", f"{planned.cell_hours:.3g} hours, one after another"],
        *([["cost", f"{planned.cost:.2f}, all nodes from beginning to end"]] if planned.cost is not None else []),
    ]
    shown = path if len(path) <= LONGEST_PATH else path[: LONGEST_PATH - 1]
    chain = [f"  {cell.cell}  {cell.label}  ~{cell.seconds:.0f} s" for cell in shown]
    chain += [f"  … and {len(path) - len(shown)} more"] if len(shown) < len(path) else []
    width = max(len(name) for name, _ in facts)
    return "\n".join(
        [
            f"{total}\n",
            *(f"{name.ljust(width)}  {value}" for name, value in facts),
            *(["", f"critical path, {len(path)} cell{'s' if len(path) > 1 else ''}:", *chain] if path else []),
            "",
            _curve_text(planned),
            "",
            "Estimated: " + "; ".join(planned.assumptions) + ".",
        ]
    )


def _curve_text(planned: PlannedRun) -> str:
    efficiency = planned.efficiency
    rows = [
        [
            str(point.nodes), str(point.workers), clock(point.makespan),
            f"{point.nodes * efficiency[point.nodes]:.1f}×",
            f"{100 * efficiency[point.nodes]:.0f} %", f"{100 * point.utilization:.0f} %", point.bound,
        ]
        for point in planned.curve
    ]  # fmt: skip
    return columns(rows, ["nodes", "workers", "makespan", "speed-up", "efficiency", "utilization", "bounded by"])


def schedule_json(planned: PlannedRun) -> str:
    """The same, for a program. Times are in seconds."""
    efficiency = planned.efficiency
    document = {
        "cells": planned.cells,
        "cached": planned.cached,
        "unknown_cost": planned.unknown,
        **_as_json(planned.schedule),
        "workers_per_node": planned.workers_per_node,
        "cell_hours": round(planned.cell_hours, 4),
        "cost": planned.cost,
        "critical_path": [{**asdict(cell), "seconds": round(cell.seconds, 2)} for cell in planned.critical_path],
        "curve": [
            {**_as_json(point), "efficiency": round(efficiency[point.nodes], 4) if efficiency else None}
            for point in planned.curve
        ],
        "assumptions": list(planned.assumptions),
    }
    return json.dumps(document, indent=1, ensure_ascii=False)


def _as_json(point: Schedule) -> dict[str, object]:
    return {
        "nodes": point.nodes,
        "workers": point.workers,
        "workers_started": point.started,
        "makespan": round(point.makespan, 2),
        "utilization": round(point.utilization, 4),
        "bounded_by": point.bound or None,
        "bounds": {name: round(bound, 2) for name, bound in point.bounds.items()},
    }


def _nodes(point: Schedule) -> str:
    workers = f"{point.workers} worker{'s' if point.workers > 1 else ''}"
    return f"{point.nodes} node{'s' if point.nodes > 1 else ''}, {workers}"
