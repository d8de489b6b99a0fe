"""Labelled data to be reported on: the splits of a task, of a folder or of a file, with their texts and labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, did_you_mean
from harness.core.families import FAMILIES
from harness.core.reading import expanded, is_file, is_folder
from harness.core.specs import TaskSpec
from harness.corpora.reporting.survey import FIELDS
from harness.data import load
from harness.data.document import Document
from harness.data.files import DEV_NAMES, is_saved, read_file, read_saved, split_files
from harness.data.table import Table, table_of

SPLITS = ("train", "dev", "dev_matched", "dev_mismatched", "test")
LABELS = ("label", "labels", "gold_label", "class", "category", "target", "sentiment", "polarity", "intent", "emotion",
          "stars", "rating", "score", "entailment_judgment", "airline_sentiment", "is_duplicate", "y")  # fmt: skip
"""Names of columns that hold labels, in the order in which they are tried."""
TEXTS = ("text", "sentence", "sentence1", "sentence2", "sentence_a", "sentence_b", "question", "question1", "question2",
         "premise", "hypothesis", "content", "review", "document", "dialogue", "summary", "title", "body", "context",
         "tweet", "source", "message", "comment")  # fmt: skip
FEW = 50
"""A column of at most so many distinct values may be one of labels."""
HEAD = 1 << 20
"""Characters of a first line that are read."""
HUB_FOLDER = "data"
"""Where data sets of the hub keep their splits."""
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")


@dataclass(frozen=True)
class LabelledSplit:
    """One split: n rows of texts by field, and their labels as text, None where it has none."""

    fields: Mapping[str, Sequence[str]]
    labels: Sequence[str] | None
    places: Sequence[str]

    def __len__(self) -> int:
        return len(self.places)

    def rows(self) -> list[tuple[str, ...]]:
        """The texts of each row."""
        return list(zip(*self.fields.values(), strict=True))


@dataclass(frozen=True)
class LabelledData:
    """Splits by name, and where they are from."""

    location: str
    splits: Mapping[str, LabelledSplit]

    def documents(self) -> Iterator[Document]:
        """Every row as a document: its texts, one a line, with its split and label."""
        for name, split in self.splits.items():
            for index, row in enumerate(split.rows()):
                label = {} if split.labels is None else {"label": split.labels[index]}
                yield Document("\n".join(row), split.places[index], {"split": name, **label})


def of_task(task: TaskSpec, data: str) -> LabelledData:
    """The training and scored splits of a task, and its test split where that has labels.

    Raises:
        HarnessError: the data source has not got the task, or cannot be read; or its fields are no texts.
    """
    for field, modality in FAMILIES.get(task.family).modalities.items():
        raise HarnessError(f"task {task.name}: a report is of texts, and its field {field} holds {modality} files")
    loaded = load(task, data)
    if "test" not in loaded.splits:
        with suppress(HarnessError):
            loaded = load(task, data, splits=[*loaded.splits, "test"])
    splits = {}
    for name, split in loaded.splits.items():
        labels = None
        if split.labels is not None and split.labels and not isinstance(split.labels[0], tuple):
            names = task.labels or loaded.labels or ()
            labels = [
                str(names[int(value)]) if names and isinstance(value, int) else str(value) for value in split.labels
            ]
        splits[name] = LabelledSplit(split.fields, labels, [f"{name} {value}" for value in split.ids])
    return LabelledData(loaded.location, splits)


def labelled_data(source: str, text: str | None = None, label: str | None = None) -> LabelledData | None:
    """The labelled data at a path; None where what is there is no table of texts and labels.

    A folder is one of a file a split, or what `datasets` saved. The columns are found by their names and contents
    where they are not given.

    Raises:
        HarnessError: a column that is given is missing, or a file is damaged.
    """
    path = expanded(source)
    tables: dict[str, Table] = {}
    if is_folder(path):
        if is_saved(path):
            tables = {_split_name(name): table for name, table in read_saved(path, "train").items()}
        else:
            files = split_files(path, SPLITS, TABLES)
            if not files and is_folder(path / HUB_FOLDER):
                files = split_files(path / HUB_FOLDER, SPLITS, TABLES)
            tables = {name: _read(file) for name, file in files.items()}
    elif is_file(path) and path.suffix.lower() in TABLES:
        streamed = path.suffix.lower() in (".jsonl", ".parquet") and not (text or label)
        tables = _if_labelled(path) if streamed else {"train": _read(path)}
    if not tables:
        return None
    first = next(iter(tables.values()))
    labels = _label_column(first, label)
    texts = _text_columns(first, text, labels)
    if not texts or (labels is None and len(tables) == 1):
        return None
    return LabelledData(source, {name: _split(name, table, texts, labels) for name, table in tables.items()})


def _read(path: Path) -> Table:
    """A file; one whose first line is no header has the columns column1, column2, …"""
    table = read_file(path)
    if path.suffix.lower() not in (".csv", ".tsv") or not any(_is_value(name) for name in table.names):
        return table
    columns = {f"column{at}": [name, *table.read_column(name)] for at, name in enumerate(table.names, start=1)}
    return replace(table_of(columns, str(path)), notes=("the first line is no header",))


def _is_value(name: str) -> bool:
    """Whether the name of a column looks like a value: a number, or a sentence."""
    return len(name.split()) >= 4 or name.strip().lstrip("-").replace(".", "", 1).isdecimal()


def _if_labelled(path: Path) -> dict[str, Table]:
    """A .jsonl or .parquet file is a corpus unless its rows have labels; its first row says so, for it may be large."""
    if any(name.casefold() in LABELS for name in _first_names(path)):
        return {"train": read_file(path)}
    return {}


def _first_names(path: Path) -> list[str]:
    """The columns of a file, by its head alone; none where it cannot be read."""
    with suppress(HarnessError, OSError, ValueError, RecursionError):
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet

            return list(pyarrow.parquet.read_schema(path).names)
        with path.open(encoding="utf-8-sig") as file:
            row = json.loads(file.readline(HEAD))
        return list(row) if isinstance(row, dict) else []
    return []


def _split_name(name: str) -> str:
    return "dev" if name.casefold() in DEV_NAMES else name


def _split(name: str, table: Table, texts: Sequence[str], label: str | None) -> LabelledSplit:
    for column in (*texts, *([label] if label and name == "train" else [])):
        if column not in table.names:
            raise HarnessError(f"{table.where}: no column '{column}'.{did_you_mean(column, table.names)}")
    fields = {column: ["" if value is None else str(value) for value in table.read_column(column)] for column in texts}
    values = table.read_column(label) if label in table.names else None
    return LabelledSplit(fields, _labels(table, label, values), [_place(table, at) for at in range(len(table))])


def _labels(table: Table, column: str | None, values: Sequence[Any] | None) -> list[str] | None:
    if values is None or column is None:
        return None
    names = table.classes.get(column)
    texts = [
        names[value] if names and isinstance(value, int) and 0 <= value < len(names) else str(value) for value in values
    ]
    hidden = {"-1", "None", "nan", ""}
    return None if set(texts) <= hidden else texts


def _place(table: Table, at: int) -> str:
    return table.place(at).rpartition("/")[2]


def _label_column(table: Table, given: str | None) -> str | None:
    """The column given, else the first of a known name, else the only one of few distinct values."""
    if given is not None:
        if given not in table.names:
            raise HarnessError(f"{table.where}: no column '{given}'.{did_you_mean(given, table.names)}")
        return given
    lowered = {name.casefold(): name for name in table.names}
    for name in LABELS:
        if name in lowered:
            return lowered[name]
    others = [name for name in table.names if name.casefold() not in FIELDS]
    few = [name for name in others if 1 < len(set(map(str, table.read_column(name)))) <= min(FEW, len(table) // 3)]
    return few[0] if len(few) == 1 else None


def _text_columns(table: Table, given: str | None, label: str | None) -> list[str]:
    if given is not None:
        names = given.split(",")
        for name in names:
            if name not in table.names:
                raise HarnessError(f"{table.where}: no column '{name}'.{did_you_mean(name, table.names)}")
        return names
    others = [name for name in table.names if name != label]
    known = [name for name in others if name.casefold() in TEXTS and _is_text(table, name)]
    return known or [name for name in others if _is_prose(table, name)]


def _is_text(table: Table, name: str) -> bool:
    return any(isinstance(value, str) for value in table.read_column(name)[:100])


def _is_prose(table: Table, name: str) -> bool:
    values = [value for value in table.read_column(name)[:200] if isinstance(value, str)]
    return bool(values) and sum(len(value.split()) for value in values) / len(values) >= 3
