"""The source `folder`, `--data PATH`: where a task lies below a path, and reading it from there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.core.errors import HarnessError, TaskAbsentError, did_you_mean
from harness.core.families import FAMILIES
from harness.core.hashing import states_of
from harness.core.reading import expanded, is_file, is_folder
from harness.core.source_specs import Columns, FolderSource
from harness.core.specs import TaskSpec
from harness.core.transfer import base_name
from harness.data import files
from harness.data.assemble import Reading
from harness.data.corpus_files import corpus_of_path
from harness.data.document import Corpus, CorpusOptions
from harness.data.download import DRAW, download_columns, missing_files, read_download
from harness.data.download import split_files as download_files
from harness.data.item_pairs import pairs_of_path
from harness.data.item_tasks import for_task, modality_of, read_for, split_paths, split_readers, state_of_items
from harness.data.labels import are_withheld
from harness.data.pair_corpus import PairCorpus
from harness.data.source import Source, named_sources
from harness.data.table import Table, find_column, missing_column, require_column

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
        paths = list(self.place.rglob("*") if self.saved else self.place.iterdir())
        paths += [part for path in self.files.values() if path.is_dir() for part in path.iterdir()]
        return sorted(path for path in paths if path.is_file() and not path.name.startswith("."))


class Folder(Source):
    """A path: a download, a `save_to_disk` folder, a file a split, or one file."""

    def read(self, task: TaskSpec, rest: str, splits: Sequence[str], limit: int | None) -> Reading:
        return read_folder(task, existing_path(rest), splits)

    def corpus(self, rest: str, options: CorpusOptions) -> Corpus:
        """A file, or all files below a folder that a corpus can be of."""
        return corpus_of_path(rest, options.field)

    def pairs(self, rest: str, modality: str, size: int) -> PairCorpus:
        """A file or a folder of items, with captions or classes where there are some."""
        return pairs_of_path(rest, modality)

    def state(self, task: TaskSpec, rest: str) -> object | None:
        """Paths and states of the files."""
        layout = locate(task, existing_path(rest), possible_splits(task, ()))
        paths = layout.read_paths()
        pinned = [
            str(layout.place.resolve()),
            [[str(path.resolve()), *state] for path, state in zip(paths, states_of(paths), strict=True)],
            {split: path.name for split, path in layout.files.items()},
        ]
        return pinned if modality_of(task) is None else [*pinned, _state_of_items(task, layout)]


SOURCE = Folder()


def _state_of_items(task: TaskSpec, layout: Layout) -> object:
    if layout.source is not None:
        tables, _ = read_download(task, layout.source, layout.files, list(layout.files))
        return state_of_items(task, tables, download_columns(task, layout.source))
    readers = _readers(task, layout, possible_splits(task, ()))
    return state_of_items(task, {split: read() for split, read in readers.items()}, task.fields)


def existing_path(data: str) -> Path:
    """Raises HarnessError where there is nothing of that path to read."""
    path = expanded(data)
    if data.strip() and (is_folder(path) or is_file(path)):
        if not os.access(path, os.R_OK):
            raise HarnessError(f"{data}: no permission to read it")
        return path
    names = named_sources()
    hint = did_you_mean(data.partition(":")[0], names)
    hint = hint if hint.startswith(" Did") else ""
    raise HarnessError(
        f"no such folder or file: {data or repr(data)}; --data takes {', '.join(names)}, or a folder.{hint}"
    )


def locate(task: TaskSpec, root: Path, splits: Sequence[str]) -> Layout:
    """Where `task` lies below `root`, found by names alone: no file is opened.

    Raises:
        TaskAbsentError: no folder is the task's and `root` itself holds no data file, or the folder may be that of
        several
            tasks and lacks this one's files.
        HarnessError: the task's folder holds no file that could be a split, or two that could be the same.
    """
    if root.is_file():
        return Layout(root, {task.train: root}, is_root=True)
    source = task.sources.download
    folders = list(dict.fromkeys(_task_folders(task, root)))
    for folder in folders:
        layout = _layout(task, folder, source, splits)
        if layout is not None:
            return layout
    if folders and task.sources.folder is not None:
        raise TaskAbsentError(f"{folders[0]} {_lacks(task, task.sources.folder)}")
    if folders:
        raise TaskAbsentError(
            f"{folders[0]}: no file there is a split of task '{task.name}'; one a split is expected, "
            "e.g. train.tsv and dev.tsv, or train and dev as csv, tsv, jsonl, json or parquet"
        )
    at_root = _download_at_root(task, root, splits) or _layout(task, root, None, splits)
    if at_root is None:
        looked = list(source.folder) if source else []
        called = base_name(task.name)
        looked += [called] if called.casefold() not in [name.casefold() for name in looked] else []
        reason = f"{root} has no folder {' or '.join(looked)} for task '{task.name}'"
        raise TaskAbsentError(f"{reason} and {_lacks(task, task.sources.folder)}" if task.sources.folder else reason)
    return replace(at_root, is_root=True)


def _download_at_root(task: TaskSpec, root: Path, splits: Sequence[str]) -> Layout | None:
    """A download whose files tell by their names whose they are, which those of GLUE's do not, nor does a lone test."""
    source = task.sources.folder
    files_of_splits = download_files(source, root, splits) if source is not None else {}
    first = task.eval[0] if task.train_on or task.shots == 0 else task.train
    return Layout(root, files_of_splits, source) if first in files_of_splits else None


def _lacks(task: TaskSpec, source: FolderSource) -> str:
    missing = [missing_files(source, split) for split in dict.fromkeys([task.train, *task.eval])]
    return f"lacks the files of task '{task.name}': {'; '.join(missing)}"


def _task_folders(task: TaskSpec, root: Path) -> Iterator[Path]:
    source = task.sources.download
    for name in source.folder if source else ():
        for below in DOWNLOAD_ROOTS if task.sources.glue else ("",):
            for parent in [root] if not below else _children(root, below):
                yield from _children(parent, name)
        if root.resolve().name.casefold() == name.casefold():
            yield root
    yield from _children(root, base_name(task.name))


def _children(parent: Path, name: str) -> list[Path]:
    """The folders of that name, whatever its case, the exact one first."""
    folders = [path for path in parent.iterdir() if path.name.casefold() == name.casefold() and path.is_dir()]
    return sorted(folders, key=lambda path: (path.name != name, path.name))


def _layout(task: TaskSpec, folder: Path, source: FolderSource | None, splits: Sequence[str]) -> Layout | None:
    if source is not None and (files_of_splits := download_files(source, folder, splits)):
        return Layout(folder, files_of_splits, source)
    if files.is_saved(folder):
        return Layout(folder, {}, saved=True)
    for place in (folder, folder / "data"):  # the hub's way to lay files out
        files_of_splits = split_paths(task, place, splits) if place.is_dir() else {}
        if files_of_splits:
            return Layout(place, files_of_splits)
    return None


def possible_splits(task: TaskSpec, wanted: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([task.train, "dev", "test", *task.eval, *wanted]))


def read_folder(task: TaskSpec, root: Path, wanted: Sequence[str]) -> Reading:
    """The wanted splits of `task` from below `root`.

    Raises:
        TaskAbsentError: the path does not hold this task.
        HarnessError: a wanted split is missing, or a file is damaged.
    """
    layout = locate(task, root, possible_splits(task, wanted))
    if layout.source is not None:
        return _read_download(task, layout, layout.source, wanted)
    return _read_own(task, layout, wanted)


def _read_download(task: TaskSpec, layout: Layout, source: FolderSource, wanted: Sequence[str]) -> Reading:
    asked = source.group is not None or task.reading.dev_fraction is not None
    carve = asked and _to_carve(task, layout.files, wanted)
    needed = _with_train(task, wanted) if carve else wanted
    tables, notes = read_download(task, source, layout.files, needed)
    columns = download_columns(task, source)
    if layout.is_root:
        _check_fit(task, columns, tables)
    return Reading(
        str(layout.place), tables, columns, id=source.id, carve=carve, group=source.group, notes=notes,
        dev_fraction=task.reading.dev_fraction, draws=DRAW,
    )  # fmt: skip


def _read_own(task: TaskSpec, layout: Layout, wanted: Sequence[str]) -> Reading:
    available = _readers(task, layout, wanted)
    carve = _to_carve(task, available, wanted)
    stands_in = _stand_in(task, available) if carve or "dev" in wanted else {}
    carve = carve and not stands_in
    wanted = list(dict.fromkeys(stands_in.get(split, split) for split in wanted))
    needed = _with_train(task, wanted) if carve else wanted
    tables = {split: read() for split, read in available.items() if split in needed}
    if layout.is_root:
        _check_fit(task, task.fields, tables or {split: read() for split, read in available.items()})
    missing = sorted(set(needed) - tables.keys())
    if missing:
        present = ", ".join(available) or "none"
        raise TaskAbsentError(f"{layout.place}: no split '{missing[0]}' for task '{task.name}'; found: {present}")
    source = task.sources.folder
    group = source.group if source is not None and carve and source.group in tables[task.train].names else None
    name = source.id if source is not None else None
    return Reading(
        str(layout.place), tables, task.fields, id=name, carve=carve, group=group,
        dev_fraction=task.reading.dev_fraction, stands_in=stands_in,
    )  # fmt: skip


def _stand_in(task: TaskSpec, available: Mapping[str, Callable[[], Table]]) -> dict[str, str]:
    """Where there is no dev split but one to test on with labels, that is scored: rows of train would be lost to it."""
    if "dev" in available or "test" not in available or task.reading.dev_fraction is not None:
        return {}
    target = FAMILIES.get(task.family).target
    table = available["test"]()
    column = find_column(task.fields, target, table.names) if target is not None else None
    if target is not None and (column is None or are_withheld(table.read_column(column))):
        return {}
    return {"dev": "test"}


def of_file(task: TaskSpec, file: Path) -> Reading:
    """The rows of a file as the split test. Raises HarnessError where it has no labels to score by."""
    table = read_for(task, existing_path(str(file)))
    _check_fit(task, task.fields, {"test": table})
    target = FAMILIES.get(task.family).target
    if target is not None:
        values = table.read_column(require_column(task.fields, target, table))
        if are_withheld(values):
            raise HarnessError(f"{file}: its rows have no {target}, so that nothing can be scored by them")
    return Reading(str(file), {"test": table}, task.fields, notes=[f"test: the rows of {file.name}"])


def with_test(reading: Reading, test: Reading) -> Reading:
    """What is trained on, and the rows of a file that are scored."""
    return replace(
        reading,
        location=f"{reading.location} and {test.location}",
        tables={**reading.tables, **test.tables},
        own_columns={"test": test.columns},
        notes=[*reading.notes, *test.notes],
    )


def _to_carve(task: TaskSpec, available: Collection[str], wanted: Sequence[str]) -> bool:
    """Whether dev, which is asked for or left out of train all the same, is to be cut from train."""
    is_due = "dev" not in available and task.train in available and "dev" in {*task.eval, *wanted}
    return is_due and not {"dev", task.train}.isdisjoint(wanted)


def _with_train(task: TaskSpec, wanted: Sequence[str]) -> list[str]:
    return [split for split in dict.fromkeys([*wanted, task.train]) if split != "dev"]


def _readers(task: TaskSpec, layout: Layout, wanted: Sequence[str]) -> dict[str, Callable[[], Table]]:
    """What reads each split that lies there."""
    if not layout.saved:
        return split_readers(task, layout.files)
    saved = files.read_saved(layout.place, task.train)
    matches = {split: files.match_split(split, saved, str(layout.place)) for split in possible_splits(task, wanted)}
    saved = {name: for_task(task, table) for name, table in saved.items()}
    return {split: partial(saved.__getitem__, name) for split, name in matches.items() if name is not None}


def _check_fit(task: TaskSpec, columns: Columns, tables: Mapping[str, Table]) -> None:
    """Files that no folder name ascribes to a task are its files only if they have its columns."""
    target = FAMILIES.get(task.family).target
    for split, table in tables.items():
        for name in task.fields:
            may_lack = name == target and split.startswith("test")
            if not may_lack and find_column(columns, name, table.names) is None:
                reason = missing_column(columns, name, table.names)
                raise TaskAbsentError(f"{table.where} does not fit task '{task.name}': {reason}")
