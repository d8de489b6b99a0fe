"""Worker processes from outside: one for each variant of the protocol, started anew for each launch."""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.core.errors import HarnessError
from harness.core.machine.counters import idle_cpus
from harness.core.machine.environment import thread_variables
from harness.core.machine.processes import variables
from harness.measurement.worker import main as worker_main
from harness.measurement.workloads import Workload

STARTING = threading.Lock()
"""The environment is the whole process's: of two starts at once, one would take back what the other has set."""
SILENCE = 1800.0
"""Seconds after which a worker that says nothing is given up."""


class WorkerProcess:
    """A fresh process that will hold one model. It ends with its parent."""

    def __init__(self, folder: Path, threads: int, include: Sequence[str], name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=worker_main,
            args=(theirs, str(folder), threads, tuple(include), os.getpid()),
            daemon=True,
            name="harness-measure",
        )
        with STARTING, variables(thread_variables(threads)):
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def ask(self, request: str, **arguments: Any) -> Any:
        """Raises HarnessError where the worker fails or dies."""
        self.send(request, **arguments)
        return self.receive()

    def send(self, request: str, **arguments: Any) -> None:
        with suppress(OSError):  # a dead worker is found out on receiving
            self._pipe.send((request, arguments))

    def receive(self) -> Any:
        try:
            if not self._pipe.poll(SILENCE):
                raise HarnessError(f"{self.name}: its process has not answered for {SILENCE / 60:.0f} minutes")
            status, answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(timeout=5)
            code = self._process.exitcode
            hint = "; the system may be out of memory" if code == -9 else ""
            raise HarnessError(f"{self.name}: its process ended with exit code {code}{hint}") from None
        if status == "failed":
            raise HarnessError(f"{self.name}: {answer}")
        return answer

    def close(self) -> None:
        with suppress(OSError):
            self._pipe.close()
        self._process.terminate()
        self._process.join(timeout=2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(timeout=1)


@dataclass
class Start:
    """How a launch began for a variant: seconds to load, and of the first call, at the cell `first_cell`, by stage."""

    launch: int
    variant: str
    load: float
    first_cell: str = ""
    first_call: Mapping[str, float] = field(default_factory=dict)


class ProcessRunner:
    """The runner of real processes. `folders` gives each variant's model; variants may share one. `cpus` are those
    the processes of a launch are bound to, None where they may use all.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        cells: Sequence[Workload],
        threads: int,
        include: Sequence[str],
        seed: int,
        device: str = "auto",
    ) -> None:
        self.starts: list[Start] = []
        self.cpus: list[int] | None = None
        self.setup: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.amounts: dict[tuple[str, str], dict[str, Any]] = {}
        self.notes: dict[tuple[str, str], dict[str, Any]] = {}
        self.absent: dict[str, str] = {}
        self._folders = folders
        self._cells = {cell.name: cell for cell in cells}
        self._threads = threads
        self._include = include
        self._seed = seed
        self._device = device
        self._number: int | None = None
        self._workers: dict[str, WorkerProcess] = {}

    @property
    def cells(self) -> list[Workload]:
        return list(self._cells.values())

    def keep(self, names: Sequence[str]) -> None:
        """Measure these cells alone."""
        self._cells = {name: self._cells[name] for name in names}

    def launch(self, number: int, variants: Collection[str]) -> None:
        """Fresh processes of these variants: imports side by side, then models loaded one after another in random
        order, all on the same CPUs: what slows one CPU and not another must not fall on one variant alone.
        """
        if number == self._number:
            return
        self.close()
        self._number = number
        for variant, folder in self._folders.items():
            if variant not in variants:
                continue
            self._workers[variant] = WorkerProcess(folder, self._threads, self._include, f"{variant} ({folder})")
            self._workers[variant].send("start")
        for variant, worker in self._workers.items():
            self.setup[variant] = worker.receive()
        order = random.Random(f"{self._seed} {number} load").sample(list(self._workers), len(self._workers))
        self.cpus = idle_cpus(self._threads)
        for variant in order:
            loaded = self._workers[variant].ask("load", cpus=self.cpus, device=self._device)
            self.starts.append(Start(number, variant, loaded.pop("seconds")))
            self.models[variant] = loaded
            self._prepare(variant)
        for start in [started for started in self.starts if started.launch == number]:
            if self._cells:
                start.first_cell = next(iter(self._cells))
                start.first_call = self._workers[start.variant].ask("call", cell=start.first_cell)

    def ready(self, variants: Collection[str]) -> None:
        """Have processes of these variants, new ones where some are not running."""
        if not self._workers.keys() >= set(variants):
            self.launch((self._number or 0) + 1, variants)

    def _prepare(self, variant: str) -> None:
        for name, cell in list(self._cells.items()):
            answer = self._workers[variant].ask("prepare", cell=asdict(cell), seed=self._seed)
            if "absent" in answer:
                self.absent[name] = answer["absent"]
                del self._cells[name]
            else:
                self.amounts[variant, name] = answer["amounts"]
                self.notes[variant, name] = answer["notes"]

    def burst(self, variant: str, cell: str) -> tuple[dict[str, list[float]], float | None]:
        return self._workers[variant].ask("burst", cell=cell)

    def call(self, variant: str, cell: str) -> dict[str, float]:
        return self._workers[variant].ask("call", cell=cell)

    def gpu_energy(self, variant: str, cell: str) -> float | None:
        return self._workers[variant].ask("gpu_energy", cell=cell)

    def close(self) -> None:
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
        self._number = None

    def __enter__(self) -> ProcessRunner:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
