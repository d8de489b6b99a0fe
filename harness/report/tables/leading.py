"""What a table says first, in a sentence: who leads, by how much, and who cannot be told from it."""

from __future__ import annotations

from harness.report.tables.formats import number, scaled
from harness.report.tables.table import Score, Table

MOST = 4
"""Models that are named."""


def leading(table: Table) -> str:
    """The sentence; empty where there are not two models with a score to compare.

    It judges by intervals of single models, which are wider than a paired comparison's: what it calls apart is.
    """
    column = table.columns[0] if len(table.columns) == 1 else None
    by_average = table.of_tasks > 1 or column is None
    greater = by_average or column is None or column.greater_is_better
    scale = 100 if by_average or column is None else column.scale
    scores: dict[str, Score | None] = {
        row.label: row.average if by_average else row.scores.get(column.task if column else "") for row in table.rows
    }
    known = {label: score.estimate for label, score in scores.items() if score is not None}
    if len(known) < 2:
        return ""
    sign = 1 if greater else -1
    first, second, *_ = order = sorted(known, key=lambda label: (-sign * known[label].value, label))
    lead, what = known[first], "on average" if by_average else f"on {column.task if column else ''}"
    close = [label for label in order[1:] if known[label].low <= lead.high and known[label].high >= lead.low]
    gap = abs(lead.value - known[second].value)
    unit = " points" if scale == 100 else ""
    if gap == 0:
        sentence = f"{first} and {second} are level {what}, at {number(lead, scale)}"
    else:
        sentence = f"{first} leads {what} with {number(lead, scale)}, {scaled(gap, scale)}{unit} ahead of {second}"
    if not close:
        return f"{sentence}; its interval is apart from every other model's."
    more = f" and {len(close) - MOST} more" if len(close) > MOST else ""
    return f"{sentence}; by their intervals it cannot be told from {', '.join(close[:MOST])}{more}."
