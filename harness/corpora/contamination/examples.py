"""The evaluation examples of tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.core.errors import HarnessError, TaskAbsentError, did_you_mean
from harness.core.registry import Registry
from harness.core.specs import TaskSpec
from harness.corpora.contamination.index import Example
from harness.data import load
from harness.data.frame import Split


def examples_of(task: TaskSpec, data: str) -> Iterator[Example]:
    """Of each evaluated split of a task the examples: their input fields, and the references where these are texts.

    Raises:
        TaskAbsentError: the data source has not got the task.
        HarnessError: it cannot be read.
    """
    loaded = load(task, data, splits=list(task.eval))
    for name, split in loaded.splits.items():
        yield from examples_in(task.name, name, split)


def examples_in(task: str, name: str, split: Split) -> Iterator[Example]:
    """The examples of a split that is called `name`."""
    for at, row in enumerate(zip(*split.fields.values(), strict=True)):
        label = split.labels[at] if split.labels is not None else None
        answers = tuple(map(str, label)) if isinstance(label, tuple) else ()
        yield Example(task, name, split.ids[at], "\n".join(row), answers)


def tasks_against(registry: Registry, names: Sequence[str]) -> list[TaskSpec]:
    """The tasks that are named, those of suites included.

    Raises:
        HarnessError: a name that is neither a task's nor a suite's.
    """
    tasks: dict[str, TaskSpec] = {}
    for name in names:
        if name in registry.suites:
            for member in registry.suites[name].tasks:
                tasks[member] = registry.task(member)
        elif name.partition("@")[0] in registry.tasks:
            tasks[name] = registry.task(name)
        else:
            known = [*registry.suites, *registry.tasks]
            raise HarnessError(f"--against: no suite or task '{name}'.{did_you_mean(name, known)}")
    return list(tasks.values())


def evaluation_examples(tasks: Sequence[TaskSpec], data: str) -> tuple[list[Example], dict[str, str]]:
    """The examples of several tasks, and of those that the data source has not got the reason."""
    examples: list[Example] = []
    absent: dict[str, str] = {}
    for task in tasks:
        try:
            examples += examples_of(task, data)
        except TaskAbsentError as error:
            absent[task.name] = str(error)
    if not examples:
        raise HarnessError(f"--against: {data} has none of the tasks {', '.join(absent)}")
    return examples, absent
