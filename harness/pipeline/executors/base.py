"""What an executor is: it runs cells, and keeps nothing; the store keeps what they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.pipeline.cells import Cell, Event

BUSY_PAUSE = 0.5
"""Seconds before a cell is offered again that another run is computing."""


class Executor(Protocol):
    """Runs cells as their needs allow."""

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
        listen: Told how far a cell is that the calling process itself computes.
    """

    root: Path
    include: tuple[str, ...] = ()
    workers: int = 1
    threads: int = 1
    cuda_devices: int = 0
    listen: Callable[[Event], None] = field(default=lambda event: None)


def ready(waiting: Mapping[str, Cell], done: Set[str]) -> list[Cell]:
    """The cells that can start, dearest first, those of unknown cost before all others."""
    startable = [cell for cell in waiting.values() if done >= set(cell.needs)]
    return sorted(startable, key=lambda cell: -(float("inf") if cell.work is None else cell.work.nominal))


def skipped(waiting: dict[str, Cell], lost: set[str]) -> Iterator[Event]:
    """Take the cells that need a lost one out of those that wait; they are lost too."""
    while unreachable := [cell for cell in waiting.values() if lost.intersection(cell.needs)]:
        for cell in unreachable:
            lost.add(cell.key)
            del waiting[cell.key]
            yield Event("skipped", cell, cause="what it needs has failed")
