"""Two sides that take turns, what each round costs, and the line this makes in the report.

Both sides have the same number of processes and threads and the same precision. What is compared is processor time;
the wall is beside it. Where a benchmark's `record` is called, `tests/benchmarks/report.py` makes the table of
docs/results/speed.md from pytest-benchmark's JSON.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

ROUNDS = 5
"""Rounds of a full benchmark; $HARNESS_BENCHMARK_ROUNDS says otherwise."""


@dataclass(frozen=True)
class Spent:
    """Seconds of a round: of all processors, and of the clock."""

    cpu: float
    wall: float


@dataclass
class Comparison:
    """harness beside a peer on one piece of work.

    Attributes:
        area: The heading it stands under: `Fine-tuning`, `Scoring`, `Generation`, `Start-up`, `Measuring`, `Scale`.
        subject: What is done: model, data, size, whole command or not.
        peer: What it is compared with.
        precision: `fp32` or `bf16`, on both sides.
        goal: How many times as fast as the peer it is meant to be.
        ours: harness's rounds.
        theirs: The peer's, in the same order.
        note: What a reader must know besides, such as that the scores are equal.
        facts: Further figures, such as scores or the share of the machine's rate.
    """

    area: str
    subject: str
    peer: str
    precision: str = "fp32"
    goal: float | None = None
    ours: list[Spent] = field(default_factory=list)
    theirs: list[Spent] = field(default_factory=list)
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ratios(self) -> list[float]:
        """The peer's processor time over ours, by round."""
        return [peer.cpu / own.cpu for own, peer in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median over the rounds; above 1 harness takes less."""
        return statistics.median(self.ratios)

    def record(self, benchmark: Any) -> None:
        """Add it to what pytest-benchmark writes."""
        benchmark.extra_info.setdefault("comparisons", []).append(
            asdict(self) | {"ratio": round(self.ratio, 3), "ratios": [round(each, 3) for each in self.ratios]}
        )


def take_turns(
    comparison: Comparison, ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int | None = None
) -> Comparison:
    """Call both sides in every round, in the other order each time, and note what they spend.

    Processor time is that of this process and of the children it waits for.
    """
    for number in range(rounds or int(os.environ.get("HARNESS_BENCHMARK_ROUNDS", ROUNDS))):
        sides = [(comparison.ours, ours), (comparison.theirs, theirs)]
        for spent, call in sides if number % 2 == 0 else reversed(sides):
            spent.append(spent_by(call))
    return comparison


def spent_by(call: Callable[[], Any]) -> Spent:
    """What a call costs."""
    cpu, wall = _cpu(), time.perf_counter()
    call()
    return Spent(_cpu() - cpu, time.perf_counter() - wall)


def _cpu() -> float:
    times = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in times)


REAPER = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what a command leaves behind is waited for, and counts
code = subprocess.call(sys.argv[1:])
try:
    while True:
        os.wait()
except ChildProcessError:
    sys.exit(code)
"""


def command(arguments: Sequence[str], cwd: Path, **variables: str) -> None:
    """Run a command with one thread a process, as on a machine of one's own: nothing inherited of threads.

    Raises:
        AssertionError: it failed; with the end of what it said.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "MKL_", "TOKENIZERS_"))}
    done = subprocess.run(
        [sys.executable, "-S", "-c", REAPER, *arguments],
        cwd=cwd,
        env=kept | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
