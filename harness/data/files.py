"""Folders of one file a split, single files and `datasets` folders: what users make of their own data."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.columns import are_many
from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.reading import PACKED
from harness.core.specs import TaskSpec
from harness.data import conll, documents
from harness.data.cells import DatasetCells
from harness.data.readers import READERS, as_written, read_csv
from harness.data.table import Table, one_after_another, with_parts

if TYPE_CHECKING:
    from datasets import Dataset

DEV_NAMES = ("dev", "validation", "valid", "val", "trial")
SHARD = re.compile(r"[-_.](\d+)[-_.]of[-_.](\d+)$")
"""How the parts of a split are numbered: `train-00000-of-00003`."""
SAVED_MARKS = ("dataset_dict.json", "state.json")


def spellings_of(split: str) -> list[str]:
    """The names a split goes by: `dev_matched` is also `validation_matched`."""
    if split == "dev" or split.startswith("dev_"):
        return [name + split.removeprefix("dev") for name in DEV_NAMES]
    return [split]


def match_split(split: str, names: Iterable[str], where: str) -> str | None:
    """The one of `names` that means `split`, or None. Raises HarnessError where several do."""
    wanted = spellings_of(split)
    matching = [name for name in names if name.casefold() in wanted]
    if len(matching) > 1:
        raise HarnessError(f"{where}: both {' and '.join(sorted(matching))} could be the split '{split}'; keep one")
    return matching[0] if matching else None


def split_files(folder: Path, splits: Sequence[str], endings: Collection[str] = READERS) -> dict[str, Path]:
    """The files of `folder` with these endings that hold a split each; of a split in several parts the first of them,
    or the folder that they are in.

    Raises:
        HarnessError: two files claim one split, or a part of one is missing.
    """
    by_stem: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if ending_of(path) in endings and path.is_file():
            stem = Path(path.stem).stem if path.suffix == PACKED else path.stem
            known = by_stem.setdefault(SHARD.sub("", stem), [])
            if not (known and SHARD.search(path.stem) and path in parts_of(known[0])):
                known.append(path)
        elif path.is_dir() and any(file.suffix.lower() in endings for file in path.iterdir()):
            by_stem.setdefault(path.name, []).append(path)
    files = {}
    for split in splits:
        name = match_split(split, by_stem, str(folder))
        if name is None:
            continue
        if len(by_stem[name]) > 1:
            names = " and ".join(path.name for path in by_stem[name])
            raise HarnessError(f"{folder}: both {names} could be the split '{split}'; keep one")
        files[split] = by_stem[name][0]
    return files


def parts_of(path: Path) -> list[Path]:
    """The files of a split that lies in several, in order; the file itself where it is all of it.

    Raises:
        HarnessError: one is missing, or a folder holds files of several kinds.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and file.suffix.lower() in READERS)
        if len({file.suffix.lower() for file in files}) != 1:
            kinds = ", ".join(sorted({file.suffix.lower() for file in files}))
            raise HarnessError(f"{path}: the parts of a split are files of one kind, found {kinds or 'none'}")
        return files
    numbered = SHARD.search(path.stem)
    if numbered is None:
        return [path]
    stem, total = path.stem[: numbered.start()], int(numbered[2])
    parts = {}
    for file in path.parent.iterdir():
        match = SHARD.search(file.stem)
        is_part = match is not None and file.stem[: match.start()] == stem and file.suffix == path.suffix
        if match is not None and is_part and int(match[2]) == total:
            parts[int(match[1])] = file
    first = 0 if 0 in parts else 1
    missing = [number for number in range(first, first + total) if number not in parts]
    if missing:
        raise HarnessError(f"{path}: {len(missing)} of {total} parts are missing, such as number {missing[0]}")
    return [parts[number] for number in range(first, first + total)]


Readers = Mapping[str, Callable[[Path], Table]]
"""What reads a file, by its ending."""


def readers_for(task: TaskSpec) -> Readers:
    """What reads the files that may hold a task's data: raw text has no fields but its text, and where words have tags
    it is a word a line.
    """
    family = FAMILIES.get(task.family)
    more: Readers = {}
    if family.target is None:
        more = dict.fromkeys(documents.ENDINGS, documents.read_documents)
    elif family.predictions == "tags":
        more = dict.fromkeys(conll.ENDINGS, conll.read_conll)
    return dict(sorted({**READERS, **more}.items()))


def read_file(path: Path, readers: Readers = READERS, delimiter: str | None = None) -> Table:
    """One csv, tsv, jsonl, json or parquet file, or another that the `readers` take. `delimiter` is that of a text file
    with columns; found from its first rows where it is None.

    Raises:
        HarnessError: a file of another kind, or a damaged one.
    """
    parts = parts_of(path)
    if parts != [path]:
        place = path if path.is_dir() else path.parent / SHARD.sub("", path.stem)
        return one_after_another([_read_one(part, readers, delimiter) for part in parts], str(place))
    return _read_one(path, readers, delimiter)


def _read_one(path: Path, readers: Readers, delimiter: str | None) -> Table:
    ending = ending_of(path)
    if ending not in readers:
        raise HarnessError(f"{path}: files of this kind are not read; it takes {', '.join(sorted(readers))}")
    if ending == ".csv" or (ending == ".tsv" and delimiter not in (None, "\t")):
        return read_csv(path, delimiter)
    return readers[ending](path)


def ending_of(path: Path) -> str:
    """The ending that says what is in a file, beneath `.gz` where it is packed."""
    return Path(path.stem if path.suffix == PACKED else path.name).suffix.lower()


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by `datasets`' `save_to_disk`."""
    return any((folder / mark).is_file() for mark in SAVED_MARKS)


def read_saved(folder: Path, train: str) -> dict[str, Table]:
    """The splits of a `save_to_disk` folder, by their names there; a single dataset counts as `train`.

    Raises:
        HarnessError: `datasets` cannot read the folder.
    """
    from datasets import Dataset, load_from_disk

    try:
        loaded = load_from_disk(str(folder))
    except Exception as error:
        raise HarnessError(f"{folder}: datasets cannot read it: {' '.join(str(error).split())}") from None
    if isinstance(loaded, Dataset):
        return {train: table_of(loaded, str(folder))}
    return {str(name): table_of(split, f"{folder} ({name})") for name, split in loaded.items()}


def table_of(dataset: Dataset, where: str) -> Table:
    """A `datasets.Dataset` as a table; its columns of ClassLabel, or of lists of it, bring their names."""
    from datasets import ClassLabel, Translation, Value

    of_files = {name: feature for name, feature in dataset.features.items() if hasattr(feature, "decode")}
    for name, feature in of_files.items():
        if feature.decode:  # images and sounds stay the bytes they are
            dataset = dataset.cast_column(name, type(feature)(decode=False))

    def read_column(name: str) -> Sequence[Any]:
        if name in of_files or (are_many(len(dataset)) and dataset.features[name] == Value("string")):
            return DatasetCells(dataset, name)
        values = list(dataset[name])
        return as_written(values) if dataset.features[name] == Value("float32") else values

    parts = {
        name: feature.languages if isinstance(feature, Translation) else _named_in(feature)
        for name, feature in dataset.features.items()
        if isinstance(feature, Translation | dict)
    }
    of_items = {name: getattr(feature, "feature", feature) for name, feature in dataset.features.items()}
    classes = {
        name: tuple(feature.names)
        for name, feature in of_items.items()
        if isinstance(feature, ClassLabel) and feature.names
    }
    table = Table(where, tuple(dataset.column_names), read_column, range(len(dataset)), classes=classes)
    return with_parts(table, parts)


def _named_in(feature: dict[str, Any]) -> list[str]:
    """The parts of a column that hold texts or whole numbers."""
    from datasets import Value

    kinds = [Value("string"), Value("int32"), Value("int64")]
    return [name for name, part in feature.items() if part in kinds]
