"""Score records in pairs, of a model before a change and after it, with their stored predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness import metrics
from harness.report.tables.comparable import Record
from harness.stats.aggregate import Estimate
from harness.stats.paired import Pair, change

if TYPE_CHECKING:
    import numpy as np

Load = Callable[[Record], tuple["np.ndarray", "np.ndarray | None"]]
"""The stored predictions and references (n,) of a score record."""
Pairs = dict[tuple[int, str], tuple[Record, Record]]
"""Score records of one model before and after, by seed and split."""


def counted(record: Record) -> list[str]:
    """The metrics a task's score is the mean of, as in a leaderboard."""
    primary = record.primary_metrics
    return [name for name in primary if record.scores[name].greater_is_better] or primary


def scale_of(record: Record) -> int:
    """100 where all metrics counted are fractions, which are shown in per cent, else 1."""
    bounds = [record.scores[name].bounds[1] for name in counted(record)]
    return 100 if all(high is not None and high <= 1 for high in bounds) else 1


def whole(pairs: Pairs) -> tuple[list[int], list[str]]:
    """The seeds that have every split, and the splits."""
    splits = sorted({split for _, split in pairs})
    seeds = [seed for seed in sorted({seed for seed, _ in pairs}) if all((seed, split) in pairs for split in splits)]
    return seeds, splits


def loaded(pairs: Pairs, load: Load) -> list[Pair]:
    """The predictions of both sides, a split each, over the seeds that have every split."""
    seeds, splits = whole(pairs)
    loaded_pairs = []
    for split in splits:
        read = [[load(record) for record in pairs[seed, split]] for seed in seeds]
        references = read[0][0][1]
        assert references is not None
        loaded_pairs.append(Pair([before for (before, _), _ in read], [after for _, (after, _) in read], references))
    return loaded_pairs


def change_of(loaded_pairs: list[Pair], record: Record) -> Estimate:
    """How much the score of a task changes, by the metrics that count for `record`."""
    return change(loaded_pairs, [metrics.get(name) for name in counted(record)])
