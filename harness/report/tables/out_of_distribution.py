"""Out of distribution: a model's score on the data it was trained for beside those on other data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.core.cell_records import ScoreFacts
from harness.core.hashing import hash_json
from harness.report.tables import formats
from harness.report.tables.by_split import tables_json
from harness.report.tables.comparable import Record, comparable, labels_of
from harness.report.tables.pairs import counted, scale_of
from harness.stats.aggregate import Estimate, over_metrics, over_seeds
from harness.stats.selective import Measured

NOTES = (
    "Scores ×100 where they are fractions, with 95 % intervals. Change: out of distribution less in distribution, by "
    "the same model and metrics; the examples are others, so that the half-widths of both scores add in quadrature "
    "(Newcombe 1998; Zou & Donner 2008), seed by seed, and, with several seeds, their spread is added. Bold: the "
    "interval leaves out 0. It holds how hard the other data is as well as how far from the first it lies.",
    "Detection: the probability that an example of the first data has more confidence (the largest probability) than "
    "one of the other, 50 where confidence does not tell them apart; by the bootstrap within each.",
)

HEADER = (
    "task", "trained on", "model", "seeds", "examples", "in distribution", "out of distribution", "change", "detection"
)  # fmt: skip

DetectionOf = Callable[[Record, Record], Measured | None]
"""How well confidence tells the examples of two score records apart; None where one of them has no classes."""
Shared = dict[tuple[int, str], Record]
"""Score records by seed and split."""


@dataclass(frozen=True)
class Row:
    """A model on a task whose model was trained on another one, or whose data it is scored beside.

    Attributes:
        task: The other task.
        trained_on: The task of the model.
        model: What the table calls it.
        seeds: Of both scores.
        inside_n: Examples in distribution.
        outside_n: Examples out of distribution.
        metrics: What both scores are the mean of.
        inside: The score in distribution.
        outside: The score out of distribution.
        change: The difference.
        detection: The area under the ROC curve of telling both apart by confidence.
        scale: 100 for scores that are fractions.
    """

    task: str
    trained_on: str
    model: str
    seeds: int
    inside_n: int
    outside_n: int
    metrics: tuple[str, ...]
    inside: Estimate
    outside: Estimate
    change: Estimate
    detection: Estimate | None
    scale: int = 100


@dataclass(frozen=True)
class Table:
    """The rows that may stand in one table."""

    title: str
    rows: tuple[Row, ...]


def build(records: Sequence[Record], order: Sequence[str], detection_of: DetectionOf) -> list[Table]:
    """Tables of the models that were scored on the task they were trained on and on others with it; `order` is that of
    the tasks.
    """
    inside: dict[tuple[str, str, str], Shared] = {}
    for record in sorted(records, key=lambda record: (record.created, record.cell), reverse=True):
        if record.scores and record.task.train_on is None and not record.task.perturbation:
            of_model = inside.setdefault(_weights(record, record.task.name), {})
            of_model.setdefault((record.seed, record.split), record)
    tables = []
    for draft in comparable([record for record in records if record.scores and record.task.train_on]):
        labels = labels_of([records[0] for records in draft.models.values()])
        rows = [
            row
            for model, records in draft.models.items()
            for row in _rows(labels[model], records, inside, detection_of)
        ]
        if rows:
            rows.sort(key=lambda row: (order.index(row.task), row.trained_on, -row.outside.value, row.model))
            every = [record for records in draft.models.values() for record in records]
            tables.append(Table(formats.heading_of("out of distribution", every), tuple(rows)))
    return tables


def _weights(record: Record, trained_on: str) -> tuple[str, str, str]:
    """What tells one model's records of a task it was trained on: of several seeds each has its own weights."""
    return trained_on, record.model.id, hash_json(record.lineage.as_json())


def _rows(
    model: str, records: Sequence[Record], inside: Mapping[tuple[str, str, str], Shared], detection_of: DetectionOf
) -> list[Row]:
    """Of one model, whose records come newest first."""
    outside: dict[str, Shared] = {}
    for record in records:
        outside.setdefault(record.task.name, {}).setdefault((record.seed, record.split), record)
    rows = []
    for task, by_seed in outside.items():
        trained_on = next(iter(by_seed.values())).task.train_on or ""
        pairs: dict[int, tuple[list[Record], list[Record]]] = {}
        for seed in sorted({seed for seed, _ in by_seed}):
            others = [record for (of, _), record in by_seed.items() if of == seed]
            known = inside.get(_weights(others[0], trained_on), {})
            firsts = [record for (of, _), record in known.items() if of == seed]
            if firsts:
                pairs[seed] = firsts, others
        metrics = tuple(dict.fromkeys(name for _, others in pairs.values() for name in counted(others[0])))
        shared = tuple(
            name for name in metrics if all(name in record.scores for pair in pairs.values() for record in pair[0])
        )
        if pairs and shared:
            rows.append(_row(task, trained_on, model, pairs, shared, detection_of))
    return rows


def _row(
    task: str,
    trained_on: str,
    model: str,
    pairs: Mapping[int, tuple[list[Record], list[Record]]],
    metrics: tuple[str, ...],
    detection_of: DetectionOf,
) -> Row:
    firsts, others = next(iter(pairs.values()))
    scores = [[_of_seed(records, metrics) for records in pair] for pair in pairs.values()]
    first = others[0].scores[metrics[0]]
    bounds = first.scale
    width = math.inf if bounds[1] is None else bounds[1] - bounds[0]
    detected = [detection_of(pair[0][0], pair[1][0]) for pair in pairs.values() if len(pair[0]) == len(pair[1]) == 1]
    known = [(each.value, each.low, each.high) for each in detected if each is not None]
    return Row(
        task=task,
        trained_on=trained_on,
        model=model,
        seeds=len(pairs),
        inside_n=sum(record.n for record in firsts),
        outside_n=sum(record.n for record in others),
        metrics=metrics,
        inside=over_seeds([(score.value, score.low, score.high) for score, _ in scores], bounds),
        outside=over_seeds([(score.value, score.low, score.high) for _, score in scores], bounds),
        change=over_seeds([difference(outside, inside) for inside, outside in scores], (-width, width)),
        detection=over_seeds(known, (0.0, 1.0)) if len(known) == len(pairs) else None,
        scale=scale_of(others[0]),
    )


def difference(outside: Estimate, inside: Estimate) -> tuple[float, float, float]:
    """One score less another one of other examples, with the interval by the variances recovered from both intervals
    (Zou & Donner 2008; with Wilson's intervals, Newcombe 1998, method 10).
    """
    value = outside.value - inside.value
    below = math.hypot(outside.value - outside.low, inside.high - inside.value)
    above = math.hypot(outside.high - outside.value, inside.value - inside.low)
    return value, value - below, value + above


def _of_seed(records: Sequence[Record], metrics: Sequence[str]) -> Estimate:
    """The mean over splits and metrics of the scores by one seed."""
    scores: list[ScoreFacts] = [record.scores[name] for record in records for name in metrics]
    return over_metrics([Estimate(score.value, score.low, score.high) for score in scores])


def to_markdown(table: Table) -> str:
    """Rows of tasks and models; both scores, the change, and how well confidence tells the data apart."""
    body = [
        [
            formats.escaped(row.task),
            formats.escaped(row.trained_on),
            formats.escaped(row.model),
            str(row.seeds),
            f"{row.inside_n} / {row.outside_n}",
            formats.number(row.inside, row.scale),
            formats.number(row.outside, row.scale),
            formats.signed(row.change, row.scale),
            formats.NONE if row.detection is None else formats.number(row.detection),
        ]
        for row in table.rows
    ]
    return formats.markdown_table(table.title, HEADER, body, NOTES)


def to_json(tables: Sequence[Table]) -> str:
    """Everything, at full precision, scale 0…1."""
    return tables_json(tables, NOTES)
