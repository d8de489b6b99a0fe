"""Attacks: what models score before and after, and what it takes to mislead them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.core.attack_records import AttackFacts
from harness.core.facts import Interval
from harness.core.specs import NOISE_MARK
from harness.report.tables import formats
from harness.report.tables.by_split import newest
from harness.report.tables.comparable import Record, comparable, labels_of
from harness.stats.aggregate import Estimate, over_seeds

NOTE = (
    "Scores ×100 with 95 % intervals over examples (those drawn alike for all models) and, with several seeds, over "
    "seeds. Before and after: accuracy on the same examples. Success: of the examples that the model answers rightly, "
    "those that fool it. Words changed and similarity are means of these; queries, texts that the model is asked "
    "about, are a mean of all that were attacked."
)


@dataclass(frozen=True)
class AttackRow:
    """A model under an attack on a task; None where there is nothing to take a mean of."""

    task: str
    split: str
    model: str
    attack: str
    seeds: int
    examples: int
    before: Estimate
    after: Estimate
    success_rate: Estimate | None
    changed: Estimate | None
    similarity: Estimate | None
    queries: Estimate | None
    constraint: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class AttackTable:
    """The rows that may stand in one table."""

    title: str
    rows: tuple[AttackRow, ...]


def build(records: Sequence[Record], order: Sequence[str]) -> list[AttackTable]:
    """Tables of the models that were scored under an attack; `order` is that of the tasks."""
    tables = []
    for draft in comparable([record for record in records if record.attack is not None and record.attack.examples]):
        labels = labels_of([records[0] for records in draft.models.values()])
        rows = [row for model, records in draft.models.items() for row in _rows(labels[model], records)]
        rows.sort(key=lambda row: (order.index(f"{row.task}{NOISE_MARK}{row.attack}"), -row.after.value, row.model))
        every = [record for records in draft.models.values() for record in records]
        tables.append(AttackTable(formats.heading_of("attacks", every), tuple(rows)))
    return tables


def _rows(model: str, records: Sequence[Record]) -> list[AttackRow]:
    return [_row(model, by_seed) for by_seed in newest(records)]


def _row(model: str, records: Sequence[Record]) -> AttackRow:
    first, every = records[0], [record.attack for record in records if record.attack is not None]

    def mean(part: Callable[[AttackFacts], Interval | None], most: float | None = 1.0) -> Estimate | None:
        known = [value for value in map(part, every) if value is not None]
        return over_seeds([(value.value, value.low, value.high) for value in known], (0.0, most)) if known else None

    before, after = mean(lambda facts: facts.before), mean(lambda facts: facts.after)
    assert before is not None and after is not None
    return AttackRow(
        task=first.task.name.partition(NOISE_MARK)[0],
        split=first.split,
        model=model,
        attack=every[0].method,
        seeds=len(records),
        examples=every[0].examples,
        before=before,
        after=after,
        success_rate=mean(lambda facts: facts.success_rate),
        changed=mean(lambda facts: facts.changed),
        similarity=mean(lambda facts: facts.similarity),
        queries=mean(lambda facts: facts.queries, None),
        constraint=_constraint(every[0]),
        options=every[0].options,
    )


def _constraint(facts: AttackFacts) -> str:
    """What a changed text had to have in common with the original."""
    if not facts.least_similarity:
        return f"none ({facts.similarity_by})"
    return f"≥ {facts.least_similarity:g} ({facts.similarity_by})"


HEADER = (
    "task", "model", "attack", "seeds", "examples", "before", "after", "success %", "words changed %", "queries",
    "similarity", "constraint",
)  # fmt: skip


def cells_of(row: AttackRow) -> tuple[str, ...]:
    """A row as it is read."""

    def shown(estimate: Estimate | None, scale: int = 100) -> str:
        return formats.NONE if estimate is None else formats.number(estimate, scale)

    queries = formats.NONE
    if row.queries is not None:
        low, high = math.floor(row.queries.low), math.ceil(row.queries.high)
        queries = f"{row.queries.value:.0f} [{low}, {high}]"
    return (
        row.task if row.split == "dev" else f"{row.task} {row.split}",
        row.model,
        row.attack,
        str(row.seeds),
        f"{row.examples:,}",
        shown(row.before),
        shown(row.after),
        shown(row.success_rate),
        shown(row.changed),
        queries,
        shown(row.similarity, 1),
        row.constraint,
    )


def to_markdown(table: AttackTable) -> str:
    """Rows of tasks, models and attacks."""
    body = [[formats.escaped(cell) for cell in cells_of(row)] for row in table.rows]
    return formats.markdown_table(table.title, HEADER, body, [NOTE])


def as_json(tables: Sequence[AttackTable]) -> list[dict[str, Any]]:
    """Everything, at full precision, scale 0…1."""
    return [{**asdict(table), "note": NOTE} for table in tables]
