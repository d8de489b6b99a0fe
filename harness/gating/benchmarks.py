"""Runs of pytest-benchmark, judged as far as they can be: two runs, one after the other, on one machine.

A machine may have been slower during one of them, and no statistics of either tells. So nothing here is a regression:
what looks slower stays inconclusive. Times of different machines are not compared at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.gating.engine import Report
from harness.gating.measured import Measured, read_json
from harness.gating.settings import GateSpec

UNSTEADY = ("hz_actual", "hz_actual_friendly", "hz_actual_raw")
"""Facts of a CPU that differ from one moment to the next."""


def read_benchmarks(path: Path) -> dict[str, Any]:
    """What `pytest --benchmark-json FILE` or `harness measure --benchmark-json FILE` wrote. Raises HarnessError."""
    content = read_json(path, "--benchmark-json")
    try:
        sound = all(_times(one) > (0, 0) for one in _by_name(content).values()) and bool(content["machine_info"])
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise HarnessError(
            f"--benchmark-json {path}: no run of pytest-benchmark; `pytest --benchmark-json FILE` writes one"
        )
    return content


def judge_benchmarks(base: Path, candidate: Path, spec: GateSpec) -> Report:
    """A report of benchmarks by name. Slower is what is so by the margin both in its median and in its minimum."""
    sides = read_benchmarks(base), read_benchmarks(candidate)
    margin = spec.speed_margin_on("cpu")
    reasons = _other_machine(sides[0]["machine_info"], sides[1]["machine_info"])
    before, after = (_by_name(side) for side in sides)
    gone = [name for name in before if name not in after]
    reasons += [f"benchmark {name} of {base} is not in {candidate}" for name in gone]
    new = [name for name in after if name not in before]
    notes = [f"benchmarks not in {base}, so not judged: {', '.join(new)}"] if new else []
    rows = []
    if not reasons:
        rows = [_judged(name, _times(before[name]), _times(after[name]), margin) for name in before]
    return Report(str(base), str(candidate), (), tuple(reasons), tuple(notes), spec.strict, tuple(rows))


def _judged(name: str, before: tuple[float, float], after: tuple[float, float], margin: float) -> Measured:
    ratios = after[0] / before[0], after[1] / before[1]
    slower = min(ratios) >= 1 + margin
    said = f"median {ratios[0]:.3f} and minimum {ratios[1]:.3f} times the base's"
    return Measured(
        model=name,
        kind="benchmark",
        where="median",
        base=before[0],
        candidate=after[0],
        ratio=ratios[0],
        low=None,
        high=None,
        margin=margin,
        measurements=1,
        verdict="INCONCLUSIVE" if slower else "OK",
        reason=f"slower, {said}, in separate runs; time both side by side" if slower else said,
    )


def _by_name(content: Mapping[str, Any]) -> dict[str, Any]:
    return {one["fullname"]: one["stats"] for one in content["benchmarks"]}


def _times(stats: Mapping[str, Any]) -> tuple[float, float]:
    return float(stats["median"]), float(stats["min"])


def _other_machine(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Which facts of the machines differ."""
    facts = [_facts(one) for one in (before, after)]
    differing = [name for name in sorted({*facts[0], *facts[1]}) if facts[0].get(name) != facts[1].get(name)]
    if not differing:
        return []
    name = differing[0]
    first, second = (facts[side].get(name, "unknown") for side in (0, 1))
    more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
    return [f"times of different machines: {name} is {first} and {second}{more}; measure both on one"]


def _facts(machine: Mapping[str, Any]) -> dict[str, str]:
    cpu = machine.get("cpu") or {}
    own = {name: machine[name] for name in machine if name != "cpu"}
    own |= {f"cpu.{name}": value for name, value in cpu.items() if name not in UNSTEADY}
    return {name: json.dumps(value, sort_keys=True) for name, value in own.items()}
