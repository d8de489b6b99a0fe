"""Tables with a row a model and split: what is common to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

from harness.report.tables import formats
from harness.report.tables.comparable import Record, comparable, labels_of

Report = TypeVar("Report")
Row = TypeVar("Row")


def tables_of(
    title: str,
    records: Sequence[Record],
    report_of: Callable[[Record], Report | None],
    row_of: Callable[[str, str, str, list[Report]], Row],
    order: Callable[[Row], Any],
    least: int,
) -> list[tuple[str, tuple[Row, ...]]]:
    """The titles and rows of tables in which only comparable models stand together.

    Args:
        title: What they are of.
        records: Score records, the newest first: of several of one seed the newest counts.
        report_of: What a record's predictions come to; None where there is no such thing.
        row_of: A row of a task, a split, a model's label and its reports, a seed each.
        order: What rows are sorted by.
        least: Examples below which there is no row.

    Returns:
        A pair a table; none of those without rows.
    """
    tables = []
    for draft in comparable(records):
        labels = labels_of([records[0] for records in draft.models.values()])
        rows = []
        for model, records in draft.models.items():
            for by_seed in newest(record for record in records if record.scores and record.n >= least):
                reports = [report for record in by_seed if (report := report_of(record)) is not None]
                if reports:
                    rows.append(row_of(by_seed[0].task.name, by_seed[0].split, labels[model], reports))
        if rows:
            every = [record for records in draft.models.values() for record in records]
            tables.append((formats.heading_of(title, every), tuple(sorted(rows, key=order))))
    return tables


def newest(records: Iterable[Record]) -> list[list[Record]]:
    """A model's records of each task and split, one a seed, in the order of seeds. They come newest first, and of
    several of one seed the newest counts.
    """
    groups: dict[tuple[str, str], dict[int, Record]] = {}
    for record in records:
        groups.setdefault((record.task.name, record.split), {}).setdefault(record.seed, record)
    return [[by_seed[seed] for seed in sorted(by_seed)] for by_seed in groups.values()]


class OfSplit(Protocol):
    """A row of such a table."""

    @property
    def task(self) -> str: ...

    @property
    def split(self) -> str: ...


def task_names(rows: Sequence[OfSplit]) -> list[str]:
    """What each row is of: its task, with the split where the table has several of it."""
    splits = {row.task: len({other.split for other in rows if other.task == row.task}) for row in rows}
    return [row.task if splits[row.task] == 1 else f"{row.task} {row.split}" for row in rows]


def tables_json(tables: Sequence[Any], notes: Sequence[str], **more: Any) -> str:
    """Everything, at full precision, scale 0…1; `more` stands beside the tables."""
    written = [{**asdict(table), "notes": notes} for table in tables]
    return json.dumps(
        {"schema_version": formats.SCHEMA_VERSION, **more, "tables": written}, indent=1, ensure_ascii=False
    )
