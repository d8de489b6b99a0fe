"""What a data source is: where a task's tables come from. Each is one module with one registered object.

`--data NAME` asks for the source that is registered under NAME, `--data NAME:REST` hands it REST as well. Anything else
is a path, which the source `folder` reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.core import plugins
from harness.core.errors import HarnessError
from harness.core.source_names import SYNTHETIC, canonical
from harness.core.specs import TaskSpec
from harness.data.assemble import Reading
from harness.data.document import Corpus, CorpusOptions
from harness.data.pair_corpus import PairCorpus

FOLDER = "folder"
"""The source that reads paths."""
SOURCES: plugins.Plugins[Source] = plugins.table("source")


class Source:
    """A data source; one of one's own extends this class and is registered: `register("source", NAME, MySource())`."""

    askable: ClassVar[bool] = True
    """Whether `--data` asks for it; one that is not has the data of tasks that name it themselves."""

    def read(self, task: TaskSpec, rest: str, splits: Sequence[str], limit: int | None) -> Reading:
        """A table for each of the splits, in the source's own columns.

        Args:
            task: The task. `task.sources.of(NAME)` is what its YAML file says of this source.
            rest: What stands after `NAME:`; empty where nothing does.
            splits: The splits that are needed.
            limit: Only the first so many rows of each are needed; more may be read. None: all.

        Returns:
            The tables, with the columns of the task's fields (`harness.data.table.table_of` makes one of lists).

        Raises:
            TaskAbsentError: the source does not hold this task.
            HarnessError: it cannot be read, or lacks a split.
        """
        raise NotImplementedError

    def state(self, task: TaskSpec, rest: str) -> object | None:
        """What pins the data that `read` returns, found without reading it: JSON that changes whenever the data could,
        such as a commit, or `harness.core.hashing.states_of` files. The code of the source's module is pinned beside
        it.

        Returns:
            That state. None: nothing pins the data, so that it is read anew each time.

        Raises:
            TaskAbsentError, HarnessError: as `read` does where the source as a whole is missing.
        """
        return None

    def corpus(self, rest: str, options: CorpusOptions) -> Corpus:
        """Unlabelled documents of this source, for `--corpus NAME` and `--corpus NAME:REST`.

        Args:
            rest: What stands after `NAME:`; empty where nothing does.
            options: How much, and which column.

        Returns:
            The corpus.

        Raises:
            HarnessError: the source has none, or it cannot be read.
        """
        raise HarnessError("this data source has tasks, and no corpus of documents")

    def pairs(self, rest: str, modality: str, size: int) -> PairCorpus:
        """Items with captions of this source, for the pretraining of a model of items and text.

        Args:
            rest: What stands after `NAME:`; empty where nothing does.
            modality: What the items are: `image`, `audio`, `video`.
            size: How many pairs, where they are generated.

        Returns:
            The items with captions.

        Raises:
            HarnessError: the source has none of that modality, or they cannot be read.
        """
        raise HarnessError(f"this data source has no {modality} with captions")

    def check(self, settings: Mapping[str, Any], where: str) -> None:
        """Check what a task's section `sources` says under this source's name.

        Raises:
            HarnessError: a setting the source does not know; `where` is the task's file.
        """


@dataclass(frozen=True)
class Asked:
    """What `--data` asks for.

    Attributes:
        name: The name of a registered source.
        rest: What stands after it; of the source `folder` the path.
    """

    name: str
    rest: str

    @property
    def source(self) -> Source:
        """The source itself."""
        return SOURCES.get(self.name)

    @property
    def is_path(self) -> bool:
        """Whether it is a path, which may mean something else elsewhere."""
        return self.name == FOLDER

    @property
    def code(self) -> Path:
        """The file that defines it."""
        return SOURCES.source(self.name)

    @property
    def recorded(self) -> str:
        """What records and tables call it; a path stands there as the location."""
        return f"{self.name}:{self.rest}" if self.rest and not self.is_path else self.name


def asked_source(data: str) -> Asked:
    """The source that `--data` names: `NAME` or `NAME:REST` of a registered one, else a path."""
    name, _, rest = data.partition(":")
    name = canonical(name)
    return Asked(name, rest) if name in SOURCES.names() and data != FOLDER else Asked(FOLDER, data)


def data_argument(source: str, location: str) -> str:
    """What `--data` has to be for the data that a record names by its source and location."""
    return location if source == FOLDER else canonical(source)


def named_sources() -> list[str]:
    """The names of the sources that can be asked for, other than paths, the default first. Task libraries bring the
    data of their own tasks and of no others.
    """
    libraries = plugins.table("library").names()
    names = set(SOURCES.names()) - {FOLDER, *libraries}
    return sorted((name for name in names if SOURCES.get(name).askable), key=lambda name: (name != SYNTHETIC, name))


def refuse_rest(name: str, rest: str) -> None:
    """Raises HarnessError where something stands after the name of a source that takes nothing there."""
    if rest:
        raise HarnessError(f"--data {name}:{rest}: the source {name} takes nothing after its name")
