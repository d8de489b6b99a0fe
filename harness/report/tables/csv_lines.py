"""Leaderboards as CSV: a line a score."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from harness.report.tables.formats import PLAIN, printable
from harness.report.tables.layout import FACTS, Layout, shown_columns
from harness.report.tables.report_format import ReportFormat
from harness.report.tables.table import Row, Table
from harness.stats.aggregate import Estimate

CSV_COLUMNS = (
    "suite", "source", "location", "limit", "train_fraction", "fingerprint", "model", "model_id", "kind", "task",
    "split", "metric", "value", "low", "high", "sd", "seeds", "n", "chance", "ceiling", "best", *FACTS,
)  # fmt: skip


def to_csv(tables: Sequence[Table], layout: Layout = PLAIN) -> str:
    """One line for each model, task, split and metric (`kind` metric), for each task's score (`task`), for each average
    (`average`), and for what else is shown of a model (`resource`). Full precision, scale 0…1; unknown is empty.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for table in tables:
        for row in table.rows:
            for line in _csv_lines(table, row, layout):
                writer.writerow(map(_csv, line))
    return out.getvalue()


def _csv_lines(table: Table, row: Row, layout: Layout) -> Iterable[list[Any]]:
    facts = [row.facts.get(name) for name in FACTS]

    def where(fingerprint: str) -> list[Any]:
        source = [table.suite, table.source, table.location, table.limit, table.train_fraction, fingerprint]
        return [*source, row.label, row.model]

    def line(fingerprint: str, what: Sequence[Any], estimate: Estimate, n: int | None, *last: Any) -> list[Any]:
        value = [estimate.value, estimate.low, estimate.high, estimate.sd, len(estimate.per_seed) or None, n]
        return [*where(fingerprint), *what, *value, *last, *facts]

    if row.average and "average" in shown_columns(table, layout):
        ceiling = table.ceiling.value if table.ceiling else None
        last = (table.chance, ceiling, row.average.best)
        yield line(table.fingerprint, ["average", None, None, None], row.average.estimate, None, *last)
    for column in table.columns:
        score = row.scores.get(column.task)
        if score:
            ceiling = column.ceiling.value if column.ceiling else None
            last = (column.chance, ceiling, score.best)
            n = sum(column.n.values())
            yield line(column.fingerprint, ["task", column.task, None, None], score.estimate, n, *last)
        for metric_score in score.parts if score else row.partial.get(column.task, ()):
            ceiling = metric_score.ceiling.value if metric_score.ceiling else None
            what = ["metric", column.task, metric_score.split, metric_score.metric]
            yield line(
                column.fingerprint, what, metric_score.estimate, metric_score.n, metric_score.chance, ceiling, None
            )
    for resource in table.resources:
        if row.model in resource.values:
            quantity = resource.values[row.model]
            what, unknown = ["resource", "", "", resource.name], [None] * 6
            yield [*where(table.fingerprint), *what, quantity.value, quantity.low, quantity.high, *unknown, *facts]


def _csv(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") else text


class Csv(ReportFormat):
    """The lines of all tables in one file."""

    def render(self, tables: Sequence[Table], layout: Layout) -> str:
        return to_csv(tables, layout).rstrip("\n")


FORMAT = Csv()
