"""How the data of tasks with raw items is found, read and pinned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.hashing import hash_json, states_of
from harness.core.source_specs import Columns
from harness.core.specs import TaskSpec
from harness.data import files
from harness.data.item_columns import files_of
from harness.data.item_layouts import named, read_items_at, row_a_caption, split_folders
from harness.data.modalities import MODALITIES
from harness.data.table import Table, find_column

CAPTION = "text"
"""The field of captions."""

SPLIT = "split"
"""The column that says which split a row is of, where a file holds several."""


def modality_of(task: TaskSpec) -> str | None:
    """What a task's items are; None where its fields are texts alone."""
    family = FAMILIES.get(task.family)
    return family.modality if family.modalities else None


def read_for(task: TaskSpec, path: Path) -> Table:
    """A file of a task, and where it has items a folder of them as well. Raises HarnessError as the readers do."""
    modality = modality_of(task)
    if modality is None:
        return files.read_file(path, files.readers_for(task), task.reading.character)
    return for_task(task, read_items_at(path, modality, MODALITIES.get(modality).endings, task.reading.character))


def for_task(task: TaskSpec, table: Table) -> Table:
    """The table with the usual names of items and captions; a row a caption, where the task has captions."""
    modality = modality_of(task)
    if modality is None:
        return table
    table = named(table, modality)
    captions = find_column(task.fields, CAPTION, table.names) if CAPTION in task.fields else None
    return table if captions is None else row_a_caption(table, captions)


def split_paths(task: TaskSpec, folder: Path, splits: Sequence[str]) -> dict[str, Path]:
    """The files and folders in `folder` that hold a split each; a folder without any is itself the first of the splits,
    where it holds items. Raises HarnessError where two could be one split.
    """
    modality = modality_of(task)
    if modality is None:
        return files.split_files(folder, splits, files.readers_for(task))
    folders = split_folders(folder, splits, MODALITIES.get(modality).endings)
    listed = files.split_files(folder, splits)
    alone = list(folders.values()) == [folder]
    return listed if alone and listed else {**folders, **listed}


def split_readers(task: TaskSpec, paths: Mapping[str, Path]) -> dict[str, Callable[[], Table]]:
    """What reads each split; a file of items may say for each row which one it is of."""
    if modality_of(task) is not None and len(paths) == 1 and (path := next(iter(paths.values()))).is_file():
        table = read_for(task, path)
        if SPLIT in table.names:
            return _by_split(table, [task.train, "dev", "test", *task.eval])
    return {split: partial(read_for, task, path) for split, path in paths.items()}


def _by_split(table: Table, splits: Sequence[str]) -> dict[str, Callable[[], Table]]:
    rows: dict[str, list[int]] = {}
    for index, name in enumerate(table.read_column(SPLIT)):
        rows.setdefault(str(name), []).append(index)
    names = {split: files.match_split(split, rows, table.where) for split in dict.fromkeys(splits)}
    return {split: partial(table.select, rows[name]) for split, name in names.items() if name is not None}


def state_of_items(task: TaskSpec, tables: Mapping[str, Table], columns: Columns) -> object:
    """What changes whenever items, their texts or classes do: the states of their files, and the cells beside them.

    Raises:
        HarnessError: a cell names no file, or one that cannot be looked at.
    """
    modalities = FAMILIES.get(task.family).modalities
    state: dict[str, object] = {}
    for split, table in tables.items():
        columns_of_fields = {field: find_column(columns, field, table.names) for field in task.fields}
        paths, texts = [], []
        for field, column in columns_of_fields.items():
            if column is not None and field in modalities:
                paths += files_of(table, column, modalities[field])
            elif column is not None:
                texts.append([field, [str(cell) for cell in table.read_column(column)]])
        try:
            states = states_of(paths)
        except OSError as error:
            raise HarnessError(f"{error.filename}: cannot be read: {error.strerror}") from None
        state[split] = hash_json([[str(path.resolve()) for path in paths], states, texts, len(table)])
    return state
