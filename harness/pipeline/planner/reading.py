"""How a run reads its tasks, where it says so: columns, delimiter, and what is scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.libraries import LIBRARIES
from harness.core.run_spec import RunSpec
from harness.core.source_specs import Columns, ReadingSpec, Sources
from harness.core.specs import TaskSpec
from harness.core.transfer import base_name

OF_ONE_TASK = ("test", "text_column", "label_column")
"""Settings of a run that mean one task's files."""


def check_reading(run: RunSpec, tasks: Sequence[TaskSpec]) -> None:
    """Raises HarnessError where settings of one task stand beside several, or cross-validation beside what it is not
    of.
    """
    given = next((name for name in OF_ONE_TASK if getattr(run, name)), None)
    names = list(dict.fromkeys(task.clean.name for task in tasks if not _is_other(task, run)))
    if given is not None and len(names) > 1:
        raise HarnessError(f"--{given.replace('_', '-')} is of one task; the run has {', '.join(names)}")
    if run.folds is not None:
        for task in tasks:
            if task.train_on is not None:
                raise HarnessError(
                    f"--folds: task {task.name} is scored with the model of {task.train_on}, which is trained on none "
                    "of its rows: there is nothing to leave out; leave the task out of the run"
                )


def as_read(task: TaskSpec, run: RunSpec) -> TaskSpec:
    """The task with the run's columns, delimiter and split to score: all rows of a file that finished models are scored
    on. Raises HarnessError for columns it has no use
    for.
    """
    if task.library is not None:
        for name in (*OF_ONE_TASK, "dev_fraction"):
            if getattr(run, name):
                raise HarnessError(f"--{name.replace('_', '-')}: task {task.name} says itself what is read and scored")
        if run.train and task.shots is None:
            raise HarnessError(
                f"task {task.name}: nothing is trained for it; score encoders as they are, with "
                f"`harness evaluate MODEL --task {task.name}`"
            )
        return LIBRARIES.get(task.library).read_from(task, run.data)
    is_other = _is_other(task, run)
    source = (run.evaluated_on[base_name(task.name)] if is_other else None) or task.reading.source
    place = source or run.data
    is_scored_whole = (not run.train or (is_other and source is not None)) and Path(place).expanduser().is_file()
    test = (None if is_other else run.test) or (place if is_scored_whole else None)
    dev_fraction = None if is_other else run.dev_fraction
    reading = ReadingSpec(
        source=source,
        dev_fraction=dev_fraction if dev_fraction is not None else task.reading.dev_fraction,
        test=str(Path(test).expanduser()) if test else task.reading.test,
        delimiter=run.delimiter or task.reading.delimiter,
        missing_files=task.reading.missing_files,
    )
    changes: dict[str, Any] = {"reading": reading}
    if reading.test is not None:
        changes["eval"] = ["test"]
    if run.folds is not None and task.shots is None:
        changes["eval"] = [task.train]
    columns = _columns(task, run) if not is_other or base_name(task.name) == task.train_on else {}
    if columns:
        changes["fields"] = {**task.fields, **columns}
        changes["sources"] = _overridden(task.sources, columns)
    return task.model_copy(update=changes)


def _is_other(task: TaskSpec, run: RunSpec) -> bool:
    """Whether a task is one of `eval_on`: scored with the model of another one."""
    return task.train_on is not None and base_name(task.name) in run.evaluated_on


def _columns(task: TaskSpec, run: RunSpec) -> Columns:
    family = FAMILIES.get(task.family)
    fields = [name for name in (*family.required, *family.optional) if name in task.fields]
    columns: Columns = {}
    for place, given in enumerate(run.text_column):
        field, equals, column = given.rpartition("=")
        if not equals and len(run.text_column) > len(fields):
            raise HarnessError(f"--text-column: task {task.name} has {len(fields)} of them: {', '.join(fields)}")
        if equals and field not in fields:
            raise HarnessError(f"--text-column {given}: the texts of task {task.name} are {', '.join(fields)}")
        columns[field if equals else fields[place]] = column
    if run.label_column is not None:
        if family.target is None:
            raise HarnessError(f"--label-column: task {task.name} has no labels")
        columns[family.target] = run.label_column
    return columns


def _overridden(sources: Sources, columns: Columns) -> Sources:
    """The sources without columns of their own for what the run names."""
    changed = {}
    for name in ("glue", "folder", "hub"):
        source = getattr(sources, name)
        if source is not None:
            changed[name] = source.model_copy(update={"columns": {**source.columns, **columns}})
    return sources.model_copy(update=changed)
