"""Download folders such as GLUE's: one folder a task, one tab-separated file a split, quirks included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.data.readers import read_text, read_tsv
from harness.data.table import Table, alternatives, find_column
from harness.errors import HarnessError
from harness.specs import Columns, FolderSource, TaskSpec

DEV_IDS = ("dev_ids.tsv", "mrpc_dev_ids.tsv")
"""Where MRPC's download lists the pairs of sentence ids in dev; the rest of the original train is train."""

PAIR_IDS = ("#1 ID", "#2 ID")


def file_names(source: FolderSource, split: str) -> list[str]:
    """The names a split's file may have, in the order they are tried."""
    given = source.files.get(split, f"{split}.tsv")
    return [given] if isinstance(given, str) else list(given)


def split_files(source: FolderSource, folder: Path, splits: Sequence[str]) -> dict[str, Path]:
    """The files of `folder` that hold a split each. Empty where the folder is of another layout."""
    found = {}
    for split in splits:
        path = next((folder / name for name in file_names(source, split) if (folder / name).is_file()), None)
        if path is not None:
            found[split] = path
    return found


def read_download(
    task: TaskSpec, source: FolderSource, files: Mapping[str, Path], wanted: Sequence[str]
) -> tuple[dict[str, Table], list[str]]:
    """Tables of the wanted splits, and notes on what stands in for what.

    Raises:
        HarnessError: a split has no file, or its file is damaged.
    """
    notes: list[str] = []
    tables: dict[str, Table] = {}
    raw_train = files.get(task.train)
    dev_ids = _dev_ids(raw_train, file_names(source, task.train))
    for split in wanted:
        if dev_ids is not None and raw_train is not None and split in (task.train, "dev"):
            table = _read(raw_train, task, source)
            tables[split] = _by_dev_ids(table, dev_ids, keep=split == "dev")
            listed = "listed" if split == "dev" else "not listed"
            notes.append(f"{split}: the rows of {raw_train.name} {listed} in {dev_ids.name}")
            continue
        if split not in files:
            folder = next(iter(files.values())).parent
            raise HarnessError(f"{folder}: no {' or '.join(file_names(source, split))} for the split '{split}'")
        tables[split] = _read(files[split], task, source)
        if files[split].name != file_names(source, split)[0]:
            notes.append(f"{split}: read from {files[split].name}")
    return tables, notes


def download_columns(task: TaskSpec, source: FolderSource) -> Columns:
    """The columns of a download: the source's own, else the task's.

    Positions are followed by the task's names, since one of the files may have a header all the same.
    """
    if source.header:
        return {**task.fields, **source.columns}
    given = {name: alternatives(source.columns, name) for name in source.columns}
    return {name: given.get(name, []) + alternatives(task.fields, name) for name in task.fields}


def _read(path: Path, task: TaskSpec, source: FolderSource) -> Table:
    """CoLA's train and dev have no header but its test does: one is looked for where none is expected."""

    def is_header(first: list[str]) -> bool:
        return source.header or all(find_column(task.fields, name, first) for name in task.fields if name != "label")

    return read_tsv(path, is_header, tolerate=True)


def _dev_ids(train: Path | None, names: Sequence[str]) -> Path | None:
    """The file that splits MRPC's original training file; a ready-made one, first of `names`, needs none."""
    if train is None or train.name == names[0]:
        return None
    return next((train.parent / name for name in DEV_IDS if (train.parent / name).is_file()), None)


def _by_dev_ids(table: Table, dev_ids: Path, keep: bool) -> Table:
    for column in PAIR_IDS:
        if column not in table.names:
            raise HarnessError(f"{table.where}: no column '{column}', which {dev_ids.name} refers to")
    listed = {tuple(line.split()) for line in read_text(dev_ids).splitlines()}
    pairs = zip(*(table.read_column(column) for column in PAIR_IDS), strict=True)
    return table.select([index for index, pair in enumerate(pairs) if (pair in listed) == keep])
