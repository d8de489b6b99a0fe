"""The answers of score records by class and by length of text, and the texts, read again as their runs read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.cell_records import ScoreRecord
from harness.core.errors import HarnessError
from harness.core.hashing import canonical_json
from harness.core.predictions import PREDICTIONS, read_predictions
from harness.core.registry import load_registry
from harness.core.run_records import RunManifest
from harness.core.store import Store
from harness.core.text import without_paths
from harness.gating.flips import lengths_of
from harness.metrics.correctness import judge, right
from harness.pipeline.planner.rereading import read_again, reading_of
from harness.report.page.examples import Texts
from harness.report.tables.pairs import counted
from harness.report.tables.worst_group import Answers


def answers_reader(store: Store, read: Callable[[ScoreRecord], Texts]) -> Callable[[ScoreRecord], Answers | None]:
    """A function from a score record to its answers by class and by length; None where answers are not right or wrong,
    or not drawn one by one, as pairs of an item. Raises DamagedFileError.

    Args:
        store: Where the predictions lie.
        read: Reads the texts of a record.
    """

    def answers(record: ScoreRecord) -> Answers | None:
        metric = judge(record.scores, counted(record))
        predictions, references, _ = read_predictions(store.file(record.cell, PREDICTIONS), record.n)
        if metric is None or not metric.counts_successes or references is None:
            return None
        groups: dict[str, Sequence[str]] = {}
        labels = store.read(record.cell).labels
        if labels and references.dtype.kind in "iu" and references.min() >= 0 and references.max() < len(labels):
            groups["class"] = [labels[reference] for reference in references]
        texts = read(record)
        if texts.fields:
            groups |= {"length": lengths} if (lengths := lengths_of(list(texts.fields.values()))) else {}
        return Answers(right(metric, predictions, references), groups, texts.reason)

    return answers


def texts_reader(manifests: Sequence[RunManifest], include: Sequence[Path] = ()) -> Any:
    """A function that reads the texts of a score record's split again, where its data can be had and is the same."""

    earlier = [str(path) for manifest in manifests for path in manifest.spec.get("include") or ()]
    registry = load_registry(list(include), dict.fromkeys(earlier))
    readings = {cell.cell: reading_of(manifest.spec) for manifest in manifests for cell in manifest.cells}

    @cache
    def fields(task: str, split: str, reading: str, limit: int | None, fingerprint: str) -> Texts:
        try:
            return Texts(read_again(registry.task(task), json.loads(reading), split, limit, fingerprint).fields)
        except HarnessError as error:
            return Texts({}, f"texts not at hand: {without_paths(str(error))}")

    def read(record: ScoreRecord) -> Texts:
        data, split = record.data, record.split
        fingerprint = data.splits[split].fingerprint
        reading = readings.get(record.cell)
        if not reading or "data" not in reading:
            return Texts({}, "texts not at hand: the run does not say where its data lay")
        return fields(record.task.name, split, canonical_json(reading), data.limit, fingerprint)

    return read
