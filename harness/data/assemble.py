"""From tables, in a source's own columns and spellings, to the splits of a task."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES, Family
from harness.core.hashing import canonical_json
from harness.core.iob import IOB
from harness.core.source_specs import Columns
from harness.core.specs import TaskSpec
from harness.data.choices import choices_of, letters, right_choices
from harness.data.frame import Split, TaskData
from harness.data.item_columns import read_items, with_their_files
from harness.data.labels import Vocabulary, class_ids, infer_labels, is_hidden, label_texts, numbers
from harness.data.references import read_references
from harness.data.row_texts import ids_of, texts_of
from harness.data.table import Table, find_column, require_column, with_composed
from harness.data.tags import check_names, checked, inferred, tag_sequences, word_sequences

CARVED_FRACTION = 0.1
CARVED_MOST = 2000


@dataclass(frozen=True)
class Reading:
    """What a source read for a task: a table a split, and the columns of the canonical fields and the label.

    `location` says where exactly it lies. `id`, `oracle` and `draws` (the published draw of few
    examples that a row is of) name columns that may be absent. `carve` says that dev is
    to be cut from train, `dev_fraction` of it; rows of the same `group` (a column) then go to the same side.
    `stands_in` names the split that is scored in place of one that is not there, `own_columns` the columns of splits
    that have others than the rest.
    """

    location: str
    tables: Mapping[str, Table]
    columns: Columns
    id: str | None = None
    oracle: str | None = None
    draws: str | None = None
    carve: bool = False
    group: str | None = None
    notes: list[str] = field(default_factory=list)
    dev_fraction: float | None = None
    stands_in: Mapping[str, str] = field(default_factory=dict)
    own_columns: Mapping[str, Columns] = field(default_factory=dict)

    def columns_of(self, split: str) -> Columns:
        """The columns of the canonical fields in a split."""
        return self.own_columns.get(split, self.columns)


def assemble(task: TaskSpec, reading: Reading, wanted: Sequence[str], source: str) -> TaskData:
    """The splits in canonical fields; `source` is what records call where they are from.

    Raises:
        HarnessError: a missing column, a missing or unknown label, an id given twice, a text that is none.
    """
    family = FAMILIES.get(task.family)
    notes = list(reading.notes)
    tables = {
        name: with_composed(table, reading.columns_of(name) | task.group_columns)
        for name, table in reading.tables.items()
    }
    dropped = {}
    for name, table in tables.items():
        if table.dropped:
            notes.append(f"{name}: {table.dropped} rows with missing fields dropped")
            dropped[name] = table.dropped
        notes += [f"{name}: {note}" for note in table.notes]
    if task.reading.missing_files == "drop":
        notes += _drop_missing(family, reading, tables, dropped)
    vocabulary = None
    labels: tuple[str, ...] = ()
    if family.predictions == "tags":
        splits, labels, more = _tagged(task, reading, tables, dropped)
        notes += more
    elif family.choices is not None:
        splits, labels = _with_choices(task, family, reading, tables)
    elif family.predictions in ("labels", "values"):
        texts: dict[str, list[str] | None] = {}
        for name, table in tables.items():
            tables[name], texts[name] = _labelled(task, table, reading.columns_of(name), name)
            if unlabelled := len(table) - len(tables[name]):
                notes.append(f"{name}: {unlabelled} rows without a label dropped")
                dropped[name] = dropped.get(name, 0) + unlabelled
        if family.predictions == "labels":
            vocabulary = _vocabulary(task, reading, tables, texts)
        for name in tables:
            texts[name] = _unless_withheld(task, tables[name], texts[name], name, vocabulary)
        if vocabulary is not None:
            _check_labels(task, vocabulary, tables, texts)
        splits = {name: _split(task, reading, name, tables[name], texts[name], vocabulary) for name in tables}
        labels = vocabulary.labels if vocabulary else ()
    else:
        splits = {name: _split_in_words(task, family, reading, name, table) for name, table in tables.items()}
    if reading.carve:
        groups = tables[task.train].read_column(reading.group) if reading.group else None
        if groups is None and family.modalities:  # the captions of an item stay together
            groups = list(zip(*(splits[task.train].fields[name] for name in family.modalities), strict=True))
        fraction = reading.dev_fraction
        splits[task.train], splits["dev"] = carve(splits[task.train], reading.location, groups, fraction)
        notes.append(f"no dev split there: {len(splits['dev'])} rows of {task.train} serve as dev")
    notes += [f"no {missing} split there: {other} is scored" for missing, other in reading.stands_in.items()]
    wanted = list(dict.fromkeys(reading.stands_in.get(name, name) for name in wanted))
    return TaskData(
        task=task.name,
        source=source,
        location=reading.location,
        splits={name: splits[name] for name in wanted},
        labels=labels,
        notes=tuple(notes),
        stands_in=reading.stands_in,
        dropped={name: (count, count + len(tables[name])) for name, count in dropped.items()},
    )


def _drop_missing(family: Family, reading: Reading, tables: dict[str, Table], dropped: dict[str, int]) -> list[str]:
    """Leave out the rows whose files are missing, and count them."""
    notes = []
    for name, table in tables.items():
        for canonical, modality in family.modalities.items():
            column = require_column(reading.columns_of(name), canonical, tables[name])
            tables[name] = with_their_files(tables[name], column, modality)
        if missing := len(table) - len(tables[name]):
            notes.append(f"{name}: {missing} rows whose file is missing dropped")
            dropped[name] = dropped.get(name, 0) + missing
    return notes


def _tagged(
    task: TaskSpec, reading: Reading, tables: dict[str, Table], dropped: dict[str, int]
) -> tuple[dict[str, Split], tuple[str, ...], list[str]]:
    """The splits of a task whose words have tags, the tags, and notes; what has no words is left out and counted."""
    check_names(task)
    notes = []
    words, tags = {}, {}
    for name, table in tables.items():
        columns = reading.columns_of(name)
        words[name] = word_sequences(table, require_column(columns, "tokens", table))
        if empty := words[name].count(()):
            keep = [index for index, row in enumerate(words[name]) if row]
            table, words[name] = table.select(keep), [words[name][index] for index in keep]
            notes.append(f"{name}: {empty} rows without words dropped")
            dropped[name] = dropped.get(name, 0) + empty
            tables[name] = table
        if not words[name]:
            raise HarnessError(f"{table.where}: holds no rows")
        if name.startswith("test") and find_column(columns, "tags", table.names) is None:
            continue
        rows = tag_sequences(table, require_column(columns, "tags", table), words[name])
        if rows is not None:
            tags[name] = (table, rows)
        elif name == task.train:
            raise HarnessError(f"{table.where}: the training split has no tags")
    labels = tuple(task.labels or ())
    if not labels:
        source = task.train if task.train in tags or task.reading.test is None else "test"
        if source not in tags:
            raise HarnessError(
                f"task '{task.name}': its tags are to be inferred, but {reading.location} has no training split"
            )
        table, rows = tags[source]
        known = table.classes.get(require_column(reading.columns_of(source), "tags", table))
        labels = known or inferred(tag for row in rows for tag in row if IOB.fullmatch(tag))
    named, more = checked(task, labels, tags)
    splits = {
        name: Split(
            ids=ids_of(table, name, reading.id),
            fields={"tokens": tuple(map(" ".join, words[name]))},
            labels=tuple((" ".join(row),) for row in named[name]) if name in named else None,
        )
        for name, table in tables.items()
    }
    return splits, labels, notes + more


def _with_choices(
    task: TaskSpec, family: Family, reading: Reading, tables: Mapping[str, Table]
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """The splits of a task with answers to choose from, and what these are called."""
    assert family.choices is not None
    splits, most = {}, len(task.labels or ())
    for name, table in tables.items():
        if len(table) == 0:
            raise HarnessError(f"{table.where}: holds no rows")
        columns = reading.columns_of(name)
        rows, keys = choices_of(table, columns, family.choices)
        most = max(most, *map(len, rows))
        right = None
        if not name.startswith("test") or find_column(columns, "label", table.names) is not None:
            right = right_choices(table, require_column(columns, "label", table), rows, keys, task.labels or ())
        if right is None and name == task.train:
            raise HarnessError(f"{table.where}: the training split has no labels")
        others = {field: column for field, column in task.fields.items() if field not in ("label", family.choices)}
        fields = {field: texts_of(table, require_column(columns, field, table)) for field in others}
        fields[family.choices] = tuple(map("\n".join, rows))
        splits[name] = Split(ids_of(table, name, reading.id), fields, right)
    return splits, letters(most)


def _labelled(task: TaskSpec, table: Table, columns: Columns, name: str) -> tuple[Table, list[str] | None]:
    """The rows that have a label by what the task says, and their labels as text; None without a column of labels."""
    if len(table) == 0:
        raise HarnessError(f"{table.where}: holds no rows")
    if name.startswith("test") and find_column(columns, "label", table.names) is None:
        return table, None
    texts = label_texts(table, require_column(columns, "label", table))
    keep = array("q", (index for index, text in enumerate(texts) if text not in task.missing_labels))
    if len(keep) == len(texts):
        return table, texts
    if not keep:
        raise HarnessError(f"{table.where}: no row has a label; the task's missing_labels cover all of them")
    return table.select(keep), [texts[index] for index in keep]


def _unless_withheld(
    task: TaskSpec, table: Table, texts: list[str] | None, name: str, vocabulary: Vocabulary | None
) -> list[str] | None:
    """The labels of a split; None where all of them are withheld."""
    labels = vocabulary.labels if vocabulary else None
    if texts is None or not all(is_hidden(text, labels) for text in texts):
        return texts
    if name == task.train:
        raise HarnessError(f"{table.where}: the training split has no labels")
    return None


def _check_labels(
    task: TaskSpec, vocabulary: Vocabulary, tables: Mapping[str, Table], texts: Mapping[str, list[str] | None]
) -> None:
    """Raises HarnessError where splits do not spell their labels alike."""
    given = {
        name: (tables[name], [text for text in labels if not is_hidden(text, vocabulary.labels)])
        for name, labels in texts.items()
        if labels is not None
    }
    vocabulary.settle(given)
    for name in given:
        vocabulary.check(name, task.train, {**given, name: (tables[name], texts[name] or [])})


def _vocabulary(
    task: TaskSpec, reading: Reading, tables: Mapping[str, Table], texts: Mapping[str, list[str] | None]
) -> Vocabulary:
    if task.labels is not None:
        return Vocabulary(task, task.labels)
    name = task.train if task.train in tables or task.reading.test is None else "test"
    table, train = tables.get(name), texts.get(name)
    if table is None or train is None:
        raise HarnessError(
            f"task '{task.name}': its labels are to be inferred, but {reading.location} has no training split"
        )
    named = table.classes.get(require_column(reading.columns_of(name), "label", table))
    return Vocabulary(task, named if named is not None else _inferred(table, train))


def _inferred(table: Table, train: Sequence[str]) -> tuple[str, ...]:
    """The classes of a training split."""
    if all(is_hidden(text, None) for text in train):
        raise HarnessError(f"{table.where}: the training split has no labels")
    return infer_labels(train)


def _split(
    task: TaskSpec,
    reading: Reading,
    name: str,
    table: Table,
    texts: list[str] | None,
    vocabulary: Vocabulary | None,
) -> Split:
    oracle = reading.oracle if reading.oracle in table.names else None
    draws = reading.draws if reading.draws in table.names else None
    groups = require_column(task.group_columns, "grouped_by", table) if task.grouped_by else None
    return Split(
        ids=ids_of(table, name, reading.id),
        fields=text_columns(task, "label", table, reading.columns_of(name)),
        labels=None if texts is None else _values(task, table, texts, vocabulary),
        oracle=None if oracle is None else _values(task, table, label_texts(table, oracle), vocabulary),
        draws=None if draws is None else tuple(table.read_column(draws)),
        groups=None if groups is None else tuple(map(str, table.read_column(groups))),
    )


def _split_in_words(task: TaskSpec, family: Family, reading: Reading, name: str, table: Table) -> Split:
    """A split whose references are texts; of a task without a target the text is its own reference."""
    if len(table) == 0:
        raise HarnessError(f"{table.where}: holds no rows")
    ids, fields = ids_of(table, name, reading.id), text_columns(task, family.target, table, reading.columns_of(name))
    if family.target is None:
        return Split(ids, fields, labels=tuple((text,) for text in fields[family.required[0]]))
    if name.startswith("test") and find_column(reading.columns_of(name), family.target, table.names) is None:
        return Split(ids, fields)
    contexts = fields["context"] if family.extractive else None
    references = read_references(table, reading.columns_of(name), family.target, contexts)
    if references is None and name == task.train:
        raise HarnessError(f"{table.where}: the training split has no {family.target}")
    return Split(
        ids,
        fields,
        labels=None if references is None else references.texts,
        starts=None if references is None else references.starts,
    )


def text_columns(task: TaskSpec, target: str | None, table: Table, columns: Columns) -> dict[str, Sequence[str]]:
    """The texts and items of a table by the names of the task's fields."""
    modalities = FAMILIES.get(task.family).modalities
    names = {canonical: require_column(columns, canonical, table) for canonical in task.fields if canonical != target}
    return {
        canonical: read_items(table, name, modalities[canonical]) if canonical in modalities else texts_of(table, name)
        for canonical, name in names.items()
    }


def _values(
    task: TaskSpec, table: Table, texts: Sequence[str], vocabulary: Vocabulary | None
) -> tuple[int, ...] | tuple[float, ...]:
    if vocabulary is None:
        return numbers(table, texts, task.label_range)
    return class_ids(table, texts, vocabulary)


def carve(
    train: Split, where: str, groups: Sequence[Any] | None = None, fraction: float | None = None
) -> tuple[Split, Split]:
    """Cut dev from `train`: the fraction asked for, else a tenth of its rows, at most 2000, by the hash of their texts.

    Rows with identical texts, or of one group where `groups` (n) are given, go to the same side; order is kept.

    Raises:
        HarnessError: all texts are identical.
    """
    alike: dict[str, list[int]] = {}
    texts = zip(*(train.fields[name] for name in sorted(train.fields)), strict=True)
    for index, row in enumerate(texts if groups is None else groups):
        key = hashlib.sha256(canonical_json(row).encode()).hexdigest()
        alike.setdefault(key, []).append(index)
    if len(alike) < 2:
        raise HarnessError(f"{where}: no dev split, and none can be cut from a training split with a single text")
    most = CARVED_MOST if fraction is None else len(train)
    size = min(max(round((fraction or CARVED_FRACTION) * len(train)), 1), most)
    chosen: set[int] = set()
    for key in sorted(alike):
        if len(chosen) + len(alike[key]) <= size:
            chosen.update(alike[key])
    if not chosen:
        chosen.update(min((len(rows), key, rows) for key, rows in alike.items())[2])
    rest = [index for index in range(len(train)) if index not in chosen]
    return train.select(rest), train.select(sorted(chosen))
