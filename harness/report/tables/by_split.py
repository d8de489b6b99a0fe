"""Tables with a row a model and split, of what is computed from stored predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

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
        rows = [
            row_of(task, split, labels[model], reports)
            for model, records in draft.models.items()
            for task, split, reports in _reports(records, report_of, least)
        ]
        if rows:
            every = [record for records in draft.models.values() for record in records]
            tables.append((formats.heading_of(title, every), tuple(sorted(rows, key=order))))
    return tables


def _reports(
    records: Sequence[Record], report_of: Callable[[Record], Report | None], least: int
) -> list[tuple[str, str, list[Report]]]:
    """Of one model, by task and split."""
    newest: dict[tuple[str, str], dict[int, Record]] = {}
    for record in records:
        if record.scores and record.n >= least:
            newest.setdefault((record.task.name, record.split), {}).setdefault(record.seed, record)
    groups = []
    for (task, split), by_seed in newest.items():
        reports = [report for seed in sorted(by_seed) if (report := report_of(by_seed[seed])) is not None]
        if reports:
            groups.append((task, split, reports))
    return groups
