"""What a run takes beside its work: one small cell against the same as a bare script, a worker against `import torch`.

    pytest tests/benchmarks/test_start_up.py --benchmark-enable -m ""      # some minutes on an idle machine

Processor time is in the table of docs/results/speed.md, the clock in the facts: workers import while the run is
planned, which takes no less processor time and ends sooner on two cores.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.test_against_hf_trainer import Sides, Sweep
from tests.benchmarks.turns import Comparison, command, take_turns
from tests.conftest import ROOT

CELL = Sweep("bert-tiny", ("sst2",), 200, 1, 1 / 1.5)
READY = """
import sys, time
from harness.pipeline.executors import copying

if __name__ == "__main__":
    modules = ["harness.modeling.inference.scoring", "harness.training.trainer"]
    context = copying.context(1, modules)
    first = context.Process(target=time.time)
    first.start()
    first.join()
    if sys.argv[1:] == ["copy"]:
        start = time.perf_counter()
        process = context.Process(target=time.time)
        process.start()
        process.join()
        print(time.perf_counter() - start)
"""
"""Starts the process to copy and a worker of it; of a further worker it prints the seconds."""


def clock(spent: list[Any]) -> list[float]:
    return [round(one.wall, 2) for one in spent]


@pytest.mark.slow
@pytest.mark.nightly
def test_a_run_of_one_small_cell_beside_its_bare_script(benchmark: Any, real_data: Path, tmp_path: Path) -> None:
    """Reported, not asserted: the goal is 1.5 times the script's time at most, by the clock."""
    sides = Sides(tmp_path, real_data, CELL, "fp32")
    rounds = [0]

    def bare() -> None:
        rounds[0] += 1
        work = str(tmp_path / "hf" / "work.json")
        command([sys.executable, "-m", "tests.benchmarks.bare_cell", work, str(rounds[0])], ROOT)

    comparison = Comparison("Start-up", CELL.subject, "bare script", goal=CELL.goal)
    sides.harness(), bare()
    benchmark.pedantic(partial(take_turns, comparison, sides.harness, bare), rounds=1, iterations=1)
    ours, theirs = clock(comparison.ours), clock(comparison.theirs)
    longer = statistics.median(own / other for own, other in zip(ours, theirs, strict=True))
    comparison.note = f"by the clock {longer:.2f} times as long as the script"
    comparison.facts = {"clock": ours, "clock of the script": theirs}
    comparison.record(benchmark)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_worker_beside_importing_torch(benchmark: Any, tmp_path: Path) -> None:
    """The first worker of a run waits for all imports; each further one is a copy."""
    (tmp_path / "ready.py").write_text(READY)
    first = partial(command, [sys.executable, str(tmp_path / "ready.py")], tmp_path)
    torch = partial(command, [sys.executable, "-c", "import torch"], tmp_path)
    comparison = Comparison("Start-up", "a process to copy, and the first worker", "`import torch`", goal=1 / 1.3)
    benchmark.pedantic(partial(take_turns, comparison, first, torch), rounds=1, iterations=1)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    copied = subprocess.run(
        [sys.executable, str(tmp_path / "ready.py"), "copy"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    comparison.facts = {"seconds of the clock of a further worker": float(copied.stdout)}
    comparison.record(benchmark)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_run_that_is_there_imports_nothing(benchmark: Any, real_data: Path, tmp_path: Path) -> None:
    """The goals are a second for a run that is there, half of one for `show` and 0.3 s for `list`; the clock of a busy
    machine misses them.
    """
    sides = Sides(tmp_path, real_data, CELL, "fp32")
    sides.harness()
    arguments = ["run", "--task", "sst2", "--model", str(tmp_path / f"{CELL.model}.yaml"), "--data", str(real_data),
                 "--results", str(tmp_path / "results-0"), "--quiet", "--workers", "1", "--threads", "1",
                 "--limit", str(CELL.limit)]  # fmt: skip
    verbs = {"run": arguments, "show": ["show", "--results", str(tmp_path / "results-0")], "list": ["list", "tasks"]}
    took: dict[str, list[float]] = {}
    for _ in range(5):
        for name, of_verb in verbs.items():
            start = time.perf_counter()
            command([sys.executable, "-m", "harness", *of_verb], tmp_path)
            took.setdefault(name, []).append(round(time.perf_counter() - start, 3))
    benchmark.extra_info.update(clock=took)
    benchmark.pedantic(lambda: None, rounds=1)
