"""What an executor is: it runs cells, and keeps nothing; the store keeps what they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.pipeline.cells import Cell, Event


class Executor(Protocol):
    """Runs cells as their needs allow. What makes one of its `Resources`, a class or a function, may have attributes:
    `takes`, the names of the settings it takes beside those of all; `check(settings)`, which raises HarnessError
    before anything is computed; `begin(threads, modules)`, which starts to import what workers will need while the run
    is planned, and returns what `withdraw` ends it by; `measures`, whether it finds cells that are timed a machine of
    their own; else the calling process computes them, after all others.
    """

    def run(self, cells: Sequence[Cell], done: Set[str]) -> Iterator[Event]:
        """Compute the cells whose keys are not in `done`; yields events as they come. A cell that fails takes only
        those that need it with it.
        """
        ...


@dataclass(frozen=True)
class Resources:
    """What an executor is made with.

    Attributes:
        root: The folder of the store.
        include: Files and folders of further specs and plug-ins.
        workers: Processes at once.
        threads: Intra-op threads of each.
        cuda_devices: GPUs that can be used.
        settings: The settings of the run that this executor takes, as far as they are given (`EXECUTOR_SETTINGS` of
            `harness.core.run_spec`), and `workers`.
        alone: Each cell has a machine to itself: it is timed.
        listen: Told how far a cell is that the calling process itself computes.
        may_start: Whether a cell may still be started, asked before each; one that may not is left, with what needs it.
    """

    root: Path
    include: tuple[str, ...] = ()
    workers: int = 1
    threads: int = 1
    cuda_devices: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False
    listen: Callable[[Event], None] = field(default=lambda event: None)
    may_start: Callable[[Cell], bool] = field(default=lambda cell: True)
