"""How much worse a candidate is: the drop of a pair, its interval and its p, before any verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.errors import HarnessError
from harness.gating.pairing import Pair
from harness.gating.run_results import TaskSplit
from harness.metrics.base import Metric
from harness.stats.paired import TAIL, PairedDrop, mean_drop, paired_test
from harness.stats.significance import Drop, Measure


@dataclass(frozen=True)
class Estimated:
    """A pair before corrections for how many there are; all in fractions of the scale."""

    pair: Pair
    drop: Drop | None
    low: float
    high: float
    p: float
    test: str
    identical: bool
    is_averageable: bool
    paired: PairedDrop | None = None


def counted(task_split: TaskSplit) -> list[Metric]:
    """The metrics a task's score is the mean of, as in a leaderboard."""
    primary = [task_split.metric(name) for name in task_split.primary_metrics if name in task_split.metrics]
    return [metric for metric in primary if metric.greater_is_better] or primary


def weight_of(metric: Metric, base_score: float) -> float:
    """From a metric's units to fractions of its scale: of the base's score where it has no upper bound. Negative where
    lower is better.
    """
    scale = metric.high if metric.high is not None else abs(base_score)
    return (1 if metric.greater_is_better else -1) / (scale or 1.0)


def estimate(pair: Pair) -> Estimated:
    """The drop of a pair, its interval and p, by `harness.stats.paired`."""
    chosen = {task_split.split: counted(task_split) for task_split in pair.task_splits}
    is_averageable = all(metric.greater_is_better for chosen_metrics in chosen.values() for metric in chosen_metrics)
    if not pair.seeds:
        return Estimated(pair, None, 0.0, 0.0, 1.0, "none", False, is_averageable)
    if not all(task_split.is_paired for task_split in pair.task_splits):
        return _unpaired(pair, chosen, is_averageable)
    try:
        tested = paired_test(
            [_measures(task_split, pair, chosen[task_split.split]) for task_split in pair.task_splits],
            pair.one_candidate,
        )
    except HarnessError as error:
        raise HarnessError(f"task {pair.task} cannot be compared: {error}") from None
    paired = tested.paired
    identical = paired.identical and not pair.failed
    return Estimated(
        pair, tested.drop, paired.low, paired.high, tested.p, tested.test, identical, is_averageable, paired
    )


UNPAIRED = "z, unpaired: of scores and standard errors alone"


def _unpaired(pair: Pair, chosen: Mapping[str, Sequence[Metric]], is_averageable: bool) -> Estimated:
    """Of scores without single examples, whose variances add; without those nothing can be told."""
    terms = sum(len(metrics_of_split) for metrics_of_split in chosen.values()) * len(pair.seeds)
    value, variance = 0.0, 0.0
    for split, metrics_of_split in chosen.items():
        for base, candidate in pair.scored[split]:
            for metric in metrics_of_split:
                before, after = (scored.scores[metric.name]["value"] for scored in (base, candidate))
                weight = weight_of(metric, before) / terms
                value += weight * (before - after)
                known = base.variance is not None and candidate.variance is not None
                variance += weight**2 * ((base.variance or 0.0) + (candidate.variance or 0.0)) if known else math.inf
    if not math.isfinite(variance):
        return Estimated(pair, None, -math.inf, math.inf, 1.0, "none: no standard error", False, is_averageable)
    drop = Drop(value, variance)
    half = drop.half_width(TAIL)
    paired = PairedDrop(drop, value - half, value + half, (value,), None, False)
    return Estimated(pair, drop, paired.low, paired.high, drop.p_worse(), UNPAIRED, False, is_averageable, paired)


def _measures(task_split: TaskSplit, pair: Pair, metrics_of_split: Sequence[Metric]) -> list[list[Measure]]:
    """For each seed a measure a metric; the weights make a task's drop the mean over its splits and metrics."""
    terms = len(metrics_of_split) * len(pair.task_splits)
    measures = []
    for base, candidate in pair.scored[task_split.split]:
        measures.append(
            [
                Measure(
                    metric,
                    base.predictions,
                    candidate.predictions,
                    task_split.references,
                    weight_of(metric, base.scores[metric.name]["value"]) / terms,
                )
                for metric in metrics_of_split
            ]
        )
    return measures


def averaged(estimates: Sequence[Estimated]) -> Estimated:
    """The average of several tasks."""
    drop, test = mean_drop([estimated.paired for estimated in estimates if estimated.paired is not None])
    identical = all(estimated.identical for estimated in estimates)
    half = 0.0 if identical else drop.half_width(TAIL)
    return Estimated(
        estimates[0].pair, drop, drop.value - half, drop.value + half, drop.p_worse(), test, identical, True
    )
