"""Leaderboards of robustness, calibration and compression, from stored predictions. Imports no model code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.core.cell_records import CompressRecord, ScoreRecord
from harness.core.errors import HarnessError
from harness.core.predictions import PREDICTIONS, read_logits, read_predictions
from harness.core.record_index import RecordIndex
from harness.core.store import Store
from harness.report.tables import (
    attacks,
    calibration,
    checks,
    compression,
    out_of_distribution,
    ranks,
    robustness,
    selective,
    worst_group,
)
from harness.report.tables.leaderboard import build_with_records
from harness.report.tables.report_format import check_other_table
from harness.report.text.calibrating import calibration_reader, detection_reader, selective_reader
from harness.report.text.checking import failing_reader
from harness.report.text.grouping import answers_reader, texts_reader
from harness.report.text.judging import judge_reader, kept_comparer
from harness.report.text.measured import measured_in
from harness.report.text.runs import indexed_scores, say_damaged, scored_runs, suites_of
from harness.stats.groups import LEAST

if TYPE_CHECKING:
    import numpy as np


def robustness_text(store: Store, names: Sequence[str], style: str) -> str:
    """Scores under noise and attacks and what they lose, of the named runs, or of all runs, as `markdown` or `json`.

    Raises:
        HarnessError: no run, none with scores under noise or an attack, or another style.
    """
    tables, under_attack, tested = robustness_tables(store, names, style)
    if not tables and not under_attack and not tested:
        raise HarnessError(
            "no model was scored both without and with noise, nor under an attack or by tests of behaviour; run its "
            "tasks with --noise typos, --attack deepwordbug or --checks sentiment"
        )
    if style == "json":
        return robustness.to_json(tables, under_attack, tested)
    texts = [
        *map(robustness.to_markdown, tables),
        *map(attacks.to_markdown, under_attack),
        *map(checks.to_markdown, tested),
    ]
    return "\n".join(texts).rstrip("\n")


def out_of_distribution_text(store: Store, names: Sequence[str], style: str) -> str:
    """Scores on other data than the models were trained for, of the named runs, or of all runs, as `markdown` or
    `json`.

    Raises:
        HarnessError: no run, none with a model scored on both, or another style.
    """

    records, order = _records(store, names, "--out-of-distribution", style)
    tables = out_of_distribution.build(records, order, detection_reader(store))
    if not tables:
        raise HarnessError(
            "no model was scored both on the task it is trained on and on another; run it with --eval-on TASK"
        )
    return _written(out_of_distribution, tables, style)


def other_data_text(store: Store, run: str) -> str:
    """The same of one run; empty where none of its models was scored on both."""
    records, order = _records(store, [run], "--out-of-distribution", "markdown")
    tables = out_of_distribution.build(records, order, detection_reader(store))
    return _written(out_of_distribution, tables, "markdown")


def selective_text(store: Store, names: Sequence[str], style: str) -> str:
    """What models get right where they answer only if confident, of the named runs, or of all runs, as `markdown` or
    `json`.

    Raises:
        HarnessError: no run, none with logits of classes, or another style.
    """

    records, order = _records(store, names, "--selective", style)
    tables = selective.build(records, order, selective_reader(store))
    if not tables:
        raise HarnessError(
            f"no task with classes, labels and at least {selective.LEAST} examples was scored; selective answers need "
            "one"
        )
    return _written(selective, tables, style)


def robustness_tables(
    store: Store, names: Sequence[str], style: str
) -> tuple[list[robustness.Robustness], list[attacks.AttackTable], list[checks.CheckTable]]:
    """Scores under noise and attacks and tests of behaviour, of the named runs, or of all runs. Raises HarnessError
    where there is no run.
    """
    records, order = _records(store, names, "--robustness", style)
    return (
        robustness.build(records, order, lambda record: _stored(store, record)),
        attacks.build(records, order),
        checks.build(records, order, failing_reader(store, lambda record: _classes(store, record))),
    )


def _classes(store: Store, record: ScoreRecord) -> Sequence[str]:
    """The classes of the task whose texts were changed."""
    return list(map(str, store.read(record.cell).spec.get("classes", ())))


def calibration_text(store: Store, names: Sequence[str], style: str) -> str:
    """Calibration before and after a temperature, of the named runs, or of all runs, as `markdown` or `json`.

    Raises:
        HarnessError: no run, none with logits of classes, or another style.
    """

    records, order = _records(store, names, "--calibration", style)
    tables = calibration.build(records, order, calibration_reader(store))
    if not tables:
        raise HarnessError(
            f"no task with classes, labels and at least {calibration.LEAST} examples was scored; calibration needs one"
        )
    return _written(calibration, tables, style)


def worst_group_text(store: Store, names: Sequence[str], style: str) -> str:
    """The groups of examples that models are least right on, of the named runs, or of all runs, as `markdown` or
    `json`.

    Raises:
        HarnessError: no run, none with two groups to compare, or another style.
    """

    records, order = _records(store, names, "--worst-group", style)
    read = texts_reader(store.runs(names, lambda error: None))
    tables = worst_group.build(records, order, answers_reader(store, read))
    if not tables:
        raise HarnessError(
            "no task was scored whose answers are right or wrong, with two classes or lengths of at least "
            f"{LEAST} examples"
        )
    return _written(worst_group, tables, style)


def ranks_text(store: Store, names: Sequence[str], style: str) -> str:
    """Ranks with ties of the models of the named runs, or of all runs, as `markdown` or `json`.

    Raises:
        HarnessError: no run, no two models in one table, or another style.
    """
    check_other_table("--ranks", style)
    manifests, records = scored_runs(store, RecordIndex(store), names, say_damaged)
    built = build_with_records(records, suites_of(manifests))
    load = partial(_stored, store)
    rankings = [
        ranking for table, draft in built for ranking in ranks.of_table(table, kept_comparer(store, table, draft, load))
    ]
    if not rankings:
        raise HarnessError("no two models were scored on the same data; ranks need two")
    return _written(ranks, rankings, style)


def _records(store: Store, names: Sequence[str], flag: str, style: str) -> tuple[list[ScoreRecord], list[str]]:
    """Score records, and their tasks in the order of the runs."""
    check_other_table(flag, style)
    manifests = store.runs(names, say_damaged)
    tasks = [task for manifest in manifests for suite in manifest.suites for task in suite.tasks]
    records = indexed_scores(RecordIndex(store), manifests, say_damaged)
    return records, list(dict.fromkeys([*tasks, *(record.task.name for record in records)]))


def compression_text(store: Store, names: Sequence[str], style: str) -> str:
    """Compressed models against their originals, of the named runs, or of all runs, as `markdown` or `json`.

    Raises:
        HarnessError: no run, none with a compressed model and its original, or another style.
    """

    records, order = _records(store, names, "--compression", style)
    keys = {key for record in records if (key := record.lineage.first.compress)}
    made = {key: record for key in keys if (record := store.find(key, CompressRecord)) is not None}
    judge = judge_reader(store, partial(_stored, store), partial(_logits, store))
    groups = compression.build(records, made, order, judge, measured_in(store))
    if not groups:
        raise HarnessError(
            "no compressed model was scored beside its original; make one with `harness run --compress int8`"
        )
    return _written(compression, groups, style)


def _written(of: Any, tables: Sequence[Any], style: str) -> str:
    """Tables as `markdown` or `json`, by the module that they are of."""
    if style == "json":
        return str(of.to_json(tables))
    return "\n".join(map(of.to_markdown, tables)).rstrip("\n")


def _stored(store: Store, record: ScoreRecord) -> tuple[np.ndarray, np.ndarray | None]:
    """Predictions and references of a score record."""
    predictions, references, _ = read_predictions(store.file(record.cell, PREDICTIONS), record.n)
    return predictions, references


def _logits(store: Store, record: ScoreRecord) -> tuple[Sequence[str], np.ndarray, np.ndarray] | None:
    """Ids, labels and logits of a score record, where it has any."""
    return read_logits(store.file(record.cell, PREDICTIONS))
