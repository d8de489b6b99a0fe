"""The process a model is timed in. It sleeps on its pipe unless asked, so that only one of several is ever active."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.machine.counters import EnergyCounter, GpuEnergyCounter
from harness.core.machine.processes import end_with, quiet_libraries
from harness.core.machine.waiting import WAITS, Stopwatch
from harness.core.registry import load_registry
from harness.measurement.loaded_model import LoadedModel, import_for, start_cuda
from harness.measurement.memory import watch
from harness.measurement.procfs import reset_peak, resident
from harness.measurement.workloads import Absent, Workload

UNTIMED_CALLS = 2
"""Before those of a burst that are timed; one is enough where it takes longer than the burst."""
BURST_SECONDS = 0.0375
"""A burst is timed for at least so long, by whole calls, at least one."""
ENERGY_SECONDS = 1.5
"""Calls for the energy of a GPU go on for so long: its counter moves some ten times a second."""
STEP_SECONDS = 1.0
"""A counter that stands still for so long is taken as it is."""


def main(pipe: Connection, folder: str, threads: int, include: Sequence[str], started_by: int) -> None:
    """Answer requests until the pipe closes. In: `(name, arguments)`. Out: `("done", answer)`, `("failed", cause)`."""

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=end_with, args=(started_by,), daemon=True).start()
    quiet_libraries()
    process = Process(Path(folder), threads, include)
    while True:
        try:
            name, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            if name == "start":
                load_registry(include)
            pipe.send(("done", getattr(process, name)(**arguments)))
        except HarnessError as error:
            pipe.send(("failed", str(error)))
        except Exception as error:
            pipe.send(("failed", f"{type(error).__name__}: {' '.join(str(error).split())}"))


class Process:
    """What can be asked of a worker, by name."""

    def __init__(self, folder: Path, threads: int, include: Sequence[str]) -> None:
        self._folder = folder
        self._threads = threads
        self._open_model: LoadedModel | None = None
        self._energy: EnergyCounter | None = None
        self._gpu: GpuEnergyCounter | None = None

    @property
    def _loaded(self) -> LoadedModel:
        assert self._open_model is not None
        return self._open_model

    def start(self) -> dict[str, Any]:
        """Import what the model needs. The answer says how the process is set up."""

        import_for(self._folder)
        import torch

        torch.set_num_threads(self._threads)
        self._energy = EnergyCounter.find()
        return {
            "threads": torch.get_num_threads(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
            "gpu": gpu_facts(),
            "energy": self._energy is not None,
        }

    def load(self, cpus: Sequence[int] | None = None, device: str = "auto") -> dict[str, Any]:
        """Open the model on a device, and on these CPUs from now on: `seconds`, what it is, and whether times of calls
        are without what the process waits for its CPU. Files come from the page cache where they were read before.
        """

        start_cuda(device)
        if cpus is not None:
            os.sched_setaffinity(0, cpus)
        WAITS.look()
        start = time.perf_counter()
        self._open_model = LoadedModel(self._folder, self._threads, device)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "waits_left_out": WAITS.are_counted, **self._loaded.facts()}

    def prepare(self, cell: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Make a cell's input. `{"absent": reason}` where the model cannot be given it, else its `amounts`."""

        work = self._loaded.prepare(Workload(**cell), seed)
        if isinstance(work, Absent):
            return {"absent": work.reason}
        return {"amounts": work.amounts(), "notes": dict(work.notes)}

    def call(self, cell: str) -> dict[str, float]:
        return self._loaded.call(cell)

    def burst(self, cell: str) -> tuple[dict[str, list[float]], float | None]:
        """Untimed calls, then `BURST_SECONDS` of timed ones; with the joules of these where they are counted."""
        loaded = self._loaded
        for _ in range(UNTIMED_CALLS):
            if sum(loaded.call(cell).values()) > BURST_SECONDS:
                break
        WAITS.look()
        before = self._energy.joules() if self._energy else None
        calls: dict[str, list[float]] = {}
        watch = Stopwatch()
        while not calls or watch.seconds() < BURST_SECONDS:
            for stage, seconds in loaded.call(cell).items():
                calls.setdefault(stage, []).append(seconds)
        joules = self._energy.joules() - before if self._energy and before is not None else None
        return calls, joules

    def gpu_energy(self, cell: str) -> float | None:
        """Joules of the whole GPU for a call, from calls of at least `ENERGY_SECONDS` on end; None where nothing counts
        them. The counter moves in steps, so that calls are made from one of its steps to another.
        """

        if self._gpu is None:
            self._gpu = GpuEnergyCounter.find()
        if self._gpu is None:
            return None
        before = self._to_next_step(cell, self._gpu)[0]
        calls, start = 0, time.perf_counter()
        while time.perf_counter() - start < ENERGY_SECONDS:
            self._loaded.call(cell)
            calls += 1
        after, more = self._to_next_step(cell, self._gpu)
        return (after - before) / (calls + more)

    def _to_next_step(self, cell: str, counter: GpuEnergyCounter) -> tuple[float, int]:
        """Call until the counter moves: where it stands then, after how many calls."""
        first, start, calls = counter.joules(), time.perf_counter(), 0
        while (now := counter.joules()) == first and time.perf_counter() - start < STEP_SECONDS:
            self._loaded.call(cell)
            calls += 1
        return now, calls

    def memory(self, cell: Mapping[str, Any], seed: int, device: str = "auto") -> dict[str, Any]:
        """Load the model and call it in this process, which did nothing before: see `harness.measurement.memory`."""

        return watch(self._folder, self._threads, cell, seed, device)

    def allocate(self, megabytes: int) -> dict[str, Any]:
        """Hold so many MiB, all of them touched, and say what this process sees: a check of the reading itself."""
        import numpy as np

        before = resident()
        reason = reset_peak()
        self._held = np.ones(megabytes << 17)
        return {"before": asdict(before), "after": asdict(resident()), "reason": reason}


def gpu_facts() -> dict[str, Any] | None:
    """What torch says of the GPU; None where it has none."""
    import torch

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "bytes": properties.total_memory,
        "cuda": torch.version.cuda,
    }
