"""What a table says first, in a sentence: who leads, by how much, and who cannot be told from it."""

from __future__ import annotations

from collections.abc import Callable

from harness import metrics
from harness.core.errors import HarnessError
from harness.report.tables.comparable import Draft, Record
from harness.report.tables.formats import number, scaled
from harness.report.tables.pairs import Load, counted
from harness.report.tables.table import Score, Table
from harness.stats.paired import mean_drop, paired_drop, paired_test
from harness.stats.significance import Measure, holm
from harness.training.learners import LEARNERS

MOST = 4
"""Models that are named."""
TESTED_AT_MOST = 16
"""The nearest models that are tested against the first."""
ALPHA = 0.05

Test = Callable[[str, str], float | None]
"""From the ids of two models to the one-sided p of the first not being better; None where nothing can be tested."""


def leading(table: Table, test: Test = lambda first, other: None) -> str:
    """The sentence; empty where there are not two models with a score to compare.

    A model whose interval overlaps the first's is tested against it, over the same examples and seeds; what leads is
    chosen by the scores themselves, so that p is two-sided, and adjusted for all that are tested (Holm). Where
    predictions are not at hand the intervals judge, which are wider than a paired comparison's.
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
    ids = {row.label: row.model for row in table.rows}
    p_values = {label: p for label in close[:TESTED_AT_MOST] if (p := test(ids[first], ids[label])) is not None}
    adjusted = dict(zip(p_values, holm([min(1.0, 2 * p) for p in p_values.values()]), strict=True))
    alike = [label for label in close if adjusted.get(label, 1.0) >= ALPHA]
    apart = max((p for p in adjusted.values() if p < ALPHA), default=None)
    by_test = "" if apart is None else f" (paired test, p {'<0.001' if apart < 0.001 else f'at most {apart:.3f}'})"
    if not alike:
        return f"{sentence}; it is apart from every other model{by_test}."
    more = f" and {len(alike) - MOST} more" if len(alike) > MOST else ""
    how = "a paired test over the same examples and seeds" if p_values else "their intervals"
    rest = f"; it is apart from all others{by_test}" if len(alike) < len(known) - 1 else ""
    return f"{sentence}; by {how} it cannot be told from {', '.join(alike[:MOST])}{more}{rest}."


def paired_tester(table: Table, draft: Draft, load: Load) -> Test:
    """Tests models of a table by their stored predictions, with the gate's statistics: of the average where the table
    has one of several tasks, else of its first column.
    """
    tasks = list(table.averaged) if table.of_tasks > 1 else [column.task for column in table.columns[:1]]

    def test(first: str, other: str) -> float | None:
        try:
            pairs = [paired_measures(draft.models[first], draft.models[other], task, load) for task in tasks]
            known = [pair for pair in pairs if pair is not None]
            if not known or len(known) < len(tasks):
                return None
            if len(known) == 1:
                return paired_test(*known[0]).p
            return mean_drop([paired_drop(*pair) for pair in known])[0].p_worse()
        except HarnessError:  # predictions that are damaged, or metrics that are not here any more
            return None

    return test


def paired_measures(
    first: list[Record], other: list[Record], task: str, load: Load
) -> tuple[list[list[list[Measure]]], bool] | None:
    """What two models say of a task, by split and seed, and whether one of them is a single training beside several.
    Seeds are paired by number or in order, a single one with each of the other's.
    """
    mine, theirs = _by_split(first, task), _by_split(other, task)
    if not mine or mine.keys() != theirs.keys():
        return None
    seeds = _seeds(mine), _seeds(theirs)
    splits = [
        [_measures(mine[split][seed], theirs[split][another], len(mine), load) for seed, another in _pairs(*seeds)]
        for split in sorted(mine)
    ]
    if any(not measures for split in splits for measures in split) or not splits[0]:
        return None
    one_alone = min(map(len, seeds)) == 1 < max(map(len, seeds))
    alone = other if len(seeds[1]) == 1 else first
    return splits, one_alone and not LEARNERS.get(alone[0].model.learner).deterministic


def _measures(mine: Record, theirs: Record, splits: int, load: Load) -> list[Measure]:
    """Empty where the two do not answer the same examples."""
    (base, references), (candidate, _) = load(mine), load(theirs)
    if references is None or len(base) != len(candidate):
        return []
    primary = [metrics.get(name) for name in counted(mine)]
    weight = 1 / (len(primary) * splits)
    return [
        Measure(metric, base, candidate, references, weight if metric.greater_is_better else -weight)
        for metric in primary
    ]


def _by_split(records: list[Record], task: str) -> dict[str, dict[int, Record]]:
    """The newest record of each seed, by split; `records` come newest first."""
    by_split: dict[str, dict[int, Record]] = {}
    for record in records:
        if record.task.name == task and record.scores:
            by_split.setdefault(record.split, {}).setdefault(record.seed, record)
    return by_split


def _seeds(by_split: dict[str, dict[int, Record]]) -> list[int]:
    return sorted(set.intersection(*(set(by_seed) for by_seed in by_split.values())))


def _pairs(mine: list[int], theirs: list[int]) -> list[tuple[int, int]]:
    if 1 in (len(mine), len(theirs)):
        return [(seed, other) for seed in mine for other in theirs]
    common = [seed for seed in mine if seed in theirs]
    if len(common) == min(len(mine), len(theirs)):
        return [(seed, seed) for seed in common]
    return list(zip(mine, theirs, strict=False))
