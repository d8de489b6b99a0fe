"""Texts without labels, of the form of a task's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.reading import expanded, is_file
from harness.core.specs import TaskSpec
from harness.data import files
from harness.data.assemble import text_columns
from harness.data.frame import Split
from harness.data.item_tasks import read_for

LINES = ".txt"


def read_unlabelled(task: TaskSpec, where: str, asked: str = "unlabelled") -> Split:
    """The rows of a file with the columns of the task's texts; of a text file its lines, where a task has one text.

    Raises:
        HarnessError: there is no such file, it has not the columns, or no rows.
    """
    path = expanded(where)
    if not is_file(path):
        raise HarnessError(f"{asked}: {where}: no such file; give a csv, tsv, jsonl, json, parquet or txt file")
    fields = _lines(task, path, asked) if files.ending_of(path) == LINES else _columns(task, path)
    rows = [row for row in zip(*fields.values(), strict=True) if all(text.strip() for text in row)]
    if not rows:
        raise HarnessError(f"{asked}: {where}: holds no rows")
    columns = zip(*rows, strict=True)
    return Split(tuple(map(str, range(len(rows)))), dict(zip(fields, map(tuple, columns), strict=True)))


def _columns(task: TaskSpec, path: Path) -> dict[str, Sequence[str]]:
    table = read_for(task, path)
    return text_columns(task, FAMILIES.get(task.family).target, table, task.fields)


def _lines(task: TaskSpec, path: Path, asked: str) -> dict[str, Sequence[str]]:
    names = [name for name in task.fields if name != FAMILIES.get(task.family).target]
    if len(names) > 1:
        raise HarnessError(
            f"{asked}: {path}: a line is one text, and {task.name} has {' and '.join(names)}; give a file with columns"
        )
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise HarnessError(f"{asked}: {path}: byte {error.start} is not UTF-8") from None
    return {names[0]: tuple(text.splitlines())}
