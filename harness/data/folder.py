"""`--data PATH`: where a task lies below a path, and reading it from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.data import files
from harness.data.assemble import Reading
from harness.data.download import download_columns, read_download
from harness.data.download import split_files as download_files
from harness.data.table import Table, find_column, missing_column
from harness.errors import HarnessError, TaskAbsent
from harness.families import FAMILIES
from harness.specs import FolderSource, TaskSpec

DOWNLOAD_ROOTS = ("", "glue")
"""Below a data root, the folders in which downloads keep one folder a task."""


@dataclass(frozen=True)
class Layout:
    """Where a task's splits lie.

    `source` is set for a download's layout, `saved` for a `save_to_disk` folder. `is_root` says that the path
    holds one task's files without saying whose.
    """

    place: Path
    files: Mapping[str, Path]
    source: FolderSource | None = None
    saved: bool = False
    is_root: bool = False

    def read_paths(self) -> list[Path]:
        """The files that decide what is read, whichever splits are wanted."""
        if self.place.is_file():
            return [self.place]
        paths = self.place.rglob("*") if self.saved else self.place.iterdir()
        return sorted(path for path in paths if path.is_file() and not path.name.startswith("."))


def locate(task: TaskSpec, root: Path, splits: Sequence[str]) -> Layout:
    """Where `task` lies below `root`, found by names alone: no file is opened.

    Raises:
        TaskAbsent: no folder is the task's and `root` itself holds no data file.
        HarnessError: the task's folder holds no file that could be a split, or two that could be the same.
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


def _layout(task: TaskSpec, folder: Path, source: FolderSource | None, splits: Sequence[str]) -> Layout | None:
    if source is not None and (found := download_files(source, folder, splits)):
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
    available = _readers(task, layout, wanted)
    carve = "dev" not in available and task.train in available and "dev" in {*task.eval, *wanted}
    carve = carve and not {"dev", task.train}.isdisjoint(wanted)
    needed = {*wanted, task.train} - {"dev"} if carve else set(wanted)
    tables = {split: read() for split, read in available.items() if split in needed}
    if layout.is_root:
        _check_fit(task, tables or {split: read() for split, read in available.items()})
    missing = sorted(needed - tables.keys())
    if missing:
        found = ", ".join(available) or "none"
        raise HarnessError(f"{layout.place}: no split '{missing[0]}' for task '{task.name}'; found: {found}")
    return Reading("folder", str(layout.place), tables, task.fields, carve=carve)


def _readers(task: TaskSpec, layout: Layout, wanted: Sequence[str]) -> dict[str, Callable[[], Table]]:
    """What reads each split that lies there."""
    if not layout.saved:
        return {split: partial(files.read_file, path) for split, path in layout.files.items()}
    saved = files.read_saved(layout.place, task.train)
    found = {split: files.match_split(split, saved, str(layout.place)) for split in possible_splits(task, wanted)}
    return {split: partial(saved.__getitem__, name) for split, name in found.items() if name is not None}


def _check_fit(task: TaskSpec, tables: Mapping[str, Table]) -> None:
    """Files that no folder name ascribes to a task are its files only if they have its columns."""
    target = FAMILIES.get(task.family).target
    for split, table in tables.items():
        for name in task.fields:
            may_lack = name == target and split.startswith("test")
            if not may_lack and find_column(task.fields, name, table.names) is None:
                reason = missing_column(task.fields, name, table.names)
                raise TaskAbsent(f"{table.where} does not fit task '{task.name}': {reason}")
