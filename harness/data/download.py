"""Download folders, as GLUE's: the files of a split under the names its publishers gave them, quirks included."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from harness.core.errors import HarnessError, TaskAbsentError
from harness.core.hashing import states_of
from harness.core.source_specs import Columns, FolderSource
from harness.core.specs import TaskSpec
from harness.data import files as own_files
from harness.data.conll import read_conll
from harness.data.documents import read_documents
from harness.data.frame import draw_name
from harness.data.item_tasks import read_for
from harness.data.parallel import LANGUAGE, language_files, read_parallel
from harness.data.readers import read_json, read_squad, read_tsv
from harness.data.superglue import read_multirc, read_record
from harness.data.table import Table, alternatives, find_column, one_after_another, rows_where, with_constant
from harness.data.text_files import read_text

DEV_IDS = ("dev_ids.tsv", "mrpc_dev_ids.tsv")
"""Where MRPC's download lists the pairs of sentence ids in dev; the rest of the original train is train."""

TAB_SEPARATED = (".tsv", ".txt")

DEFAULT_ENDINGS = {None: ".tsv", "squad": ".json", "documents": ".txt", "parallel": "", "conll": ".txt", "items": ""}

READERS = {
    "squad": read_squad,
    "multirc": read_multirc,
    "record": read_record,
    "documents": read_documents,
    "conll": read_conll,
}

DRAW = "published draw"
"""The column that says which draw of few examples a row is of."""
PAIR_IDS = ("#1 ID", "#2 ID")


def file_names(source: FolderSource, split: str) -> list[str]:
    """The names a split's file may have, in the order they are tried; of parallel text, what precedes the language."""
    return source.files.get(split, [split + DEFAULT_ENDINGS.get(source.format, ".jsonl")])


def split_files(source: FolderSource, folder: Path, splits: Sequence[str]) -> dict[str, Path]:
    """The files of `folder` that hold a split each, of parallel text the first language's. Empty where the folder is
    of another layout.
    """
    files = {}
    for split in splits:
        paths = (_find(source, folder, name) for name in file_names(source, split))
        path = next((path for path in paths if path is not None), None)
        if path is not None:
            files[split] = path
    return files


def _find(source: FolderSource, folder: Path, name: str) -> Path | None:
    if source.format == "parallel":
        languages = language_files(folder, name, source.languages)
        return languages[source.languages[0]] if languages is not None else None
    is_there = (folder / name).exists() if source.format == "items" else (folder / name).is_file()
    return folder / name if is_there else None


def missing_files(source: FolderSource, split: str) -> str:
    """Says which files would hold a split."""
    names = file_names(source, split)
    if source.format == "parallel":
        patterns = [name if LANGUAGE in name else f"{name}.{LANGUAGE}" for name in names]
        names = [" with ".join(pattern.replace(LANGUAGE, name) for name in source.languages) for pattern in patterns]
    return " or ".join(names)


def read_download(
    task: TaskSpec, source: FolderSource, files: Mapping[str, Path], wanted: Sequence[str]
) -> tuple[dict[str, Table], list[str]]:
    """Tables of the wanted splits, and notes on what stands in for what.

    Raises:
        HarnessError: a split has no file, its file is damaged, or it stands in for the training split.
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
            raise TaskAbsentError(f"{folder}: no {missing_files(source, split)} for the split '{split}'")
        if split != task.train and files[split] == raw_train:
            raise HarnessError(f"{files[split]}: serves as '{task.train}', so that it cannot be '{split}'")
        if split == task.train and source.draws is not None:
            tables[split] = _drawn(files[split].parent, task, source, source.draws)
            continue
        tables[split] = rows_where(_read(files[split], task, source), source.where)
        if _find(source, files[split].parent, file_names(source, split)[0]) != files[split]:
            notes.append(f"{split}: read from {files[split].name}")
    return tables, notes


def _drawn(folder: Path, task: TaskSpec, source: FolderSource, pattern: str) -> Table:
    """The rows of all published draws, with the name of each in the column `DRAW`."""
    escaped = re.escape(pattern)
    for number in ("k", "draw"):
        escaped = escaped.replace(rf"\{{{number}\}}", rf"(?P<{number}>[0-9]{{1,6}})")
    name = re.compile(escaped)
    matches = [match for path in folder.iterdir() if (match := name.fullmatch(path.name)) is not None]
    if not matches:
        raise TaskAbsentError(f"{folder}: no file of published draws, {pattern}")
    tables = []
    for match in sorted(matches, key=lambda match: (int(match["k"]), int(match["draw"]))):
        table = rows_where(_read(folder / match.string, task, source), source.where)
        draw = draw_name(int(match["k"]), int(match["draw"]))
        tables.append(with_constant(table, DRAW, draw))
    return one_after_another(tables, str(folder / pattern))


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
    if source.format == "items":
        return read_for(task, path)
    if source.format == "parallel":
        return read_parallel(_translations(path, source))
    if source.format is not None:
        return READERS[source.format](path)
    if source.key is not None:
        return read_json(path, source.key)
    if path.suffix.lower() not in TAB_SEPARATED:
        return _read_again(path, *states_of([path])[0]) if source.where else own_files.read_file(path)

    def is_header(first: list[str]) -> bool:
        return source.header or all(find_column(task.fields, name, first) for name in task.fields if name != "label")

    return read_tsv(path, is_header, tolerate=True)


def _translations(path: Path, source: FolderSource) -> dict[str, Path]:
    """The files of all languages that belong to that of the first."""
    stems = [name for names in source.files.values() for name in names]
    for stem in [*stems, path.name.removesuffix(f".{source.languages[0]}")]:
        folder = path.parents[stem.count("/")]
        files = language_files(folder, stem, source.languages)
        if files is not None and files[source.languages[0]] == path:
            return files
    raise AssertionError(f"{path} was found with the files of all languages")


@lru_cache(maxsize=1)
def _read_again(path: Path, *state: object) -> Table:
    """A file with the rows of several tasks, kept for the next of them."""
    return own_files.read_file(path)


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
