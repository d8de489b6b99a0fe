"""What the predictions of a model say of a change to it: the part of a compression card that takes a bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from harness.metrics.base import Metric
from harness.metrics.correctness import judge, right
from harness.report.tables.card_parts import CalibrationChange, LoadLogits, calibration_change
from harness.report.tables.pairs import Load, Pairs, change_of, counted, loaded, whole
from harness.stats.aggregate import Estimate

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Flips:
    """Of n predictions that are right or wrong (over seeds): how many went from right to wrong, and from wrong to
    right.
    """

    lost: int
    won: int
    n: int


@dataclass(frozen=True)
class Judged:
    """`agreement`, the fraction of equal predictions, is None for those that are numbers, `flips` also for texts that
    no metric calls right or wrong; `calibration` is the reason where there is none.
    """

    change: Estimate
    agreement: float | None
    flips: Flips | None
    calibration: CalibrationChange | str


Judge = Callable[[Pairs], Judged]


def judged(pairs: Pairs, load: Load, load_logits: LoadLogits) -> Judged:
    """Of the records of a model and its original."""

    seeds, splits = whole(pairs)
    first = pairs[seeds[0], splits[0]][1]
    loaded_pairs = loaded(pairs, load)
    metric = judge(first.scores, counted(first))
    equal, flips = [], []
    for pair in loaded_pairs:
        for before, after in zip(pair.before, pair.after, strict=True):
            if before.dtype.kind != "f":
                equal += (before == after).tolist()
            if metric is not None:
                flips.append(_flips(metric, before, after, pair.references))
    return Judged(
        change=change_of(loaded_pairs, first),
        agreement=fmean(equal) if equal else None,
        flips=Flips(*(sum(column) for column in zip(*flips, strict=True))) if flips else None,
        calibration=calibration_change(pairs, load_logits),
    )


def _flips(metric: Metric, before: np.ndarray, after: np.ndarray, references: np.ndarray) -> tuple[int, int, int]:
    """Lost, won and n."""

    change = right(metric, after, references) - right(metric, before, references)
    return int((change < 0).sum()), int((change > 0).sum()), len(change)
