"""Augmentation from Python: what would be trained on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from harness import data
from harness.core import plugins
from harness.core.atomic import replacing
from harness.core.augment_spec import PRESETS, AugmentSpec, check_operations
from harness.core.cell_records import AugmentFacts
from harness.core.errors import HarnessError, UnwritableError, unknown
from harness.core.families import FAMILIES
from harness.core.reading import expanded, is_file, is_folder
from harness.core.registry import Registry, load_registry, scoped_plugins
from harness.core.source_names import canonical
from harness.core.specs import TaskSpec
from harness.core.strict_spec import parse
from harness.core.strict_yaml import load_mapping
from harness.corpora.reporting.labelled import LabelledSplit, labelled_data
from harness.data.augment.expand import Augmenter, Expansion, inputs_of, refused, total
from harness.data.augment.outcomes import AugmentedData, AugmentedExample, Copy
from harness.data.augment.settings import AugmentSettings
from harness.data.corpus import open_corpus
from harness.data.frame import Split

CHUNK = 1_000
"""Documents that are augmented at once."""


@scoped_plugins()
def augment(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    operations: str | os.PathLike[str] | AugmentSpec | Mapping[str, Any] | None = None,
    model: str | None = None,
    include: Sequence[str | os.PathLike[str]] = (),
    **settings: Any,
) -> AugmentedData:
    """Make the rows that a training would see.

    Args:
        source: A task's name; a file or folder of labelled data or of text, `hub:ID`, `synthetic`.
        output: A file of JSON lines to write them to.
        operations: A preset, a YAML file with the keys of `augment` in a model spec, or these.
        model: A model spec whose `augment` is taken instead.
        include: Files and folders of plug-ins, tasks and model specs.
        **settings: Settings of `AugmentSettings`: `data`, `field`, `limit`, `seed`, `epoch`, `show`.

    Returns:
        What was made, in numbers, and the first examples with their copies.

    Raises:
        HarnessError: nothing there to read, an unknown operation, or one that can change the labels of the task.
    """
    registry = load_registry(include)
    chosen = parse(AugmentSettings, {**settings, "model": model}, "augment")
    spec, where = _spec(operations, chosen.model, registry)
    task, labels, parts = _examples(os.fspath(source), chosen, registry)
    if reason := refused(spec, task, where):
        raise HarnessError(f"{os.fspath(source)}: {reason}")
    inputs_of(spec, where)
    augmenter = Augmenter(spec, task, chosen.seed, where)
    facts: list[AugmentFacts] = []
    examples: list[AugmentedExample] = []
    with _writing(output) as write:
        for part in parts:
            expansion = augmenter.expanded(part, chosen.epoch)
            facts.append(expansion.facts)
            rows = _rows(part, expansion, task, labels)
            write(rows)
            examples += _shown(part, expansion, rows, chosen.show - len(examples))
        if not facts:
            raise HarnessError(f"{os.fspath(source)}: there is no example in it")
    return AugmentedData(total(facts), tuple(examples), None if output is None else Path(output))


@contextmanager
def _writing(output: str | os.PathLike[str] | None) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """What writes rows to a file, which is there as a whole or not at all; to nowhere without one."""
    if output is None:
        yield lambda rows: None
        return
    try:
        with replacing(Path(output)) as temporary, temporary.open("w", encoding="utf-8") as file:
            yield lambda rows: file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except OSError as error:
        raise UnwritableError(f"cannot write {output}: {error.strerror}") from None


def _spec(
    operations: str | os.PathLike[str] | AugmentSpec | Mapping[str, Any] | None, model: str | None, registry: Registry
) -> tuple[AugmentSpec, str]:
    if (operations is None) == (model is None):
        raise HarnessError("give either operations, a preset or a YAML file, or model, a model spec with augment")
    if model is not None:
        augmented = registry.model_spec(model).training.augment
        if augmented is None:
            raise HarnessError(f"model {model}: its training has no augment")
        return augmented, f"model {model}: augment"
    if isinstance(operations, AugmentSpec | Mapping):
        where = "operations"
        spec = operations if isinstance(operations, AugmentSpec) else parse(AugmentSpec, dict(operations), where)
    else:
        where = os.fspath(operations)  # type: ignore[arg-type]
        path = expanded(where)
        if where not in PRESETS and not is_file(path):
            raise unknown("preset", where, PRESETS, "--operations", "; a file of operations is a YAML file")
        spec = parse(AugmentSpec, {"preset": where} if where in PRESETS else load_mapping(path), where)
    check_operations(spec, where)
    return spec, where


def _examples(
    source: str, chosen: AugmentSettings, registry: Registry
) -> tuple[TaskSpec, Sequence[str], Iterator[Split]]:
    """The task whose labels must stay right, the names of its classes, and its training examples in parts."""
    path = expanded(source)
    if not (is_file(path) or is_folder(path)) and source in registry.tasks:
        task = registry.task(source)
        trained_on = registry.task(task.train_on) if task.train_on else task
        loaded = data.load(trained_on, chosen.data, chosen.limit, [trained_on.train])
        return trained_on, loaded.labels, iter([loaded.splits[trained_on.train]])
    there = is_file(path) or is_folder(path)
    if not there and "/" not in source and canonical(source.partition(":")[0]) not in plugins.table("source").names():
        raise unknown("task", source, registry.tasks, hint="; or give a file or folder of text or labelled data")
    labelled = labelled_data(source) if there else None
    if labelled is not None and any(split.labels is not None for split in labelled.splits.values()):
        split = labelled.splits.get("train") or next(iter(labelled.splits.values()))
        return _labelled(split, chosen.limit)
    texts = islice(open_corpus(source, chosen.sentences, chosen.field).documents(), chosen.limit)
    return _task_of(["text"]), (), _chunks(texts)


def _task_of(fields: Sequence[str]) -> TaskSpec:
    columns: dict[str, str | list[str]] = {name: name for name in (*fields, "label")}
    return TaskSpec(name="text", family="classification", fields=columns, metrics=["accuracy"])


def _labelled(split: LabelledSplit, limit: int | None) -> tuple[TaskSpec, Sequence[str], Iterator[Split]]:
    count = len(split) if limit is None else min(limit, len(split))
    fields = dict(zip(("text", "text_pair"), split.fields.values(), strict=False))
    names = sorted(set(split.labels or ()))
    labels = None if split.labels is None else tuple(names.index(label) for label in split.labels[:count])
    texts = {name: tuple(column[:count]) for name, column in fields.items()}
    return _task_of(list(fields)), names, iter([Split(tuple(split.places[:count]), texts, labels)])


def _chunks(texts: Iterator[str]) -> Iterator[Split]:
    first = 0
    while chunk := tuple(islice(texts, CHUNK)):
        yield Split(tuple(str(first + index) for index in range(len(chunk))), {"text": chunk})
        first += len(chunk)


def _rows(part: Split, expansion: Expansion, task: TaskSpec, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Each row as it is written: its id, the example it is of, the operations that made it, its texts, its label."""
    split = expansion.split
    target = FAMILIES.get(task.family).target
    rows: list[dict[str, Any]] = []
    for index, name in enumerate(split.ids):
        row: dict[str, Any] = {"id": name, "of": part.ids[expansion.of[index]], "by": list(expansion.made_by[index])}
        row |= {field: column[index] for field, column in split.fields.items()}
        if split.labels is not None and target is not None:
            label = split.labels[index]
            row[target] = labels[label] if labels and isinstance(label, int) else label
        if split.starts is not None:
            row["answer_starts"] = list(split.starts[index])
        rows.append(row)
    return rows


def _shown(part: Split, expansion: Expansion, rows: Sequence[Mapping[str, Any]], count: int) -> list[AugmentedExample]:
    """The first examples with their copies."""
    copies: list[list[Mapping[str, Any]]] = [[] for _ in range(min(count, len(part)))]
    for of, row in zip(expansion.of, rows, strict=True):
        if of < len(copies) and row["id"] != row["of"]:
            copies[of].append(row)
    return [
        AugmentedExample(
            part.ids[index],
            {field: column[index] for field, column in part.fields.items()},
            tuple(Copy(tuple(row["by"]), {field: row[field] for field in part.fields}) for row in rows_of),
        )
        for index, rows_of in enumerate(copies)
    ]
