"""Task libraries: tasks that another package defines, asked for as `LIBRARY:TASK`."""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.core import plugins
from harness.core.plugins import Plugins
from harness.core.requests import Request, Response
from harness.core.specs import LIBRARY_MARK, SuiteSpec, TaskSpec

if TYPE_CHECKING:
    import numpy as np


class Examples(Protocol):
    """What a library reads of a split: the ids of its n examples."""

    @property
    def ids(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Listed:
    """A name of a library.

    Attributes:
        name: As it is asked for, without the library's own.
        kind: What stands under it: a task, or several.
        asks: What a task asks of a model; empty where that is not known without reading more.
        members: What a group or tag holds, where that is known.
    """

    name: str
    kind: Literal["task", "group", "tag"]
    asks: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcomes:
    """What a library makes of the responses to its requests, one row an example.

    Attributes:
        values: JSON objects: the answer, and its values by metric, as the library's metrics read them.
        columns: What is kept beside them.
        settings: How they came about, for the record.
    """

    values: Sequence[str]
    columns: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


ANSWER, VALUES = "answer", "values"
"""The keys of an outcome: the answer for readers, and the values of the example by metric."""


def answer_in(outcome: str) -> str:
    """The model's answer in an example's outcome; the text as it is where it is no outcome."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(outcome)[ANSWER])
    return outcome


class Embed(Protocol):
    """A model that makes vectors, (n, size), of n texts."""

    def __call__(self, texts: Sequence[str], purposes: Sequence[str] = ()) -> np.ndarray:
        """`purposes` are names of what the texts are for, the first that the model has a prompt for counts."""
        ...


class Asking(ABC):
    """The requests of a split's examples, all of them in one list, and what their responses come to."""

    requests: Sequence[Request]

    @abstractmethod
    def outcomes(self, responses: Sequence[Response]) -> Outcomes:
        """The examples' outcomes, from a response for each request. Raises HarnessError where they cannot be had."""


class TaskLibrary(ABC):
    """A library. One subclass a package, registered under the name that stands before the colon.

    Its tasks are scored with models as they are: they name the family `library` and a data source of the library's own
    (`reading.source`), and what it must know of a task stands in `sources` under the library's name.
    """

    @abstractmethod
    def names(self, include: Sequence[str] = ()) -> list[Listed]:
        """All that can be asked for; `include` are folders of more. Raises HarnessError without the package."""

    @abstractmethod
    def task(self, name: str, shots: int | None, include: Sequence[str] = ()) -> TaskSpec:
        """A task by name, whose model is shown so many examples; by default as many as the task says.

        Raises:
            HarnessError: there is no such task, with a did-you-mean, or it cannot be done here.
        """

    @abstractmethod
    def group(self, name: str, shots: int | None, include: Sequence[str] = ()) -> SuiteSpec | None:
        """The tasks that stand under the name of a group; None where it is that of one task. Raises as `task` does."""

    @abstractmethod
    def metric(self, name: str) -> Any:
        """The metric (`harness.metrics.base.Metric`) that is asked for as `LIBRARY:NAME`. Needs no package where it
        counts or averages. Raises HarnessError for one there is none of.
        """

    def asking(self, task: TaskSpec, split: Examples, seed: int) -> Asking:
        """What a task asks about the examples of a split, of a model that reads and writes text; `seed` is that by
        which examples are drawn that are shown. Raises HarnessError where it cannot be put together.
        """
        raise NotImplementedError

    def embedded(self, task: TaskSpec, split: Examples, embed: Embed) -> Outcomes:
        """The outcomes of a split's examples by the vectors of texts, of a task that is not put in words: one without
        `shots`. Raises HarnessError where they cannot be had.
        """
        raise NotImplementedError

    def read_from(self, task: TaskSpec, data: str) -> TaskSpec:
        """The task with its data from elsewhere, where `--data` names a place that the library can read."""
        return task


LIBRARIES: Plugins[TaskLibrary] = plugins.table("library")


def library_of(name: str) -> tuple[TaskLibrary, str] | None:
    """The library that `LIBRARY:REST` names, and the rest; None where it names none."""
    library, mark, rest = name.partition(LIBRARY_MARK)
    if not mark or library not in LIBRARIES.names():
        return None
    return LIBRARIES.get(library), rest
