"""What a tracker is: it opens a place where runs are kept, and writes them one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from harness.core import plugins
from harness.core.packages import require_packages
from harness.core.plugins import Plugins

PROJECT = "harness"
"""What runs are kept under where nothing else is asked for."""


@dataclass(frozen=True)
class TrackedRun:
    """A run as a tracker shows it: a cell, or all seeds of a model on a task.

    Attributes:
        id: The same for the same result, whenever it is reported.
        name: Parts that are joined by `/`: the task, the model, the seed, the kind of cell.
        group: What it shares with the other seeds and kinds of cells: the task and the model.
        kind: That of the cell, or `summary`.
        config: What its result depends on.
    """

    id: str
    name: str
    group: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)


class RunWriter(ABC):
    """One run that is being written."""

    @abstractmethod
    def log(self, values: Mapping[str, float], step: int) -> None:
        """Add values at a step; steps do not go back."""

    @abstractmethod
    def finish(self) -> None:
        """All is written; nothing is added any more."""


class TrackerPlace(ABC):
    """Where a tracker keeps runs. `marks` is the folder in which it is noted which runs are there already."""

    marks: Path

    @abstractmethod
    def begin(self, run: TrackedRun, from_step: int = 0) -> RunWriter:
        """Begin a run anew, or go on after `from_step` with one that was begun before."""


class Tracker(ABC):
    """A tracker; one of one's own extends this class and is registered: `register("tracker", NAME, MyTracker())`.

    `packages` are those it imports, `extra` is what installs them.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""

    def check(self) -> None:
        """Raises HarnessError, with the remedy, where a package is missing."""
        require_packages(*self.packages, extra=self.extra)

    @abstractmethod
    def open(self, place: str | None, root: Path) -> TrackerPlace:
        """Open a place.

        Args:
            place: What was asked for behind the tracker's name, None where nothing was: a folder, a project, an
                address.
            root: A folder for what it keeps on this machine.

        Returns:
            The place.
        """


TRACKERS: Plugins[Tracker] = plugins.table("tracker")


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A mapping of mappings as one, its keys joined by `.`; empty ones stay as they are."""
    items: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        items |= flat(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
    return items
