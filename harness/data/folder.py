"""`--data PATH`: where a task lies below a path, and reading it from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.data import files
from harness.data.assemble import Reading
from harness.data.download import DEV_IDS, download_columns, read_download
from harness.data.download import split_files as download_files
from harness.data.table import Table, find_column, missing_column
from harness.errors import HarnessError, TaskAbsent
from harness.specs import FolderSource, TaskSpec

DOWNLOAD_ROOTS = ("", "glue")
"""Below a data root, the folders in which downloads keep one folder a task."""


@dataclass(frozen=True)
class Layout:
    """Where a task's splits lie. `source` is set for a download's layout; `saved` for a `save_to_disk` folder.

    `is_root` says that the path holds one task's files without saying whose.
    """

    place: Path
    files: Mapping[str, Path]
    source: FolderSource | None = None
    saved: bool = False
    is_root: bool = False

    def read_paths(self) -> list[Path]:
        """Every file that reading may open."""
        if self.saved:
            return sorted(path for path in self.place.rglob("*") if path.is_file())
        beside = [self.place / name for name in DEV_IDS] if self.source else []
        return sorted({*self.files.values(), *(path for path in beside if path.is_file())})


def locate(task: TaskSpec, root: Path, splits: Sequence[str]) -> Layout:
    """Where `task` lies below `root`, found by names alone: no file is opened.

    Raises:
        TaskAbsent: no folder is the task's and `root` itself holds no data file.
        HarnessError: the task's folder holds no file that could be a split, or two that could be the same one.
    """
    if root.is_file():
        return Layout(root, {task.train: root}, is_root=True)
    source = task.sources.glue
    folders = list(dict.fromkeys(_task_folders(task, root)))
    for folder in folders:
        layout = _layout(task, folder, source, splits)
        if layout is not None:
            return layout
    if folders:
        raise HarnessError(
            f"{folders[0]}: no file there is a split of task '{task.name}'; one a split is expected, "
            "e.g. train.tsv and dev.tsv, or train and dev as csv, tsv, jsonl, json or parquet"
        )
    at_root = _layout(task, root, None, splits)
    if at_root is None:
        looked = [source.folder] if source else []
        looked += [task.name] if not source or task.name.casefold() != source.folder.casefold() else []
        raise TaskAbsent(f"{root} has no folder {' or '.join(looked)} for task '{task.name}'")
    return Layout(at_root.place, at_root.files, saved=at_root.saved, is_root=True)


def _task_folders(task: TaskSpec, root: Path) -> Iterator[Path]:
    names = [task.sources.glue.folder] if task.sources.glue else []
    for name in names:
        for below in DOWNLOAD_ROOTS:
            for parent in [root] if not below else _children(root, below):
                yield from _children(parent, name)
        if root.resolve().name.casefold() == name.casefold():
            yield root
    yield from _children(root, task.name)


def _children(parent: Path, name: str) -> list[Path]:
    """The folders of that name, whatever its case, the exact one first."""
    found = [path for path in parent.iterdir() if path.name.casefold() == name.casefold() and path.is_dir()]
    return sorted(found, key=lambda path: (path.name != name, path.name))


def _layout(
    task: TaskSpec, folder: Path, source: FolderSource | None, splits: Sequence[str]
) -> Layout | None:
    if source is not None and (found := download_files(task, source, folder)):
        return Layout(folder, found, source)
    if files.is_saved(folder):
        return Layout(folder, {}, saved=True)
    found = files.split_files(folder, splits)
    return Layout(folder, found) if found else None


def possible_splits(task: TaskSpec, wanted: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([task.train, "dev", "test", *task.eval, *wanted]))


def read_folder(task: TaskSpec, root: Path, wanted: Sequence[str]) -> Reading:
    """The wanted splits of `task` from below `root`.

    Raises:
        TaskAbsent: the path does not hold this task.
        HarnessError: a wanted split is missing, or a file is damaged.
    """
    layout = locate(task, root, possible_splits(task, wanted))
    if layout.source is not None:
        tables, notes = read_download(task, layout.source, layout.files, wanted)
        columns = download_columns(task, layout.source)
        return Reading("folder", str(layout.place), tables, columns, id=layout.source.id, notes=notes)
    tables = _tables(task, layout, wanted)
    if layout.is_root:
        _check_fit(task, tables)
    carve = "dev" not in tables and task.train in tables and "dev" in {*task.eval, *wanted}
    carve = carve and not {"dev", task.train}.isdisjoint(wanted)
    for split in wanted:
        if split not in tables and not (split == "dev" and carve):
            found = ", ".join(layout.files or tables) or "none"
            raise HarnessError(f"{layout.place}: no split '{split}' for task '{task.name}'; found: {found}")
    needed = {*wanted, task.train} if carve else set(wanted)
    tables = {split: table for split, table in tables.items() if split in needed}
    return Reading("folder", str(layout.place), tables, task.fields, carve=carve)


def _tables(task: TaskSpec, layout: Layout, wanted: Sequence[str]) -> dict[str, Table]:
    """What lies there of the wanted splits, and train, from which dev may be cut."""
    if not layout.saved:
        needed = {task.train, *wanted}
        return {split: files.read_file(path) for split, path in layout.files.items() if split in needed}
    saved = files.read_saved(layout.place, task.train)
    found = {
        split: files.match_split(split, saved, str(layout.place)) for split in possible_splits(task, wanted)
    }
    return {split: saved[name] for split, name in found.items() if name is not None}


def _check_fit(task: TaskSpec, tables: Mapping[str, Table]) -> None:
    """Files that no folder name ascribes to a task are its files only if they have its columns."""
    for split, table in tables.items():
        for name in task.fields:
            may_lack = name == "label" and split.startswith("test")
            if not may_lack and find_column(task.fields, name, table.names) is None:
                raise TaskAbsent(
                    f"{table.where} does not fit task '{task.name}': {missing_column(task.fields, name, table.names)}"
                )
