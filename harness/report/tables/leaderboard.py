"""Leaderboards: models by tasks, from score records. What must not be compared never meets in a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any, Protocol

from harness.core.cell_records import ScoreFacts
from harness.core.text import origin_name
from harness.report.tables import cautions
from harness.report.tables.comparable import Draft, Record, comparable, labels_of
from harness.report.tables.table import (
    Column,
    MetricScore,
    Row,
    Score,
    Table,
    common_location,
    joint_fingerprint,
    shown_location,
)
from harness.stats.aggregate import Estimate, over_metrics, over_seeds, over_tasks


class Suite(Protocol):
    """What is needed of a suite: its name, its tasks in order, those of the average, and what this weighs them by."""

    @property
    def name(self) -> str: ...
    @property
    def tasks(self) -> list[str]: ...
    @property
    def averaged(self) -> list[str]: ...
    @property
    def average_by(self) -> str: ...


def build(records: Sequence[Record], suites: Sequence[Suite]) -> list[Table]:
    """Tables of the suites, newest records first. A score that was computed twice (same model, seed, task, split,
    data) counts once, the newest.

    A model meets in a table only models whose scores on every task they share rest on the same data (training and
    scored), task version and metric versions; otherwise a further table is made.
    """
    return [table for table, _ in build_with_records(records, suites)]


def build_with_records(records: Sequence[Record], suites: Sequence[Suite]) -> list[tuple[Table, Draft]]:
    """As `build`, each table with the records it was made of, by the ids of its rows' models."""
    return [
        (_table(suite, draft), draft)
        for suite in suites
        for draft in comparable([record for record in records if record.task.name in suite.tasks])
    ]


def _table(suite: Suite, draft: Draft) -> Table:
    every = [record for records in draft.models.values() for record in records]
    present = {record.task.name for record in every}
    scored = {record.task.name for record in every if record.scores}
    newest = sorted(every, key=lambda record: (record.created, record.cell), reverse=True)
    primary_metrics: dict[
        str, Sequence[str]
    ] = {}  # one for all rows, though a task's primary metrics have changed since
    for record in newest:
        primary_metrics.setdefault(record.task.name, record.primary_metrics)
    metric_scores = {model: _scores_by_task(records, primary_metrics) for model, records in draft.models.items()}
    columns = tuple(
        _column(
            task,
            task not in suite.averaged,
            [by_task[task] for by_task in metric_scores.values() if task in by_task],
            [record for record in every if record.task.name == task],
        )
        for task in suite.tasks
        if task in scored
    )
    counted = [column for column in columns if not column.diagnostic and column.greater_is_better]
    averaged = tuple(column.task for column in counted)
    by_examples = suite.average_by == "examples"
    weights = {column.task: sum(column.n.values()) if by_examples else 1 for column in counted}
    labels = labels_of([records[0] for records in draft.models.values()])
    rows = [
        _row(model, records, labels[model], metric_scores[model], columns, weights)
        for model, records in draft.models.items()
    ]
    rows.sort(key=lambda row: (row.average is None, -(row.average.estimate.value if row.average else 0.0), row.label))
    chances = [column.chance for column in counted if column.chance is not None]
    ceilings = [column.ceiling for column in counted if column.ceiling is not None]
    first = every[0]
    prints = [column.fingerprint for column in columns] or sorted({record.data.fingerprint for record in every})
    return Table(
        suite=suite.name,
        source=first.data.source,
        location=shown_location(first.data.source, common_location({record.data.location for record in every})),
        limit=first.data.limit,
        train_fraction=first.data.train_fraction,
        k_shot=first.data.k_shot,
        columns=columns,
        rows=tuple(_with_best(rows, columns)),
        absent=tuple(task for task in suite.tasks if task not in present),
        unlabelled=tuple(task for task in suite.tasks if task in present - scored),
        averaged=averaged,
        of_tasks=len(suite.averaged),
        by_examples=by_examples,
        chance=fmean(chances, list(weights.values())) if counted and len(chances) == len(counted) else None,
        ceiling=over_tasks(ceilings, list(weights.values())) if counted and len(ceilings) == len(counted) else None,
        fingerprint=joint_fingerprint(prints),
        data_notes=cautions.of_data(every),
        machine_notes=(*cautions.of_machines(every), *cautions.of_precisions(draft.models, labels)),
    )


def _row(
    model: str,
    records: Sequence[Record],
    label: str,
    metric_scores: Mapping[str, tuple[MetricScore, ...]],
    columns: Sequence[Column],
    weights: Mapping[str, float],
) -> Row:
    scores, partial = {}, {}
    for column in columns:
        task_scores = metric_scores.get(column.task, ())
        has_all = all(
            {metric_score.metric for metric_score in task_scores if metric_score.split == split}
            >= set(column.primary_metrics)
            for split in column.n
        )
        if task_scores and has_all:
            scores[column.task] = Score(
                over_metrics([metric_score.estimate for metric_score in _counted(task_scores)]), task_scores
            )
        elif task_scores:
            partial[column.task] = task_scores
    average = None
    if weights and all(task in scores for task in weights):
        average = Score(over_tasks([scores[task].estimate for task in weights], list(weights.values())))
    seeds = [
        len(metric_score.estimate.per_seed) for task_scores in metric_scores.values() for metric_score in task_scores
    ] or [0]
    notes = cautions.of_model(records, metric_scores)
    return Row(label, model, (min(seeds), max(seeds)), scores, partial, average, notes, _facts(records))


def _facts(records: Sequence[Record]) -> dict[str, Any]:
    """Of one model: its learner, the runtimes it was scored in, what it started from (a pretrained model, or the
    original of a compressed one, or itself), how it was compressed, and its parameters, where all tasks agree.
    """
    model = records[0].model
    runtimes = sorted({record.runtime for record in records if record.runtime})
    sizes = {record.model.parameters for record in records}
    return {
        "learner": model.learner,
        "runtime": ", ".join(runtimes) or None,
        "base": origin_name(model.pretrained or model.original or model.name),
        "method": model.method,
        "parameters": sizes.pop() if len(sizes) == 1 else None,
    }


def _scores_by_task(
    records: Iterable[Record], primary_metrics: Mapping[str, Sequence[str]]
) -> dict[str, tuple[MetricScore, ...]]:
    """A model's parts of each task. `records` come newest first, and of several of one seed the newest counts."""
    cells: dict[str, dict[tuple[str, str], dict[int, ScoreFacts]]] = {}
    for record in records:
        for metric, score in record.scores.items():
            of_task = cells.setdefault(record.task.name, {})
            of_task.setdefault((record.split, metric), {}).setdefault(record.seed, score)
    return {
        task: tuple(
            _metric_score(split, metric, seeds, metric in primary_metrics[task])
            for (split, metric), seeds in sorted(of_task.items())
        )
        for task, of_task in cells.items()
    }


def _metric_score(split: str, metric: str, by_seed: Mapping[int, ScoreFacts], is_primary: bool) -> MetricScore:
    scores = [by_seed[seed] for seed in sorted(by_seed)]
    first = scores[0]
    low, high = first.scale
    ceiling = first.ceiling
    return MetricScore(
        split=split,
        metric=metric,
        n=first.n,
        estimate=over_seeds([(score.value, score.low, score.high) for score in scores], (low, high)),
        chance=first.chance,
        ceiling=Estimate(ceiling.value, ceiling.low, ceiling.high) if ceiling else None,
        greater_is_better=first.greater_is_better,
        is_primary=is_primary,
        is_fraction=high is not None and high <= 1,
    )


def _counted(metric_scores: Sequence[MetricScore]) -> list[MetricScore]:
    """The parts a task's score is the mean of: an error rate beside an accuracy would only cancel it."""
    primary = [metric_score for metric_score in metric_scores if metric_score.is_primary] or list(metric_scores)
    return [metric_score for metric_score in primary if metric_score.greater_is_better] or primary


def _column(
    task: str, diagnostic: bool, models: Sequence[tuple[MetricScore, ...]], records: Sequence[Record]
) -> Column:
    """Chance and ceiling are of the data, so that any model's parts tell them."""
    metric_scores = list(
        {
            (metric_score.split, metric_score.metric): metric_score
            for model_scores in models
            for metric_score in model_scores
        }.values()
    )
    counted = _counted(metric_scores)
    chances = [metric_score.chance for metric_score in counted if metric_score.chance is not None]
    ceilings = [metric_score.ceiling for metric_score in counted if metric_score.ceiling is not None]
    prints = {record.split: record.data.fingerprint for record in records if record.scores}
    versions = {name: score.version for record in records for name, score in record.scores.items()}
    return Column(
        task=task,
        version=records[0].task.version,
        diagnostic=diagnostic,
        greater_is_better=counted[0].greater_is_better,
        n={
            metric_score.split: metric_score.n
            for metric_score in sorted(metric_scores, key=lambda metric_score: metric_score.split)
        },
        fingerprint=joint_fingerprint([prints[split] for split in sorted(prints)]),
        metrics=dict(sorted(versions.items())),
        chance=fmean(chances) if len(chances) == len(counted) else None,
        ceiling=over_metrics(ceilings) if len(ceilings) == len(counted) else None,
        scale=100 if all(metric_score.is_fraction for metric_score in counted) else 1,
        primary_metrics=tuple(dict.fromkeys(metric_score.metric for metric_score in counted)),
    )


def _with_best(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """Mark a score as best where every other model's whole interval is on the worse side of its own."""

    def best(scores: Mapping[str, Score | None], greater: bool = True) -> str | None:
        estimates = {model: score.estimate for model, score in scores.items() if score is not None}
        if len(estimates) < 2:
            return None
        sign = 1 if greater else -1
        leader, *others = sorted(estimates, key=lambda model: sign * estimates[model].value, reverse=True)
        worst = estimates[leader].low if greater else -estimates[leader].high
        apart = all(worst > (estimates[other].high if greater else -estimates[other].low) for other in others)
        return leader if apart else None

    average = best({row.model: row.average for row in rows})
    by_task = {
        column.task: best({row.model: row.scores.get(column.task) for row in rows}, column.greater_is_better)
        for column in columns
    }
    return [
        replace(
            row,
            average=replace(row.average, best=True) if row.average and row.model == average else row.average,
            scores={
                task: replace(score, best=True) if by_task[task] == row.model else score
                for task, score in row.scores.items()
            },
        )
        for row in rows
    ]
