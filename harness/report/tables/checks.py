"""Tests of behaviour: on how many changed texts models do what they must not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.core.cell_records import CheckFacts
from harness.core.specs import NOISE_MARK
from harness.report.tables import formats
from harness.report.tables.by_split import newest
from harness.report.tables.comparable import Record, comparable, labels_of
from harness.stats.aggregate import Estimate, over_seeds

NOTE = (
    "Failure rates ×100 with 95 % intervals over examples and, with several seeds, over seeds. An invariance test "
    "fails where a change turns the class that is answered, a directional one where the probability of a class moves "
    "the wrong way by more than its tolerance. Labels are not looked at."
)
FAILURES = 3
"""Failing examples of a test that are listed, of the first seed."""


@dataclass(frozen=True)
class Failing:
    """An example on which a model fails: the text before and after, and the classes that it answers."""

    original: str
    changed: str
    before: str
    after: str


@dataclass(frozen=True)
class CheckRow:
    """A model and a test of a task; the first failing examples."""

    task: str
    split: str
    checks: str
    test: str
    kind: str
    model: str
    seeds: int
    examples: int
    failure_rate: Estimate
    failing: tuple[Failing, ...]


@dataclass(frozen=True)
class CheckTable:
    """The rows that may stand in one table."""

    title: str
    rows: tuple[CheckRow, ...]


Load = Callable[[Record], Mapping[str, Sequence[Failing]]]
"""The failing examples of a score, by test."""


def build(records: Sequence[Record], order: Sequence[str], load: Load) -> list[CheckTable]:
    """Tables of the models whose behaviour was tested; `order` is that of the tasks."""
    tables = []
    for draft in comparable([record for record in records if record.checks]):
        labels = labels_of([records[0] for records in draft.models.values()])
        rows = [row for model, records in draft.models.items() for row in _rows(labels[model], records, load)]
        rows.sort(key=lambda row: order.index(f"{row.task}{NOISE_MARK}{row.checks}"))
        every = [record for records in draft.models.values() for record in records]
        tables.append(CheckTable(formats.heading_of("tests of behaviour", every), tuple(rows)))
    return tables


def _rows(model: str, records: Sequence[Record], load: Load) -> list[CheckRow]:
    return [row for by_seed in newest(records) for row in _of_task(model, by_seed, load)]


def _of_task(model: str, by_seed: Sequence[Record], load: Load) -> list[CheckRow]:
    first = by_seed[0]
    failing = load(first)
    return [_row(model, first, test, by_seed, failing.get(test.test, ())) for test in first.checks]


def _row(
    model: str, first: Record, test: CheckFacts, by_seed: Sequence[Record], failing: Sequence[Failing]
) -> CheckRow:
    rates = [other.failure_rate for record in by_seed for other in record.checks if other.test == test.test]
    task, _, checks = first.task.name.partition(NOISE_MARK)
    return CheckRow(
        task=task,
        split=first.split,
        checks=checks,
        test=test.test,
        kind=test.kind,
        model=model,
        seeds=len(rates),
        examples=test.examples,
        failure_rate=over_seeds([(rate.value, rate.low, rate.high) for rate in rates], (0.0, 1.0)),
        failing=tuple(failing[:FAILURES]),
    )


HEADER = ("task", "tests", "test", "kind", "model", "seeds", "examples", "fails %")


def cells_of(row: CheckRow) -> tuple[str, ...]:
    """A row as it is read."""
    return (
        row.task if row.split == "dev" else f"{row.task} {row.split}",
        row.checks,
        row.test,
        row.kind,
        row.model,
        str(row.seeds),
        f"{row.examples:,}",
        formats.number(row.failure_rate),
    )


def to_markdown(table: CheckTable) -> str:
    """Rows of tasks, tests and models, with the first failing examples below."""
    body = [[formats.escaped(cell) for cell in cells_of(row)] for row in table.rows]
    lines = [
        f"{row.model}, {row.task}, {row.test}: “{example.original}” is {example.before}, “{example.changed}” is "
        f"{example.after}"
        for row in table.rows
        for example in row.failing
    ]
    return formats.markdown_table(table.title, HEADER, body, [NOTE, *lines])


def as_json(tables: Sequence[CheckTable]) -> list[dict[str, Any]]:
    """Everything, at full precision, scale 0…1."""
    return [{**asdict(table), "note": NOTE} for table in tables]
