"""What cells are expected to take on this machine, corrected by what others like them took; how a time is written."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.cached_facts import KnownCost
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.machine.environment import cpu
from harness.core.store import Store
from harness.pipeline.cells import Cell
from harness.training.costs import REFERENCE_STEP, Work

UNKNOWN_SECONDS = 30.0
"""Of a cell whose cost nobody knows."""
GEMM_FRACTION = 0.9
"""What models reach of the rate of a matrix product alone."""
GPU_FLOPS = 3e13
MAIN_SECONDS = 3.0
"""CPU seconds of the calling process."""
START_SECONDS = {"torch": 5.2, "scikit-learn": 1.7, "": 0.7}
"""CPU seconds until what cells need is imported. Neither these nor the next go by the machine's rate of training steps:
5.2 was measured where a step took 0.6 of the reference's time, and less where it took 2.6.
"""
COPY_SECONDS = 0.7
"""CPU seconds of each worker, which is a copy of a process that has imported."""
LEARNED_FROM = 20.0
"""CPU seconds of a cell in which libraries were imported, from which on it still says what its like will take."""
FACTOR_AT_MOST = 20.0


@dataclass(frozen=True)
class Machine:
    """Rates of matrix products in float32 and bfloat16, operations a CPU second, and how much slower it is than the
    reference machine in all else.
    """

    flops: float
    bf16_flops: float
    slowness: float

    def seconds(self, work: Work) -> float:
        """CPU seconds of a work."""
        return work.flops / self.flops + work.bf16_flops / self.bf16_flops + self.slowness * work.seconds


def machine_from(calibrated: Mapping[str, Any]) -> Machine:
    """The machine that was calibrated."""
    gflops = calibrated.get("cpu_gflops") or calibrated["gemm_gflops"]["1"]
    step = (calibrated.get("cpu_step_ms") or calibrated["step_ms"]["1"]) / 1000
    flops = GEMM_FRACTION * 1e9 * gflops
    bf16_flops = flops * max(0.05, calibrated["cpu_bf16_speedup"])
    if calibrated["cuda_devices"]:
        flops = bf16_flops = GPU_FLOPS
    return Machine(max(flops, 1e6), max(bf16_flops, 1e6), step / REFERENCE_STEP)


def expected(cells: Iterable[Cell], machine: Machine, store: Store | None = None) -> dict[str, float]:
    """CPU seconds of cells, by key: of a cell like one that the store has computed by what that took, of one that is
    timed the most it may take.
    """
    return {cell.key: _expected(cell, machine, store) for cell in cells}


def _expected(cell: Cell, machine: Machine, store: Store | None) -> float:
    if cell.seconds is not None:
        return cell.seconds[1]
    if cell.work is None:
        return UNKNOWN_SECONDS
    return machine.seconds(cell.work) * (1.0 if store is None else _factor(cell, machine, store))


def _factor(cell: Cell, machine: Machine, store: Store) -> float:
    """How many times its estimate a cell like this one took."""
    for key in _likes(cell):
        with contextlib.suppress(HarnessError):
            known = store.cached(key, KnownCost)
            estimated = machine.seconds(Work(*known["work"])) if known is not None else 0.0
            if known is not None and estimated > 0:
                return min(max(known["cpu_seconds"] / estimated, 1 / FACTOR_AT_MOST), FACTOR_AT_MOST)
    return 1.0


def _likes(cell: Cell) -> list[str]:
    """Keys of what is known of cells of the same kind and model on this machine: on the same task, and on any."""
    model = getattr(cell.job, "model", {}).get("id")
    here = ["cost", cell.kind, model, cpu()["model"]]
    return [hash_json([*here, cell.task, cell.split]), hash_json(here)]


def remember(cell: Cell, cpu_seconds: float, modules_before: int, store: Store) -> None:
    """Keep what a cell took for the estimates of others; one in which libraries were imported says little of them."""
    if (
        cell.work is None
        or not cell.work.nominal
        or (len(sys.modules) - modules_before > 200 and cpu_seconds < LEARNED_FROM)
    ):
        return
    taken = {"work": [cell.work.flops, cell.work.bf16_flops, cell.work.seconds], "cpu_seconds": cpu_seconds}
    with contextlib.suppress(HarnessError, OSError):
        for key in _likes(cell):
            store.cache(key, taken)


@dataclass(frozen=True)
class Forecast:
    """What the missing cells of a run are expected to take: CPU seconds by key, those of all else, and how many cells
    are computed at once. Cells that are timed run alone, after the others.
    """

    cells: Mapping[str, float]
    timed: frozenset[str]
    overhead: float
    at_once: int

    @property
    def cpu_seconds(self) -> float:
        """Of all that runs side by side."""
        return sum(self.side_by_side.values()) + self.overhead

    @property
    def side_by_side(self) -> dict[str, float]:
        return {key: seconds for key, seconds in self.cells.items() if key not in self.timed}

    @property
    def seconds(self) -> float:
        """Until what runs side by side is done, where each worker has a core."""
        each = self.side_by_side.values()
        return max(sum(each) / self.at_once, max(each, default=0.0)) + self.overhead / self.at_once


def start_seconds(cells: Iterable[Cell]) -> float:
    """CPU seconds until a worker has imported what these cells need, once on each machine, and is copied."""
    kinds = {
        "torch" if cell.work is None or cell.work.flops + cell.work.bf16_flops else "scikit-learn" for cell in cells
    }
    return START_SECONDS["torch" if "torch" in kinds else "scikit-learn" if kinds else ""] + COPY_SECONDS


def overhead(cells: Iterable[Cell], workers: int) -> float:
    """CPU seconds of the calling process and of workers' starts, beside the cells."""
    return MAIN_SECONDS + start_seconds(cells) + (workers - 1) * COPY_SECONDS


def clock(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
