"""Runs of pytest-benchmark, judged as far as they can be: two runs, one after the other, on one machine.

A machine may have been slower during one of them, and no statistics of either tells. So nothing here is a regression:
what looks slower stays inconclusive. Times of different machines are not compared at all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.errors import HarnessError
from harness.gating.engine import Report
from harness.gating.measured import Measured, read_json
from harness.gating.settings import GateSpec

MOST_SECONDS = 1e9
UNSTEADY = ("hz_actual", "hz_actual_friendly", "hz_actual_raw")
"""Facts of a CPU that differ from one moment to the next."""


class Benchmark(BaseModel):
    """A benchmark as pytest-benchmark writes it: of its statistics those that are judged, whatever they may hold."""

    model_config = ConfigDict(frozen=True, strict=True)

    fullname: str
    stats: dict[str, Any]

    @property
    def times(self) -> tuple[float, float]:
        """Median and minimum, in seconds; what `problem` has nothing against."""
        return float(self.stats["median"]), float(self.stats["min"])

    @property
    def problem(self) -> str | None:
        """What makes its times none that can be judged; None where nothing does."""
        for name in ("median", "min"):
            value = self.stats.get(name)
            if value is None:
                return f"its {name} is missing"
            if isinstance(value, bool) or not isinstance(value, int | float):
                return f"its {name} is no number"
            if not 0 < value < MOST_SECONDS:
                return f"its {name} is {value:g} seconds, which no time can be"
        return "its minimum is above its median" if self.times[1] > self.times[0] else None


class Benchmarks(BaseModel):
    """A run of pytest-benchmark."""

    model_config = ConfigDict(frozen=True, strict=True)

    machine_info: dict[str, Any] = Field(min_length=1)
    benchmarks: list[Benchmark]

    @property
    def by_name(self) -> dict[str, Benchmark]:
        return {benchmark.fullname: benchmark for benchmark in self.benchmarks}


def read_benchmarks(path: Path) -> Benchmarks:
    """What `pytest --benchmark-json FILE` or `harness measure --benchmark-json FILE` wrote. Raises HarnessError."""
    content = read_json(path, "--benchmark-json", finite=False)
    try:
        return Benchmarks.model_validate(content)
    except ValidationError:
        raise HarnessError(
            f"--benchmark-json {path}: no run of pytest-benchmark; `pytest --benchmark-json FILE` writes one"
        ) from None


def judge_benchmarks(base: Path, candidate: Path, spec: GateSpec) -> Report:
    """A report of benchmarks by name. Slower is what is so by the margin both in its median and in its minimum. Where a
    time is none, or a name stands for two benchmarks, nothing is judged.
    """
    both = read_benchmarks(base), read_benchmarks(candidate)
    margin = spec.speed_margin_on("cpu")
    reasons = [
        reason
        for path, benchmarks in zip((base, candidate), both, strict=True)
        for reason in _problems(path, benchmarks)
    ]
    reasons += _other_machine(both[0].machine_info, both[1].machine_info)
    before, after = (benchmarks.by_name for benchmarks in both)
    gone = [name for name in before if name not in after]
    reasons += [f"benchmark {name} of {base} is not in {candidate}" for name in gone]
    new = [name for name in after if name not in before]
    notes = [f"benchmarks not in {base}, so not judged: {', '.join(new)}"] if new else []
    rows = []
    if not reasons:
        rows = [_judged(name, before[name].times, after[name].times, margin) for name in before]
    return Report(str(base), str(candidate), (), tuple(reasons), tuple(notes), spec.strict, tuple(rows))


def _problems(path: Path, benchmarks: Benchmarks) -> list[str]:
    problems = [
        f"benchmark {benchmark.fullname} of {path}: {benchmark.problem}"
        for benchmark in benchmarks.benchmarks
        if benchmark.problem
    ]
    counts = Counter(benchmark.fullname for benchmark in benchmarks.benchmarks)
    problems += [f"benchmark {name} stands {count} times in {path}" for name, count in counts.items() if count > 1]
    return problems if benchmarks.benchmarks else [f"no benchmark in {path}"]


def _judged(name: str, before: tuple[float, float], after: tuple[float, float], margin: float) -> Measured:
    ratios = after[0] / before[0], after[1] / before[1]
    slower = min(ratios) >= 1 + margin
    ratio_text = f"median {ratios[0]:.3f} and minimum {ratios[1]:.3f} times the base's"
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
        reason=f"slower, {ratio_text}, in separate runs; time both side by side" if slower else ratio_text,
    )


def _other_machine(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Which facts of the machines differ."""
    facts = [_facts(benchmarks) for benchmarks in (before, after)]
    differing = [name for name in sorted({*facts[0], *facts[1]}) if facts[0].get(name) != facts[1].get(name)]
    if not differing:
        return []
    name = differing[0]
    first, second = (facts[place].get(name, "unknown") for place in (0, 1))
    what = "names differ" if name == "node" else f"{name} is {first} and {second}"  # a host's name stays its own
    more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
    return [f"times of different machines: {what}{more}; measure both on one"]


def _facts(machine: Mapping[str, Any]) -> dict[str, str]:
    cpu = machine["cpu"] if isinstance(machine.get("cpu"), dict) else {}
    facts = {name: machine[name] for name in machine if name != "cpu" or not cpu}
    facts |= {f"cpu.{name}": value for name, value in cpu.items() if name not in UNSTEADY}
    return {name: json.dumps(value, sort_keys=True) for name, value in facts.items()}
